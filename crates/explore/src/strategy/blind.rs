//! Strategies that learn nothing: a plan is a function of its seed.

use super::Strategy;
use squall_core::plan::{Plan, PlanSpace, Profile};

/// Swarm testing: what the profile's percentages say.
pub struct Swarm<'a> {
    space: PlanSpace<'a>,
}

impl<'a> Swarm<'a> {
    /// Over these plans.
    pub fn over(space: PlanSpace<'a>) -> Self {
        Self { space }
    }
}

impl Strategy for Swarm<'_> {
    fn plan(&self, seed: u64) -> Plan {
        self.space.draw(seed)
    }

    fn draws_alike(&self) -> bool {
        true
    }
}

/// No swarm: whatever exists in some runs of the profile exists in all of them.
pub struct Uniform<'a> {
    space: PlanSpace<'a>,
    everything: Profile,
}

impl<'a> Uniform<'a> {
    /// Over these plans.
    pub fn over(space: PlanSpace<'a>) -> Self {
        Self {
            space,
            everything: everything(space.profile),
        }
    }
}

impl Strategy for Uniform<'_> {
    fn plan(&self, seed: u64) -> Plan {
        let space = PlanSpace {
            profile: &self.everything,
            ..self.space
        };
        Plan {
            // It repeats from its file only: the profile by this name draws another plan.
            profile: self.space.profile.name.clone(),
            ..space.draw(seed)
        }
    }
}

/// The profile with every kind of fault in every run, about as often as before on the whole,
/// and with every option that comes in two forms as often in one as in the other.
fn everything(profile: &Profile) -> Profile {
    let mut all = profile.clone();
    for variant in &mut all.variants {
        variant.profile = everything(&variant.profile);
    }
    for mix in all.faults.values_mut() {
        let [low, high] = mix.count;
        // As many to be expected as before, from 0 to twice as many.
        let expected = (u64::from(mix.percent) * (low + high)).div_ceil(100);
        if mix.percent > 0 {
            (mix.percent, mix.count) = (100, [0, expected]);
        }
    }
    let network = &mut all.network;
    for rate in [
        &mut network.loss,
        &mut network.duplicate,
        &mut network.reorder,
        &mut network.tail,
    ] {
        if rate.percent > 0 {
            rate.percent = 100;
            rate.ppm[0] = 0;
        }
    }
    let (raft, driver) = (&mut all.raft, &mut all.driver);
    for percent in [
        &mut all.quorum_heal_percent,
        &mut all.skewed_clocks_percent,
        &mut all.later_first_term_percent,
        &mut all.membership_percent,
        &mut all.workload.crash_percent,
        &mut all.workload.fresh_lease_reads_percent,
        &mut all.workload.leases_by_leader_percent,
        &mut network.small_capacity_percent,
        &mut raft.pre_vote_percent,
        &mut raft.check_quorum_percent,
        &mut raft.small_inflight_percent,
        &mut raft.small_messages_percent,
        &mut raft.small_ready_percent,
        &mut raft.batch_append_percent,
        &mut raft.skip_broadcast_commit_percent,
        &mut raft.priorities_percent,
        &mut raft.lease_reads_percent,
        &mut raft.uncommitted_limit_percent,
        &mut raft.group_commit_percent,
        &mut driver.asynchronous_percent,
        &mut driver.large_batches_percent,
        &mut driver.batched_inputs_percent,
        &mut driver.apply_lag_percent,
        &mut driver.background_install_percent,
        &mut driver.background_build_percent,
        &mut driver.background_fetch_percent,
        &mut driver.other_orders_percent,
        &mut driver.reused_read_context_percent,
        &mut driver.burst_ticks_percent,
    ] {
        // What a profile never has, or always has, stays so.
        if (1..100).contains(percent) {
            *percent = 50;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::plan::{PlanSpace, builtin_profiles};

    fn space(profile: &Profile) -> PlanSpace<'_> {
        PlanSpace {
            subject: "raft-rs",
            command: None,
            supports: squall_core::options::Feature::ALL,
            own: squall_core::own::Own::default(),
            profile,
        }
    }

    #[test]
    fn swarm_is_what_a_seed_says() {
        let profile = Profile::load("storm").unwrap();
        let plan = Swarm::over(space(&profile)).plan(7);
        assert_eq!(plan, PlanSpace::new("raft-rs", &profile).draw(7));
    }

    /// What is rare in a profile is no more rare in its uniform plans.
    #[test]
    fn uniform_plans_have_large_batches_as_often_as_small_ones() {
        let mut profile = Profile::load("storm").unwrap();
        profile.driver.large_batches_percent = 5;
        let uniform = Uniform::over(space(&profile));
        let batches = (0..400).map(|seed| uniform.plan(seed).driver.inputs_per_ready);
        let batches: Vec<u32> = batches.filter(|inputs| *inputs > 1).collect();
        let large = batches.iter().filter(|inputs| **inputs > 16).count();
        let share = 100 * large / batches.len();
        assert!((35..=65).contains(&share), "{large} of {}", batches.len());
    }

    #[test]
    fn uniform_plans_are_valid_and_have_more_kinds_of_fault_each() {
        for (name, _) in builtin_profiles() {
            let profile = Profile::load(name).unwrap();
            let uniform = Uniform::over(space(&profile));
            for seed in 0..20 {
                let plan = uniform.plan(seed);
                assert_eq!(plan.validate(), Ok(()), "{name}, seed {seed}");
            }
        }
        let profile = Profile::load("storm").unwrap();
        let kinds = |plan: &Plan| {
            let mut kinds: Vec<_> = plan
                .faults
                .iter()
                .map(|fault| std::mem::discriminant(&fault.what))
                .collect();
            kinds.sort_by_key(|kind| format!("{kind:?}"));
            kinds.dedup();
            kinds.len()
        };
        let sum = |strategy: &dyn Strategy| -> usize {
            (0..200).map(|seed| kinds(&strategy.plan(seed))).sum()
        };
        let swarm = sum(&Swarm::over(space(&profile)));
        let uniform = sum(&Uniform::over(space(&profile)));
        assert!(uniform * 4 > swarm * 5, "{uniform} against {swarm}");
    }
}

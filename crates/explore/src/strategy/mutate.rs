//! Mutation: a plan that is a little different, and still one that its profile could have drawn.
//!
//! What belongs together stays together: who is in the cluster, the options that known defects of
//! a library hang on, changes of membership and what rots. Those a mutant has from one plan
//! whole. Everything else may be added, dropped, moved, repeated, or taken from another plan.

use super::pct;
use squall_core::ids::NodeId;
use squall_core::options::Persistence;
use squall_core::plan::{Fault, Plan, When};
use squall_world::rng::Choices;

/// Changes that one mutant may come by.
const MOST_CHANGES: u64 = 6;

/// Attempts at a mutant that can be run.
const ATTEMPTS: u64 = 16;

/// Faults that a mutant may have.
const MOST_FAULTS: usize = 200;

/// One way to change a plan.
type Change = fn(&mut Mutation<'_>);

const CHANGES: &[Change] = &[
    |it| it.reseed(),
    |it| it.drop_faults(),
    |it| it.add_faults(),
    |it| it.add_faults(),
    |it| it.retime(),
    |it| it.retime(),
    |it| it.retarget(),
    |it| it.stretch(),
    |it| it.change_ordinal(),
    |it| it.repeat(),
    |it| it.splice(),
    |it| it.take_option(),
    |it| it.reschedule(),
    |it| it.change_length(),
];

/// Those that hold up no message and stop no clock.
const GENTLE: &[Change] = &[|it| it.reseed(), |it| it.drop_faults()];

/// A mutant of `parent`, which may take from the `others`: a fresh plan and one that is kept, both
/// of the same profile and for the same subject. The same choices give the same mutant.
///
/// It is valid, and has what its profile leaves out no more than they have.
pub fn mutate(parent: &Plan, others: [&Plan; 2], choices: &mut Choices) -> Plan {
    for _ in 0..ATTEMPTS {
        let mut mutation = Mutation {
            plan: parent.clone(),
            others,
            choices,
        };
        // Other draws, most often: the same ones lead to the same states until the first change.
        if mutation.choices.below(4) > 0 {
            mutation.reseed();
        }
        let promised = parent.raft.lease_reads && parent.workload.fresh_lease_reads;
        let changes = if promised { GENTLE } else { CHANGES };
        for _ in 0..mutation.choices.skewed(1, MOST_CHANGES) {
            let change = mutation.choices.pick(changes);
            change(&mut mutation);
        }
        let mut plan = mutation.plan;
        plan.faults.truncate(MOST_FAULTS);
        if plan != *parent && plan.validate().is_ok() {
            return plan;
        }
    }
    Plan {
        seed: choices.word(),
        ..parent.clone()
    }
}

struct Mutation<'a> {
    plan: Plan,
    others: [&'a Plan; 2],
    choices: &'a mut Choices,
}

impl Mutation<'_> {
    /// The place of a fault for which `fits`.
    fn place(&mut self, fits: impl Fn(&Fault) -> bool) -> Option<usize> {
        let faults = self.plan.faults.iter().enumerate();
        let places: Vec<usize> = faults
            .filter(|(_, fault)| fits(fault))
            .map(|(place, _)| place)
            .collect();
        (!places.is_empty()).then(|| *self.choices.pick(&places))
    }

    fn time(&mut self) -> u64 {
        self.choices.below(self.plan.heal_us.max(1))
    }

    // ---- the changes ------------------------------------------------------------

    /// Other draws of everything that the plan leaves to chance.
    fn reseed(&mut self) {
        self.plan.seed = self.choices.word();
    }

    fn drop_faults(&mut self) {
        let faults = &mut self.plan.faults;
        let most = (faults.len() as u64).div_ceil(2);
        for _ in 0..self.choices.skewed(most.min(1), most) {
            let place = self.choices.below(faults.len() as u64) as usize;
            faults.remove(place);
        }
    }

    /// Adds faults of another plan.
    fn add_faults(&mut self) {
        let from = *self.choices.pick(&self.others);
        let mut faults = self.adapted(from);
        self.choices.shuffle(&mut faults);
        faults.truncate(self.choices.between(1, 8) as usize);
        self.plan.faults.extend(faults);
    }

    /// Has its own faults up to some time, and those of another plan from then on, or the reverse.
    fn splice(&mut self) {
        let other = *self.choices.pick(&self.others);
        let cut_us = self.time();
        let early = self.choices.below(2) == 0;
        let stays = |fault: &Fault| match fault.when {
            When::AtUs(at_us) => (at_us < cut_us) == early,
            _ => true,
        };
        let faults = self.adapted(other);
        self.plan
            .faults
            .retain(|fault| !fault.what.is_free() || stays(fault));
        let comes = |fault: &Fault| match fault.when {
            When::AtUs(at_us) => (at_us < cut_us) != early,
            _ => false,
        };
        self.plan.faults.extend(faults.into_iter().filter(comes));
    }

    /// The faults of another plan that stand for themselves, made to fit.
    fn adapted(&self, from: &Plan) -> Vec<Fault> {
        let nodes = self.plan.cluster.nodes();
        let heal_us = u128::from(self.plan.heal_us);
        let scale =
            |at_us: u64| (u128::from(at_us) * heal_us / u128::from(from.heal_us.max(1))) as u64;
        let free = from
            .faults
            .iter()
            .filter(|fault| fault.what.is_free())
            .cloned();
        free.map(|mut fault| {
            if let When::AtUs(at_us) = &mut fault.when {
                *at_us = scale(*at_us);
            }
            fault.rename(|node| NodeId((node.0 - 1) % nodes + 1));
            fault
        })
        .collect()
    }

    /// Lets a fault strike at another time: any, or close to another fault.
    fn retime(&mut self) {
        let Some(place) = self.place(|fault| matches!(fault.when, When::AtUs(_))) else {
            return;
        };
        let near = self.place(|fault| matches!(fault.when, When::AtUs(_)));
        let spread_us = self.choices.skewed(1, 2 * self.plan.election_us());
        let at_us = match (self.choices.below(3), near) {
            (0, _) | (_, None) => self.time(),
            (_, Some(near)) => {
                let When::AtUs(at_us) = self.plan.faults[near].when else {
                    return;
                };
                // Of itself too: a little earlier or later.
                match self.choices.below(2) {
                    0 => at_us + spread_us,
                    _ => at_us.saturating_sub(spread_us),
                }
            }
        };
        self.plan.faults[place].when = When::AtUs(at_us.min(self.plan.heal_us));
    }

    /// Lets a fault hit other nodes: two of them change places in it.
    fn retarget(&mut self) {
        let nodes = self.plan.nodes();
        let (one, two) = (*self.choices.pick(&nodes), *self.choices.pick(&nodes));
        let swap = |node: NodeId| match node {
            _ if node == one => two,
            _ if node == two => one,
            _ => node,
        };
        if let Some(place) = self.place(|fault| fault.what.is_free()) {
            self.plan.faults[place].rename(swap);
        }
    }

    /// Makes a fault last longer or shorter.
    fn stretch(&mut self) {
        let Some(place) = self.place(|fault| fault.what.is_free()) else {
            return;
        };
        let longest_us = 8 * self.plan.election_us();
        for span_us in self.plan.faults[place].what.spans() {
            *span_us = match self.choices.below(4) {
                0 => *span_us / 2,
                1 => *span_us * 2,
                2 => *span_us / 8,
                _ => self.choices.skewed(1, longest_us),
            };
        }
    }

    /// Lets a fault that waits for an ordinal event wait for another.
    fn change_ordinal(&mut self) {
        let Some(place) = self.place(|fault| { fault.when }.nth().is_some()) else {
            return;
        };
        let Some(nth) = self.plan.faults[place].when.nth() else {
            return;
        };
        let now = u64::from(*nth);
        let other = match self.choices.below(3) {
            0 => now + self.choices.between(1, 3),
            1 => now.saturating_sub(self.choices.between(1, 3)),
            _ => self.choices.skewed(1, 2 * now + 8),
        };
        *nth = other.clamp(1, 1_000_000) as u32;
    }

    /// Lets a fault strike once more.
    fn repeat(&mut self) {
        let Some(place) = self.place(|fault| fault.what.is_free()) else {
            return;
        };
        let mut again = self.plan.faults[place].clone();
        let by = self.choices.skewed(1, 4 * self.plan.election_us());
        match &mut again.when {
            When::AtUs(at_us) => *at_us = (*at_us + by).min(self.plan.heal_us),
            when => {
                if let Some(nth) = when.nth() {
                    *nth = nth.saturating_add(self.choices.between(1, 8) as u32);
                }
            }
        }
        self.plan.faults.push(again);
    }

    /// Takes an option from a fresh plan: one of those that nothing else hangs on.
    fn take_option(&mut self) {
        let donor = *self.choices.pick(&self.others);
        let plan = &mut self.plan;
        match self.choices.below(16) {
            0 => plan.network = donor.network,
            1 => plan.disk = donor.disk,
            2 => {
                let kept = plan.workload;
                plan.workload = donor.workload;
                plan.workload.fresh_lease_reads = kept.fresh_lease_reads;
                plan.workload.settings_stay = kept.settings_stay;
                plan.workload.lease_us = kept.lease_us;
            }
            3 => plan.workload.reads_percent = donor.workload.reads_percent,
            4 => plan.workload.locks_percent = donor.workload.locks_percent,
            5 => plan.raft.max_inflight_messages = donor.raft.max_inflight_messages,
            6 => plan.raft.max_committed_size_per_ready = donor.raft.max_committed_size_per_ready,
            7 => {
                plan.raft.max_size_per_message = donor.raft.max_size_per_message;
                plan.raft.max_uncommitted_size = donor.raft.max_uncommitted_size;
            }
            8 => plan.raft.skip_broadcast_commit = donor.raft.skip_broadcast_commit,
            // These two go one way only: how many voters may be removed hangs on them, with a
            // library that has trouble where one is left.
            9 if donor.driver.persistence == Persistence::Synchronous => {
                plan.driver.persistence = Persistence::Synchronous;
            }
            9 => plan.driver.send_after_sync |= donor.driver.send_after_sync,
            10 => plan.driver.apply_lag_us = donor.driver.apply_lag_us,
            11 => plan.driver.fetch_us = donor.driver.fetch_us,
            12 => plan.driver.snapshot_build_us = donor.driver.snapshot_build_us,
            13 => {
                plan.driver.snapshot_every_bytes = donor.driver.snapshot_every_bytes;
                plan.driver.keep_entries = donor.driver.keep_entries;
            }
            14 => plan.driver.missed_ticks = donor.driver.missed_ticks,
            _ => {
                plan.driver.acknowledge_newest = donor.driver.acknowledge_newest;
                plan.driver.own = donor.driver.own.clone();
            }
        }
    }

    /// Gives links priorities, other ones, or none.
    fn reschedule(&mut self) {
        self.plan.schedule = match self.choices.below(3) {
            0 => None,
            _ if pct::may_hold_up(&self.plan) => Some(pct::draw(&self.plan, self.choices)),
            _ => None,
        };
    }

    /// Lets the storm last longer or end earlier.
    fn change_length(&mut self) {
        let patience_us = self.plan.end_us - self.plan.heal_us;
        let heal_us = self.plan.heal_us;
        let donor = *self.choices.pick(&self.others);
        let ticks = donor.heal_us / donor.cluster.tick_us;
        self.plan.heal_us = match self.choices.below(2) {
            0 => heal_us / 2,
            _ => ticks * self.plan.cluster.tick_us,
        }
        .max(1);
        self.plan.end_us = self.plan.heal_us + patience_us;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::plan::{PlanSpace, Profile, builtin_profiles};

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn mutants_are_valid_over_many_generations(seed: u64, profile in 0..builtin_profiles().len()) {
            let profile = Profile::load(builtin_profiles()[profile].0).unwrap();
            let fresh = |seed| PlanSpace::new("raft-rs", &profile).draw(seed);
            let mut choices = Choices::labelled(seed, "mutants", 0);
            let (mut plan, mut other) = (fresh(seed), fresh(!seed));
            for _ in 0..32 {
                let donor = fresh(choices.word());
                let mut again = choices.clone();
                let mutant = mutate(&plan, [&donor, &other], &mut choices);
                proptest::prop_assert_eq!(mutant.validate(), Ok(()));
                proptest::prop_assert_eq!(&mutant, &mutate(&plan, [&donor, &other], &mut again));
                proptest::prop_assert_ne!(&mutant, &plan);
                proptest::prop_assert_eq!(&mutant.cluster, &plan.cluster);
                // The knobs of findings count on what the generator chose.
                let (was, is) = (&plan.driver, &mutant.driver);
                proptest::prop_assert!(is.send_after_sync || !was.send_after_sync);
                let synchronous = Persistence::Synchronous;
                proptest::prop_assert!(is.persistence == synchronous || was.persistence != synchronous);
                proptest::prop_assert_eq!(is.inputs_per_ready, was.inputs_per_ready);
                other = std::mem::replace(&mut plan, mutant);
            }
        }
    }

    #[test]
    fn every_change_comes_about() {
        let profile = Profile::load("storm").unwrap();
        let fresh = |seed| PlanSpace::new("raft-rs", &profile).draw(seed);
        let mut changed = [0; 7];
        for seed in 0..400 {
            let mut choices = Choices::labelled(seed, "mutants", 0);
            let plan = fresh(seed);
            let mutant = mutate(&plan, [&fresh(seed + 1), &fresh(seed + 2)], &mut choices);
            for (count, differs) in changed.iter_mut().zip([
                mutant.seed != plan.seed,
                mutant.faults.len() > plan.faults.len(),
                mutant.faults.len() < plan.faults.len(),
                mutant.schedule.is_some(),
                mutant.heal_us != plan.heal_us,
                mutant.driver != plan.driver || mutant.raft != plan.raft,
                mutant.network != plan.network || mutant.workload != plan.workload,
            ]) {
                *count += usize::from(differs);
            }
        }
        assert!(changed.iter().all(|count| *count > 10), "{changed:?}");
    }
}

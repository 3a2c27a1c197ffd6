//! PCT: what goes wrong is drawn as in swarm, and whose messages go first by priority, in place of
//! chance.

use super::Strategy;
use squall_core::plan::{Demotion, Link, Plan, PlanSpace, Schedule};
use squall_world::rng::Choices;

/// Bugs that need up to so many orderings are aimed at: with depth d, priorities change d - 1
/// times.
const DEEPEST: u64 = 5;

/// Messages that a run sends, about, among which priorities change: the order of magnitude is
/// drawn.
const MESSAGES: [u64; 2] = [16, 4_096];

/// Priority-based scheduling of message deliveries (Burckhardt et al., ASPLOS 2010).
pub struct Pct<'a> {
    space: PlanSpace<'a>,
}

impl<'a> Pct<'a> {
    /// Over these plans.
    pub fn over(space: PlanSpace<'a>) -> Self {
        Self { space }
    }
}

impl Strategy for Pct<'_> {
    fn plan(&self, seed: u64) -> Plan {
        let mut plan = self.space.draw(seed);
        if may_hold_up(&plan) {
            let mut choices = Choices::labelled(seed, "pct", 0);
            plan.schedule = Some(draw(&plan, &mut choices));
            // The schedule says who is late.
            plan.network.tail_ppm = 0;
            plan.network.reorder_ppm = 0;
        }
        plan
    }
}

/// Whether messages of the plan may be late: they may not where reads by lease are promised to be
/// fresh.
pub(super) fn may_hold_up(plan: &Plan) -> bool {
    let promised = plan.raft.lease_reads && plan.workload.fresh_lease_reads;
    plan.nodes().len() > 1 && !promised
}

/// A schedule for the plan: every link has a priority, and some fall behind in the course of the
/// run.
pub(super) fn draw(plan: &Plan, choices: &mut Choices) -> Schedule {
    let nodes = plan.nodes();
    let mut links: Vec<Link> = nodes
        .iter()
        .flat_map(|from| {
            nodes.iter().map(|to| Link {
                from: *from,
                to: *to,
            })
        })
        .filter(|link| link.from != link.to)
        .collect();
    choices.shuffle(&mut links);
    let depth = choices.between(1, DEEPEST);
    let most = choices.between(MESSAGES[0].ilog2().into(), MESSAGES[1].ilog2().into());
    let mut demotions: Vec<Demotion> = (1..depth)
        .map(|_| Demotion {
            nth: choices.between(1, 1 << most),
            link: *choices.pick(&links),
        })
        .collect();
    demotions.sort_by_key(|demotion| demotion.nth);
    // From the last to the first priority it is a part of a tick, or some election time-outs.
    let spread_us = choices.skewed(plan.cluster.tick_us / 2, 4 * plan.election_us());
    Schedule {
        step_us: (spread_us / links.len() as u64).max(1),
        links,
        demotions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::plan::Profile;

    #[test]
    fn plans_are_valid_and_nearly_all_have_a_schedule() {
        let profile = Profile::load("storm").unwrap();
        let pct = Pct::over(PlanSpace {
            subject: "raft-rs",
            command: None,
            supports: squall_core::options::Feature::ALL,
            own: squall_core::own::Own::default(),
            profile: &profile,
        });
        let plans: Vec<Plan> = (0..200).map(|seed| pct.plan(seed)).collect();
        for plan in &plans {
            assert_eq!(plan.validate(), Ok(()), "seed {}", plan.seed);
            assert_eq!(*plan, pct.plan(plan.seed));
        }
        let scheduled = plans.iter().filter_map(|plan| plan.schedule.as_ref());
        assert!(scheduled.clone().count() > 100);
        assert!(scheduled.clone().any(|one| one.demotions.is_empty()));
        assert!(scheduled.clone().any(|one| one.demotions.len() >= 4));
    }
}

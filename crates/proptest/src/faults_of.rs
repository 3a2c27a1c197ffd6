//! Faults of any one kind, without a strategy of its own: they are drawn as Squall's profile
//! `storm` draws them, and shrink as Squall's shrinker makes them simpler.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::TestRunner;

use super::faults::{Faults, STORM_US};
use super::{Count, DEFAULT_SUBJECT};
use squall_core::plan::{Fault, FaultKind, Plan, PlanSpace, Profile, draw_fault};

/// Faults of this kind. Kinds that have a strategy of their own in this crate shrink better by
/// that.
///
/// # Panics
/// For changes of the configuration, which follow one another: see [`super::changes`]. For replaced
/// disks, which take such changes and a cluster that began with a snapshot: profiles draw them.
pub fn faults_of(kind: FaultKind, count: impl Into<Count>) -> Faults {
    assert!(kind != FaultKind::Change, "see squall_proptest::changes");
    assert!(
        kind != FaultKind::ReplaceDisk,
        "disks are replaced in clusters that begin with a snapshot: see the profile membership"
    );
    Faults(vec(OfKind(kind), count).sboxed())
}

/// What faults are drawn for: five nodes, and a storm as long as those of the other strategies.
static FOR: LazyLock<(Profile, Plan)> = LazyLock::new(|| {
    let profile = Profile::load("storm").expect("a built-in profile");
    let mut plan = PlanSpace::new(DEFAULT_SUBJECT, &profile).draw(0);
    (plan.cluster.voters, plan.cluster.learners) = (5, 0);
    plan.cluster.spares = 0;
    plan.heal_us = STORM_US;
    (profile, plan)
});

#[derive(Debug)]
struct OfKind(FaultKind);

impl Strategy for OfKind {
    type Tree = Simpler;
    type Value = Fault;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let (profile, plan) = &*FOR;
        let seed = runner.rng().random();
        match draw_fault(self.0, seed, profile, plan) {
            Some(fault) => Ok(Simpler {
                best: fault.clone(),
                now: fault,
                others: Vec::new().into_iter(),
            }),
            None => Err(format!("no {:?} among five nodes", self.0).into()),
        }
    }
}

/// A fault that becomes simpler by one thing at a time.
#[derive(Debug)]
struct Simpler {
    /// The simplest that is known to fail.
    best: Fault,
    now: Fault,
    /// Simpler than the best, and not tried yet.
    others: std::vec::IntoIter<Fault>,
}

impl ValueTree for Simpler {
    type Value = Fault;

    fn current(&self) -> Fault {
        self.now.clone()
    }

    fn simplify(&mut self) -> bool {
        self.best = self.now.clone();
        self.others = self.best.simpler().into_iter();
        self.complicate()
    }

    fn complicate(&mut self) -> bool {
        let next = self.others.next();
        let goes_on = next.is_some();
        self.now = next.unwrap_or_else(|| self.best.clone());
        goes_on
    }
}

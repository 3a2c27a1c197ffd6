//! Who is healed after the storm, where only a bare majority is to be.

use squall_core::counters::Counter;

use squall_core::engine::Observer;
use squall_core::plan::Plan;

use super::support::{root, seeds, sweep};

/// The leader that is gone had begun a change, and what it sent of that arrives after the storm.
#[test]
fn what_is_under_way_from_who_is_gone_is_reckoned_with() {
    let path = root().join("sims/regressions/change-under-way-from-who-is-gone.json");
    let plan = Plan::read(&path).unwrap();
    let subject = squall::subject(&plan.subject).unwrap();
    let outcome = subject.runner.run(&plan, Observer::default());
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.counters.get(Counter::ConvergenceNotJudged), 0);
    assert_eq!(outcome.counters.get(Counter::Converged), 1);
}

#[test]
fn a_bare_majority_goes_on_while_a_change_is_open() {
    for subject in ["raft-rs", "noraft"] {
        let swept = sweep(subject, "joint", seeds(128), 2);
        assert!(swept.findings.is_empty(), "{:?}", swept.findings);
        let times = |event| swept.counters.get(event);
        let few = times(Counter::HealedQuorum);
        let changing = times(Counter::HealedQuorumInChange);
        assert!(few > 15, "{subject}: {few} bare majorities");
        assert!(changing > 2, "{subject}: {changing} with a change open");
        // Nearly every run is judged all the same.
        let unjudged = times(Counter::ConvergenceNotJudged);
        assert!(unjudged <= few / 20, "{subject}: {unjudged} of {few}");
    }
}

//! openraft under the storm: clean, the same in every run, and its findings are still there.

use std::path::Path;

use squall_core::engine::Observer;
use squall_core::invariants::Property;
use squall_core::plan::{Plan, Profile};
use squall_core::registry::RegisteredSubject;

fn subject(name: &str) -> RegisteredSubject {
    let mut all = squall_openraft::subjects().into_iter();
    all.find(|subject| subject.name == name).unwrap()
}

#[test]
fn it_stands_the_storm_and_runs_are_repeatable() {
    let profile = Profile::load("portfolio").unwrap();
    for name in ["openraft", "openraft-adv"] {
        let subject = subject(name);
        for seed in 0..120 {
            let plan = subject.plans(&profile).draw(seed);
            let outcome = subject.runner.run(&plan, Observer::default());
            assert_eq!(outcome.failure, None, "{name}, seed {seed}");
            if seed % 4 == 0 {
                let again = subject.runner.run(&plan, Observer::default());
                assert_eq!(outcome.digest, again.digest, "{name}, seed {seed}");
            }
        }
    }
}

#[test]
fn each_finding_shows_with_its_option_and_not_without() {
    let subject = subject("openraft");
    let findings = [
        ("transfer-that-nobody-takes", Property::Liveness),
        ("change-asked-of-a-removed-leader", Property::NoPanic),
        (
            "snapshot-acknowledged-before-the-log",
            Property::AckBeforeDurable,
        ),
        ("lease-of-a-removed-leader", Property::Linearizability),
        ("snapshot-behind-the-log", Property::NoPanic),
        ("snapshot-over-changes-that-disagree", Property::NoPanic),
    ];
    let own = subject.runner.own();
    assert_eq!(own.issues.len(), findings.len());
    for (name, property) in findings {
        let file = format!("findings/{name}.json");
        let mut plan = Plan::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let outcome = subject.runner.run(&plan, Observer::default());
        let failure = outcome.failure.unwrap_or_else(|| panic!("{name} is gone"));
        assert_eq!(failure.violation.property(), property, "{name}");
        own.leave_out(|_| false, &mut plan.raft, &mut plan.driver);
        let outcome = subject.runner.run(&plan, Observer::default());
        assert_eq!(outcome.failure, None, "{name} without its option");
    }
}

#[test]
fn a_log_that_a_snapshot_has_replaced_may_come_back_and_go_again() {
    // The disk loses that the log was given up, and keeps the snapshot: recovery gives it up again.
    let file = "regressions/log-given-up-twice.json";
    let plan = Plan::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let subject = subject("openraft-adv");
    let outcome = subject.runner.run(&plan, Observer::default());
    assert_eq!(outcome.failure, None);
}

//! The shrinker: what it makes of plans that fail.

use std::sync::atomic::AtomicBool;

use squall::plan::{Plan, Profile, generate};
use squall::shrink::{Clean, Shrinker, Shrunk};
use squall::subject;

use super::support::quiet_plan;

fn shrink(plan: &Plan) -> Result<Shrunk, Clean> {
    let subject = subject::find(&plan.subject).unwrap();
    let stop = AtomicBool::new(false);
    let shrinker = Shrinker {
        subject: &subject,
        jobs: 1,
        time_limit: None,
        stop: &stop,
    };
    shrinker.run(plan, &mut |_| ())
}

#[test]
fn a_plan_that_does_not_fail_is_not_shrunk() {
    let clean = shrink(&quiet_plan(3)).unwrap_err();
    assert!(
        clean.to_string().starts_with("the plan does not fail: "),
        "{clean}"
    );
}

#[test]
fn a_stopped_shrinker_has_the_best_so_far() {
    let profile = Profile::load("storm").unwrap();
    let plan = generate(0, "raft-rs+skip-fsync", &[], &profile);
    let subject = subject::find(&plan.subject).unwrap();
    let stop = AtomicBool::new(true);
    let shrinker = Shrinker {
        subject: &subject,
        jobs: 1,
        time_limit: None,
        stop: &stop,
    };
    let shrunk = shrinker.run(&plan, &mut |_| ()).unwrap();
    assert_eq!(shrunk.plan, plan);
    assert_eq!(shrunk.ended, squall::shrink::Ended::Interrupted);
}

//! Each injected bug shows, by the check that is named for it.

use squall_core::bugs::{Bug, Tamper};
use squall_core::engine::Observer;
use squall_core::plan::Profile;
use squall_openraft::{OneLeaderATerm, Openraft};

/// How many plans of the bug's profile are run for it, at most.
const MOST: u64 = 1_000;

/// They take minutes in a build that is not optimised.
#[test]
#[ignore = "long: cargo test --release --package squall-openraft --test bugs -- --ignored --nocapture"]
fn each_injected_bug_is_found_by_its_check() {
    let subjects = squall_openraft::subjects();
    let mut missed = Vec::new();
    for bug in Bug::ALL.iter().copied() {
        let name = format!("openraft+{}", bug.name());
        let subject = subjects.iter().find(|subject| subject.name == name);
        assert_eq!(
            subject.is_some(),
            Openraft::<OneLeaderATerm>::can(bug),
            "{name}"
        );
        let Some(subject) = subject else { continue };
        let profile = Profile::load(bug.profile()).unwrap();
        let plans = subject.plans(&profile);
        let property = Openraft::<OneLeaderATerm>::caught_by(bug);
        let found = (0..MOST).find_map(|seed| {
            let outcome = subject.runner.run(&plans.draw(seed), Observer::default());
            Some((seed, outcome.failure?.violation.property()))
        });
        match found {
            Some((seed, broken)) if broken == property => {
                println!("{:<34} seed {seed:>4}: {}", bug.name(), property.name());
            }
            Some((seed, broken)) => {
                println!(
                    "{:<34} seed {seed:>4}: {}, not {}",
                    bug.name(),
                    broken.name(),
                    property.name()
                );
                missed.push(bug.name());
            }
            None => {
                println!("{:<34} not in {MOST} plans", bug.name());
                missed.push(bug.name());
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

/// Those that show soonest, so that any build of the tests sees that injection works at all.
#[test]
fn an_injected_bug_is_found() {
    let subjects = squall_openraft::subjects();
    for bug in [Bug::SkipFsync, Bug::GrantAnyVote, Bug::ApplyRetries] {
        let name = format!("openraft+{}", bug.name());
        let subject = subjects
            .iter()
            .find(|subject| subject.name == name)
            .unwrap();
        let profile = Profile::load(bug.profile()).unwrap();
        let plans = subject.plans(&profile);
        let found = (0..30).find_map(|seed| {
            let outcome = subject.runner.run(&plans.draw(seed), Observer::default());
            Some(outcome.failure?.violation.property())
        });
        assert_eq!(
            found,
            Some(Openraft::<OneLeaderATerm>::caught_by(bug)),
            "{name}"
        );
    }
}

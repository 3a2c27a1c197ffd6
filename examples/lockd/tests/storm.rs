//! lockd under the storm in simulation: `cargo madsim test --package lockd --test storm`.
#![cfg(madsim)]

use std::process::Command;

use lockd::storm::subjects;
use squall::engine::{Outcome, Watch};
use squall::plan::{Plan, Profile, generate};
use squall::sometimes::Event;
use squall::subject::Named;

/// Seeds that lockd as it is stands here; the sweep of `docs/madsim.md` has 5,000.
const SEEDS: u64 = 100;

/// Seeds within which each mistake is found.
const WITHIN: u64 = 600;

const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/storm.toml");

fn plan(subject: &Named, seed: u64) -> Plan {
    let profile = Profile::load(PROFILE).unwrap();
    generate(seed, &subject.name, subject.runner.lacks(), &profile)
}

fn run(subject: &Named, seed: u64) -> Outcome {
    subject.runner.run(&plan(subject, seed), Watch::default())
}

#[test]
fn lockd_stands_the_storm() {
    let honest = &subjects()[0];
    let mut answered = 0;
    for seed in 0..SEEDS {
        let outcome = run(honest, seed);
        assert_eq!(outcome.failure, None, "seed {seed}");
        answered += outcome.counters.get(Event::CommandApplied);
    }
    assert!(answered > 20 * SEEDS, "{answered} answers test nothing");
}

#[test]
fn every_planted_mistake_is_found() {
    for subject in &subjects()[1..] {
        let found = (0..WITHIN).find_map(|seed| Some((seed, run(subject, seed).failure?)));
        let (seed, failure) = found.unwrap_or_else(|| panic!("{} is not found", subject.name));
        println!("{}, seed {seed}: {failure}", subject.name);
    }
}

#[test]
fn a_plan_goes_the_same_way_twice_in_another_thread_and_in_another_process() {
    let honest = &subjects()[0];
    for seed in 0..10 {
        let here = run(honest, seed);
        assert_eq!(here, run(honest, seed), "seed {seed}");
        let there = std::thread::spawn(move || run(&subjects()[0], seed));
        assert_eq!(here, there.join().unwrap(), "seed {seed}");
        let elsewhere = Command::new(env!("CARGO_BIN_EXE_lockd-storm"))
            .args(["replay", "--seed", &seed.to_string(), "--profile", PROFILE])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&elsewhere.stdout);
        let digest = format!("digest {:016x}", here.digest);
        assert!(text.contains(&digest), "seed {seed}: {digest}, and {text}");
    }
}

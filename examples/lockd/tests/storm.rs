//! lockd under the storm in simulation: `cargo madsim test --package lockd --test storm`.
#![cfg(madsim)]

use squall::faults;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use lockd::storm::subjects;
use squall::counters::Counter;
use squall::engine::{Observer, Outcome};
use squall::ids::NodeId;
use squall::plan::{Fault, Plan, Profile, What, When};
use squall::registry::RegisteredSubject;

/// Seeds that lockd as it is stands here; the sweep of `docs/madsim.md` has 5,000.
const SEEDS: u64 = 100;

/// Seeds within which each mistake is found.
const WITHIN: u64 = 600;

const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/storm.toml");

fn plan(subject: &RegisteredSubject, seed: u64) -> Plan {
    let profile = Profile::load(PROFILE).unwrap();
    subject.plans(&profile).draw(seed)
}

fn run(subject: &RegisteredSubject, seed: u64) -> Outcome {
    subject
        .runner
        .run(&plan(subject, seed), Observer::default())
}

#[test]
fn lockd_stands_the_storm() {
    let honest = &subjects()[0];
    let mut answered = 0;
    for seed in 0..SEEDS {
        let outcome = run(honest, seed);
        assert_eq!(outcome.failure, None, "seed {seed}");
        answered += outcome.counters.get(Counter::CommandApplied);
    }
    assert!(answered > 20 * SEEDS, "{answered} answers test nothing");
}

#[test]
fn every_injected_mistake_is_found() {
    for subject in &subjects()[1..] {
        let found = (0..WITHIN).find_map(|seed| Some((seed, run(subject, seed).failure?)));
        let (seed, failure) = found.unwrap_or_else(|| panic!("{} is not found", subject.name));
        println!("{}, seed {seed}: {failure}", subject.name);
    }
}

/// Replays the plan of a seed in another process, and returns what that prints.
fn elsewhere(seed: u64) -> String {
    let replayed = Command::new(env!("CARGO_BIN_EXE_lockd-storm"))
        .args(["replay", "--seed", &seed.to_string(), "--profile", PROFILE])
        .output()
        .unwrap();
    String::from_utf8_lossy(&replayed.stdout).into_owned()
}

#[test]
fn a_plan_goes_the_same_way_in_two_processes_beside_threads_that_take_the_processor() {
    let honest = &subjects()[0];
    let quiet: Vec<Outcome> = (0..10).map(|seed| run(honest, seed)).collect();
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let is_over = AtomicBool::new(false);
    let texts = std::thread::scope(|scope| {
        for _ in 0..2 * processors {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let all = || (0..10).map(elsewhere).collect::<Vec<String>>();
        let both = [scope.spawn(all), scope.spawn(all)];
        let texts = both.map(|one| one.join());
        // Before anything panics, for the scope waits for all of them.
        is_over.store(true, Ordering::Relaxed);
        texts.map(Result::unwrap)
    });
    for text in texts {
        for (seed, (text, quiet)) in text.iter().zip(&quiet).enumerate() {
            let digest = format!("digest {:016x}", quiet.digest);
            assert!(text.contains(&digest), "seed {seed}: {digest}, and {text}");
        }
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
        let text = elsewhere(seed);
        let digest = format!("digest {:016x}", here.digest);
        assert!(text.contains(&digest), "seed {seed}: {digest}, and {text}");
    }
}

#[test]
fn cuts_are_counted_by_the_link() {
    let honest = &subjects()[0];
    let mut plan = plan(honest, 0);
    let others: Vec<NodeId> = plan.nodes().into_iter().skip(1).collect();
    let links = others.len() as u64;
    let at = |at_us, what| Fault {
        when: When::AtUs(at_us),
        what,
    };
    let cut = What::Cut(faults::Cut {
        from: vec![NodeId(1)],
        to: others,
        for_us: 10_000,
    });
    let split = What::Split(faults::Split {
        side: vec![NodeId(1)],
        for_us: 10_000,
    });
    plan.faults = vec![at(100_000, cut), at(200_000, split)];
    let outcome = honest.runner.run(&plan, Observer::default());
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.counters.get(Counter::LinkCut), links + 2 * links);
}

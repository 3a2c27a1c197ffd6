//! The same plan is the same run: twice in a process, in two processes, with one
//! job and with two, and in every build.

use squall_core::engine::Observer;
use squall_core::plan::Profile;
use squall_explore::sweep::find_leak;

use super::support::{draw, squall, stdout, sweep};

/// Subject, profile and the digest of the profile's first 64 seeds, as the repository has them.
/// The file is shared with `.ci/run`, which holds the release build against it.
fn golden() -> Vec<[String; 3]> {
    let text = std::fs::read_to_string(super::support::root().join("tests/golden.txt")).unwrap();
    let words = |line: &str| {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words.try_into().unwrap()
    };
    text.lines().map(words).collect()
}

fn digest(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    value["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_plan_gives_the_same_hash_after_every_step_each_time() {
    let profile = Profile::load("storm").unwrap();
    let names = ["raft-rs", "noraft", "raftbare"];
    for (seed, name) in (0..20).flat_map(|seed| names.map(|name| (seed, name))) {
        let subject = squall::subject(name).unwrap();
        let plan = subject.plans(&profile).draw(seed);
        let mut digests = [Vec::new(), Vec::new()];
        let outcomes = digests.each_mut().map(|digests| {
            subject.runner.run(
                &plan,
                Observer {
                    digests: Some(digests),
                    ..Observer::default()
                },
            )
        });
        assert_eq!(digests[0], digests[1]);
        assert_eq!(outcomes[0], outcomes[1]);
        assert!(find_leak(&subject, &plan, &outcomes[0], None).is_none());
    }
}

#[test]
fn watching_a_run_does_not_change_it() {
    let subject = squall::subject("raft-rs").unwrap();
    let profile = Profile::load("storm").unwrap();
    for seed in 0..5 {
        let plan = draw("raft-rs", &profile, seed);
        let mut lines = 0;
        let mut count = |_| lines += 1;
        let watch = Observer {
            lines: Some(&mut count),
            library_log: true,
            ..Observer::default()
        };
        assert_eq!(
            subject.runner.run(&plan, watch),
            subject.runner.run(&plan, Observer::default())
        );
        assert!(lines > 100);
    }
}

#[test]
fn a_sweep_has_the_same_digest_with_one_job_and_with_two() {
    let [one, two] = [1, 2].map(|jobs| sweep("raft-rs", "storm", 100, jobs));
    assert_eq!(one.digest, two.digest);
    assert_eq!(one.counters, two.counters);
    assert_eq!(one.double_runs, 1);
}

#[test]
fn a_sweep_that_stops_at_a_violation_runs_the_same_seeds_with_any_number_of_jobs() {
    let out = tempfile::tempdir().unwrap();
    let [one, two] = ["1", "2"].map(|jobs| {
        let out = out.path().to_str().unwrap();
        let subject = "raft-rs+lie-about-sync";
        let run = squall(&[
            "sweep",
            "--subject",
            subject,
            "--jobs",
            jobs,
            "--out",
            out,
            "--json",
            "-",
        ]);
        let mut json: serde_json::Value = serde_json::from_str(&stdout(&run)).unwrap();
        for measured in ["cpu_seconds", "wall_seconds", "steps_per_cpu_second"] {
            json[measured] = 0.into();
        }
        json
    });
    assert_eq!(one, two);
    assert_eq!(one["verdict"], "violation");
}

#[test]
fn every_process_and_every_build_gets_the_digests_in_the_repository() {
    for [subject, profile, expected] in golden() {
        let run = squall(&[
            "sweep",
            "--subject",
            &subject,
            "--profile",
            &profile,
            "--seeds",
            "64",
            "--json",
            "-",
        ]);
        assert_eq!(
            digest(&stdout(&run)),
            expected,
            "{subject} {profile}: if a change of behaviour is meant, change tests/golden.txt"
        );
    }
}

#[test]
fn a_run_that_is_not_the_same_twice_is_named_with_its_first_differing_step() {
    use squall_core::engine::Outcome;
    use squall_core::plan::Plan;
    use squall_core::registry::{RegisteredSubject, Runner};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A subject whose every run has another seed: the worst of leaks.
    struct Leaky(AtomicU64);
    impl Runner for Leaky {
        fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
            let mut plan = plan.clone();
            plan.seed += self.0.fetch_add(1, Ordering::Relaxed);
            squall::subject("raft-rs").unwrap().runner.run(&plan, watch)
        }

        fn supports(&self) -> &'static [squall_core::options::Feature] {
            squall_core::options::Feature::ALL
        }

        fn own(&self) -> squall_core::own::Own {
            squall_core::own::Own::default()
        }
    }
    let leaky = RegisteredSubject::new("leaky", "", Leaky(AtomicU64::new(0)));
    let plan = super::support::quiet_plan(3);
    let before = leaky.runner.run(&plan, Observer::default());
    let leak = find_leak(&leaky, &plan, &before, None).expect("the runs differ");
    assert_eq!(leak.seed, plan.seed);
    assert!(leak.step.is_some_and(|step| step >= 1));
    assert!(leak.first != leak.second);
}

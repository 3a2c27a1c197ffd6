//! Strategies, and what guided sweeps keep, through the public way in.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use squall_core::coverage::Coverage;
use squall_core::engine::Observer;
use squall_core::plan::{Plan, Profile};
use squall_explore::shard::Shard;
use squall_explore::shrink::Shrinker;
use squall_explore::strategy::{Kind, Pct, Strategy as _};
use squall_explore::sweep::{Summary, Sweep};

use super::support::{draw, quiet_plan, squall, stderr, stdout};

fn sweep(kind: Kind, subject: &str, runs: u64, jobs: usize, corpus: Vec<Plan>) -> Summary {
    let subject = squall::subject(subject).unwrap();
    let profile = Profile::load("storm").unwrap();
    let sweep = Sweep {
        subject: &subject,
        profile: &profile,
        strategy: kind,
        coverage: true,
        corpus,
        seeds: 0..runs,
        shard: Shard::WHOLE,
        jobs,
        time_limit: None,
        keep_going: true,
        stop: &AtomicBool::new(false),
        lookout: None,
    };
    sweep.run(|_| {})
}

fn covered(summary: &Summary) -> (u64, u64) {
    let map = summary.coverage.as_ref().unwrap();
    (map.states(), map.transitions())
}

#[test]
fn every_strategy_does_the_same_again_whatever_the_jobs() {
    for kind in Kind::ALL {
        let once = sweep(*kind, "raft-rs", 100, 1, Vec::new());
        let again = sweep(*kind, "raft-rs", 100, 2, Vec::new());
        assert_eq!(once.digest, again.digest, "{kind:?}");
        assert_eq!(covered(&once), covered(&again), "{kind:?}");
        assert!(once.findings.is_empty(), "{kind:?}: {:?}", once.findings);
        assert!(covered(&once).1 > 1_000, "{kind:?}");
    }
}

#[test]
fn a_guided_sweep_makes_plans_from_others_and_they_replay() {
    let summary = sweep(Kind::Guided, "raft-rs+grant-any-vote", 250, 2, Vec::new());
    let made = |finding: &&squall_explore::sweep::Finding| finding.plan.seed != finding.seed;
    let finding = summary.findings.iter().find(made).unwrap();
    let subject = squall::subject("raft-rs+grant-any-vote").unwrap();
    let plan: Plan = serde_json::from_str(&finding.plan.to_json()).unwrap();
    let outcome = subject.runner.run(&plan, Observer::default());
    assert_eq!(outcome.failure.as_ref(), Some(&finding.failure));
}

#[test]
fn coverage_changes_no_run() {
    let profile = Profile::load("storm").unwrap();
    let subject = squall::subject("raft-rs").unwrap();
    for seed in 0..40 {
        let plan = draw("raft-rs", &profile, seed);
        let mut coverage = Coverage::new(plan.nodes().len());
        let watch = Observer {
            coverage: Some(&mut coverage),
            ..Observer::default()
        };
        let watched = subject.runner.run(&plan, watch);
        assert_eq!(watched, subject.runner.run(&plan, Observer::default()));
        assert!(coverage.trail().transitions.len() > 10, "seed {seed}");
    }
}

#[test]
fn a_schedule_replays_from_its_file_decides_who_is_late_and_shrinks_away() {
    let profile = Profile::load("storm").unwrap();
    let subject = squall::subject("raft-rs+grant-any-vote").unwrap();
    let pct = Pct::over(subject.plans(&profile));
    let fails = |plan: &Plan| subject.runner.run(plan, Observer::default()).failure;
    let plan = (0..500)
        .map(|seed| pct.plan(seed))
        .find(|plan| plan.schedule.is_some() && fails(plan).is_some())
        .unwrap();
    let read: Plan = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(read, plan);
    let with = subject.runner.run(&plan, Observer::default());
    assert_eq!(with, subject.runner.run(&read, Observer::default()));
    let without = Plan {
        schedule: None,
        ..plan.clone()
    };
    let without = subject.runner.run(&without, Observer::default());
    assert_ne!(with.digest, without.digest);
    let shrinker = Shrinker {
        subject: &subject,
        jobs: 1,
        time_limit: None,
        stop: &AtomicBool::new(false),
        hangs: None,
    };
    let shrunk = shrinker.run(&plan, &mut |_| {}).unwrap();
    assert_eq!(shrunk.plan.schedule, None);
    assert!(fails(&shrunk.plan).is_some());
}

#[test]
fn schedules_that_cannot_be_are_told_with_the_field() {
    let plan = |links: &str, step_us: u64, nth: u64| {
        let mut json: serde_json::Value = serde_json::from_str(&quiet_plan(3).to_json()).unwrap();
        let links: serde_json::Value = serde_json::from_str(links).unwrap();
        json["schedule"] = serde_json::json!({
            "step_us": step_us,
            "links": links,
            "demotions": [{"nth": nth, "link": {"from": 1, "to": 2}}],
        });
        let plan: Plan = serde_json::from_value(json).unwrap();
        plan.validate().map_err(|error| error.to_string())
    };
    let link = r#"[{"from": 2, "to": 3}]"#;
    assert_eq!(plan(link, 1_000, 1), Ok(()));
    for (links, step_us, nth, words) in [
        (
            r#"[{"from": 2, "to": 9}]"#,
            1,
            1,
            "schedule.links is node 9",
        ),
        (r#"[{"from": 2, "to": 2}]"#, 1, 1, "another node than from"),
        (
            r#"[{"from": 2, "to": 1}, {"from": 2, "to": 1}]"#,
            1,
            1,
            "names a link twice",
        ),
        (link, u64::MAX, 1, "schedule.step_us"),
        (link, 1, 0, "schedule.demotions.nth is 0"),
    ] {
        let error = plan(links, step_us, nth).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_corpus_is_kept_listed_merged_and_minimised_and_covers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (one, two, both) = (path("one"), path("two"), path("both"));
    let guided = |dir: &str, seeds: &str| {
        let out = path("out");
        let run = squall(&[
            "sweep",
            "--strategy",
            "guided",
            "--corpus",
            dir,
            "--seeds",
            seeds,
            "--jobs",
            "1",
            "--out",
            &out,
        ]);
        assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
        stdout(&run)
    };
    let text = guided(&one, "0..+40");
    assert!(text.contains("abstract states"), "{text}");
    guided(&two, "1000..+40");
    let files = |dir: &str| std::fs::read_dir(Path::new(dir)).unwrap().count();
    assert!(files(&one) > 20);
    std::fs::write(Path::new(&one).join("broken.json"), "{").unwrap();
    // What is there is run first, and what is broken is told and left alone.
    let again = squall(&[
        "sweep",
        "--strategy",
        "guided",
        "--corpus",
        &one,
        "--seeds",
        "5",
        "--jobs",
        "1",
        "--out",
        &path("out"),
    ]);
    assert_eq!(again.status.code(), Some(0));
    let told = stderr(&again);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("broken.json is not a plan"), "{told}");

    let total = |run: &std::process::Output| {
        assert_eq!(run.status.code(), Some(0), "{}", stderr(run));
        let text = stdout(run);
        let last = text.lines().last().unwrap();
        let (plans, covers) = last.split_once(" plans cover ").unwrap();
        (plans.to_owned(), covers.to_owned())
    };
    let merged = squall(&["corpus", "merge", &both, &one, &two]);
    let (plans, covers) = total(&merged);
    assert_eq!(plans, files(&both).to_string());
    assert_eq!(
        total(&squall(&["corpus", "list", &both])),
        (plans.clone(), covers.clone())
    );
    let (nothing_new, _) = total(&squall(&["corpus", "merge", &both, &two]));
    assert_eq!(nothing_new, plans);
    let dry = squall(&["corpus", "minimise", &both, "--dry-run"]);
    assert_eq!(total(&dry).1, covers);
    assert_eq!(files(&both).to_string(), plans);
    let (fewer, after) = total(&squall(&["corpus", "minimise", &both]));
    assert_eq!(after, covers);
    assert_eq!(fewer, files(&both).to_string());
    assert_eq!(total(&squall(&["corpus", "list", &both])), (fewer, covers));
}

#[test]
fn a_corpus_needs_a_strategy_that_learns_and_a_folder_that_is_there() {
    for (arguments, words) in [
        (
            &["sweep", "--corpus", "nowhere"][..],
            "legal: --strategy guided",
        ),
        (&["corpus", "list", "nowhere"][..], "cannot read nowhere"),
        (
            &["corpus", "minimise", "nowhere"][..],
            "cannot read nowhere",
        ),
        (
            &["corpus", "merge", "nowhere", "neither"][..],
            "cannot read neither",
        ),
    ] {
        let run = squall(arguments);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        let text = stderr(&run);
        assert!(text.lines().count() == 1 && text.contains(words), "{text}");
    }
}

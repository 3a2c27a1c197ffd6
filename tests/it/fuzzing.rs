//! What the fuzz targets do, and what the command line makes of a fuzzer's inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use squall_core::bugs::{Bug, Injected};
use squall_core::message_fuzzing::Class;
use squall_core::plan::Plan;
use squall_fuzzing::messages::{Hearing, KNOWN, Messages, Strictness, Verdict};
use squall_fuzzing::{Finding, RUN, Storm, disk, linearizability, plan_json};
use squall_raft_rs::RaftRs;
use squall_world::rng::Choices;

use super::support::{root, seeds, squall, stderr, stdout};

/// An input of the target storm, in a file of its own.
fn artifact(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("crash-0123");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn an_artifact_is_replayed_and_imported_as_a_shrunk_plan() {
    let folder = tempfile::tempdir().unwrap();
    let path = artifact(folder.path(), &[7; 40]);
    let path = path.to_str().unwrap();
    let bug = "raft-rs+skip-fsync";
    let replayed = squall(&["replay", path, "--subject", bug]);
    assert_eq!(replayed.status.code(), Some(1), "{}", stderr(&replayed));
    assert!(stdout(&replayed).contains("VIOLATION ack-before-durable"));
    let imported = squall(&["import", path, "--subject", bug]);
    assert_eq!(imported.status.code(), Some(1), "{}", stderr(&imported));
    let plan = Plan::read(Path::new(&format!("{path}.json"))).unwrap();
    assert_eq!((plan.subject.as_str(), plan.faults.len()), (bug, 0));
    let again = squall(&["replay", &format!("{path}.json")]);
    let violation = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("VIOLATION"))
            .map(str::to_owned)
    };
    assert_eq!(violation(&stdout(&again)), violation(&stdout(&imported)));
    assert!(violation(&stdout(&again)).is_some());
}

#[test]
fn an_artifact_of_no_bytes_is_an_input_and_any_other_empty_file_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = artifact(folder.path(), &[]);
    let bug = "raft-rs+skip-fsync";
    let replayed = squall(&["replay", path.to_str().unwrap(), "--subject", bug]);
    assert_eq!(replayed.status.code(), Some(1), "{}", stderr(&replayed));
    let other = folder.path().join("plan");
    std::fs::write(&other, "").unwrap();
    let replayed = squall(&["replay", other.to_str().unwrap()]);
    assert_eq!(replayed.status.code(), Some(2));
    assert!(stderr(&replayed).contains("is empty"));
}

#[test]
fn an_input_that_runs_clean_is_imported_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [7; 40];
    let path = artifact(folder.path(), &bytes);
    let out = folder.path().join("plan.json");
    let imported = squall(&[
        "import",
        path.to_str().unwrap(),
        "-o",
        out.to_str().unwrap(),
    ]);
    assert_eq!(imported.status.code(), Some(0), "{}", stderr(&imported));
    let storm = Storm::over("raft-rs").unwrap();
    assert_eq!(Plan::read(&out).unwrap(), storm.plan(&bytes).unwrap());
    let replayed = squall(&["replay", out.to_str().unwrap()]);
    assert_eq!(replayed.status.code(), Some(0));
}

#[test]
fn an_input_of_another_target_is_refused_with_the_command_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let path = artifact(&disk, &[7; 40]);
    let replayed = squall(&["replay", path.to_str().unwrap()]);
    assert_eq!(replayed.status.code(), Some(2));
    let command = format!("{RUN} disk {}", path.display());
    assert!(
        stderr(&replayed).contains(&command),
        "{}",
        stderr(&replayed)
    );
}

/// The committed inputs of a target: those that `cargo xtask fuzz --update` has chosen.
fn committed(target: &str) -> Vec<PathBuf> {
    let folder = root().join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_seed = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with("seed-")
    };
    let mut seeds: Vec<PathBuf> = paths.filter(is_seed).collect();
    seeds.sort();
    assert!(seeds.len() >= 5, "{target}: {} inputs", seeds.len());
    seeds
}

#[test]
fn the_committed_corpus_of_every_target_runs_clean() {
    let storm = Storm::over("raft-rs").unwrap();
    let messages = Messages::new(Strictness::Usual);
    type Check<'a> = &'a dyn Fn(&[u8]) -> Result<(), Finding>;
    let targets: [(&str, Check<'_>); 5] = [
        ("storm", &|bytes| storm.check(bytes)),
        ("messages", &|bytes| messages.check(bytes)),
        ("linearizability", &linearizability::check),
        ("disk", &disk::check),
        ("plan_json", &plan_json::check),
    ];
    for (target, check) in targets {
        for path in committed(target) {
            if let Err(finding) = check(&std::fs::read(&path).unwrap()) {
                panic!("{}: {finding}", path.display());
            }
        }
    }
}

#[test]
fn the_committed_storms_reach_what_a_storm_should() {
    let storm = Storm::over("raft-rs").unwrap();
    let (mut states, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for path in committed("storm") {
        let bytes = std::fs::read(&path).unwrap();
        let plan = storm.plan(&bytes).unwrap();
        kinds.extend(
            plan.faults
                .iter()
                .map(|fault| format!("{:?}", fault.what.kind())),
        );
        states.extend(storm.run_covered(&plan).1.states);
    }
    assert!(states.len() > 1_000, "{} states", states.len());
    assert!(kinds.len() > 20, "{kinds:?}");
}

/// A random input of the target messages.
fn hearing(messages: &Messages, seed: u64) -> Hearing {
    let mut choices = Choices::labelled(seed, "probe", 0);
    let length = choices.between(20, 300);
    let bytes: Vec<u8> = (0..length).map(|_| choices.below(256) as u8).collect();
    messages.hearing(&bytes)
}

/// What random inputs of the target messages come to.
fn verdicts(count: u64) -> Vec<(Hearing, Verdict)> {
    let messages = Messages::new(Strictness::Usual);
    let judged = |seed| {
        let hearing = hearing(&messages, seed);
        let verdict = hearing.judge();
        (hearing, verdict)
    };
    let failing = |(hearing, verdict)| Some((hearing, verdict?));
    (0..count).map(judged).filter_map(failing).collect()
}

#[test]
fn damage_is_told_from_forgery_and_neither_is_needed_for_nothing() {
    let found = verdicts(seeds(600));
    let of = |class: Class| {
        found
            .iter()
            .filter(move |(_, verdict)| verdict.class == class)
    };
    for class in [Class::Damaged, Class::Forged] {
        assert!(of(class).count() > 0, "nothing of the class {class:?}");
    }
    let mut tally: BTreeMap<String, u64> = BTreeMap::new();
    for (_, verdict) in &found {
        let violation = &verdict.failure.violation;
        let place = violation.panic().and_then(|panic| panic.place.as_ref());
        let place = place.map_or(String::new(), ToString::to_string);
        let name = format!("{:?} {} {place}", verdict.class, violation.property());
        *tally.entry(name).or_default() += 1;
    }
    println!("{tally:#?}");
    // Late copies are in most inputs; Raft is made for them.
    assert_eq!(of(Class::Nothing).chain(of(Class::Late)).count(), 0);
    for (hearing, verdict) in &found {
        let told = hearing.told(verdict);
        assert!(
            told.contains(&format!("class: {}", verdict.class)),
            "{told}"
        );
        assert!(!verdict.counts(Strictness::Usual), "{told}");
        assert!(verdict.counts(Strictness::Forged));
        assert_eq!(
            verdict.counts(Strictness::Damaged),
            verdict.class == Class::Damaged
        );
    }
    assert!(
        found.iter().any(|(_, verdict)| verdict.known.is_some()),
        "{} known places, none met",
        KNOWN.len()
    );
}

#[test]
fn what_fails_without_an_attack_is_told_so_and_counts() {
    let bug = Injected {
        subject: RaftRs,
        bug: Bug::SkipFsync,
    };
    let hearing = Messages::new(Strictness::Usual).hearing(&[200; 80]);
    assert!(!hearing.attacks.is_empty());
    let verdict = hearing.judge_on(bug).unwrap();
    assert_eq!(verdict.class, Class::Nothing);
    assert!(verdict.counts(Strictness::Usual));
    assert_eq!(hearing.judge(), None);
}

#[test]
fn what_late_copies_suffice_for_is_told_so_and_counts() {
    let bug = Injected {
        subject: RaftRs,
        bug: Bug::MixUpReads,
    };
    let messages = Messages::new(Strictness::Usual);
    let (hearing, verdict) = (0..2_000)
        .find_map(|seed| {
            let hearing = hearing(&messages, seed);
            let verdict = hearing.judge_on(bug)?;
            (verdict.class == Class::Late).then_some((hearing, verdict))
        })
        .expect("late copies bring out what a quiet network does not");
    assert!(verdict.counts(Strictness::Usual));
    assert!(verdict.doings.late > 0);
    let told = hearing.told(&verdict);
    assert!(
        told.contains("class: late copies of messages suffice"),
        "{told}"
    );
    // The honest node stands the same copies, and the injected one is unremarkable without them.
    let only = |class: Class| Hearing {
        plan: hearing.plan.clone(),
        attacks: (hearing.attacks.iter().copied())
            .filter(|attack| attack.how.class() == class)
            .collect(),
    };
    assert!(only(Class::Late).judge_on(bug).is_some());
    assert_eq!(only(Class::Late).judge(), None);
    assert_eq!(only(Class::Nothing).judge_on(bug), None);
}

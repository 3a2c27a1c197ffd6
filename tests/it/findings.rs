//! Plans that are kept: regressions of ours stay clean, findings in a library
//! under test still show, and the profile `findings` finds each of them anew.

use std::collections::BTreeMap;

use squall_core::engine::{Line, Observer, Outcome};
use squall_core::ids::NodeId;
use squall_core::invariants::breach::{
    AckBeforeDurable, Answered, Breach, Configuration, LeaderCompleteness, Linearizability,
    Liveness, Monotonic, NoPanic, Panic, ReadIndex, Unmet,
};
use squall_core::plan::{Plan, Profile};
use squall_core::replica::MessageKind;

use super::support::{draw, plans, root, seeds, sweep};

#[test]
fn every_regression_is_clean() {
    for file in plans("sims/regressions") {
        let plan = Plan::read(&file).unwrap();
        assert_eq!(run(&plan, None).failure, None, "{}", file.display());
    }
}

/// Whether a violation is as a finding shows itself.
type Sign = fn(&Breach) -> bool;

/// What the library says as it panics, and where.
fn panic_of(breach: &Breach) -> Option<&Panic> {
    match breach {
        Breach::NoPanic(NoPanic::Panicked { panic }) => Some(panic),
        _ => None,
    }
}

fn panics(breach: &Breach, words: &str) -> bool {
    panic_of(breach).is_some_and(|panic| panic.message.contains(words))
}

fn panics_at(breach: &Breach, file: &str, line: u32) -> bool {
    let place = panic_of(breach).and_then(|panic| panic.place.as_ref());
    place.is_some_and(|place| (place.file.as_str(), place.line) == (file, line))
}

fn has_no_leader(breach: &Breach) -> bool {
    let Breach::Liveness(Liveness::NotConverged { unmet }) = breach else {
        return false;
    };
    matches!(unmet, Some(Unmet::NoLeader { .. }))
}

fn answers_no_command(breach: &Breach) -> bool {
    let Breach::Liveness(Liveness::NotConverged { unmet }) = breach else {
        return false;
    };
    matches!(unmet, Some(Unmet::CommandUnanswered { .. }))
}

fn answers_in_no_order(breach: &Breach) -> bool {
    matches!(
        breach,
        Breach::Linearizability(Linearizability::NoOrder { .. })
    )
}

fn answers_by_an_old_state(breach: &Breach) -> bool {
    matches!(
        breach,
        Breach::Linearizability(Linearizability::Stale { .. })
            | Breach::ReadIndex(ReadIndex::Behind { .. })
    )
}

fn answers_unconfirmed(breach: &Breach) -> bool {
    matches!(breach, Breach::ReadIndex(ReadIndex::Unconfirmed { .. }))
}

fn answers_nothing(breach: &Breach) -> bool {
    matches!(breach, Breach::Answered(Answered::NotByLeader { .. }))
}

fn drops_entries(breach: &Breach) -> bool {
    matches!(breach, Breach::Monotonic(Monotonic::DroppedEntries { .. }))
}

/// A message of this kind promises what is not durable.
fn promises(breach: &Breach, kind: MessageKind) -> bool {
    use AckBeforeDurable::{LogNotDurable, TermNotDurable, VoteNotDurable};
    matches!(breach, Breach::AckBeforeDurable(TermNotDurable { sent, .. } | VoteNotDurable { sent, .. } | LogNotDurable { sent, .. }) if *sent == kind)
}

/// How each finding in raft-rs shows itself.
const IN_RAFT_RS: &[(&str, Sign)] = &[
    ("auto-leave-before-advance", |breach| {
        panics(breach, "the last one of unstable.slice has different index")
    }),
    ("background-snapshot-install", |breach| {
        panics(breach, "unexpected error getting unapplied entries")
    }),
    ("batch-append-with-batched-inputs", |breach| {
        promises(breach, MessageKind::AppendReply)
    }),
    ("lease-reads-of-a-cut-off-leader", answers_in_no_order),
    ("late-reply-confirms-newer-reads", answers_in_no_order),
    ("learners-in-a-later-term", has_no_leader),
    ("lone-voter-with-peers", |breach| {
        matches!(
            breach,
            Breach::AckBeforeDurable(AckBeforeDurable::TermNotDurable {
                sent: MessageKind::Append,
                ..
            })
        )
    }),
    ("mixed-check-quorum", has_no_leader),
    ("outsider-campaigns", |breach| {
        panics_at(breach, "raft.rs", 1225)
    }),
    ("pre-vote-with-priorities-at-term-zero", |breach| {
        panics(
            breach,
            "term should be set when sending MsgRequestPreVoteResponse",
        )
    }),
    ("priorities-with-bare-quorum", has_no_leader),
    ("removed-leader-runs-on", |breach| {
        panics_at(breach, "raft.rs", 943)
    }),
    ("requested-snapshot-drops-entries", drops_entries),
    ("snapshot-requests-block", answers_no_command),
    ("sole-voter-with-unsaved-entries", |breach| {
        panics(breach, "assertion `left == right` failed left")
    }),
];

/// The same for noraft.
const IN_NORAFT: &[(&str, Sign)] = &[
    ("append-merged-across-terms", |breach| {
        panics_at(breach, "log.rs", 616)
    }),
    ("removed-leader-forgets-its-vote", |breach| {
        matches!(
            breach,
            Breach::Monotonic(Monotonic::VoteChanged { after: None, .. })
        )
    }),
    ("removed-voter-is-needed", has_no_leader),
];

/// The same for raftbare.
const IN_RAFTBARE: &[(&str, Sign)] = &[
    ("cut-tail-comes-back", |breach| {
        panics_at(breach, "log.rs", 469) || panics_at(breach, "log.rs", 474)
    }),
    ("late-answer-ahead-of-its-number", |breach| {
        answers_by_an_old_state(breach)
            || answers_unconfirmed(breach)
            || answers_no_command(breach)
            || answers_nothing(breach)
    }),
    ("vote-for-an-older-log", |breach| {
        matches!(
            breach,
            Breach::LeaderCompleteness(LeaderCompleteness::Lacks { .. })
        )
    }),
];

/// Those in raftbare that take more of a coincidence than the profile `findings` has.
const RARE_IN_RAFTBARE: &[&str] = &["cut-tail-comes-back", "late-answer-ahead-of-its-number"];

/// Whether a run of `plan` may be the finding, where its sign alone does not tell.
fn may_be(name: &str, plan: &Plan) -> bool {
    let has = |faults: &str| {
        serde_json::to_string(&plan.faults)
            .unwrap()
            .contains(faults)
    };
    match name {
        "learners-in-a-later-term" => {
            plan.driver.flag("deaf-in-later-term") && !plan.driver.flag("lead-when-removed")
        }
        "outsider-campaigns" => plan.driver.flag("campaign-as-outsider"),
        "mixed-check-quorum" => plan.sets_check_quorum(),
        "priorities-with-bare-quorum" => !plan.raft.priorities.is_empty(),
        "snapshot-requests-block" => has("request-snapshot"),
        "removed-leader-runs-on" => {
            plan.changes_membership() && plan.driver.flag("lead-when-removed")
        }
        "lease-reads-of-a-cut-off-leader" => plan.raft.lease_reads,
        "late-reply-confirms-newer-reads" => {
            plan.driver.flag("reuse-read-names") && !plan.raft.lease_reads
        }
        _ => true,
    }
}

/// Other faces of a finding in raft-rs: what its consequences may look like in a run.
const FACES: &[(&str, Sign)] = &[
    ("outsider-campaigns", |breach| {
        matches!(
            breach,
            Breach::Configuration(Configuration::StoodWithoutVote { .. })
        )
    }),
    ("removed-leader-runs-on", |breach| {
        panics_at(breach, "raft.rs", 1055)
    }),
    ("removed-leader-runs-on", has_no_leader),
    ("removed-leader-runs-on", answers_no_command),
    ("removed-leader-runs-on", answers_unconfirmed),
    ("removed-leader-runs-on", answers_by_an_old_state),
    ("removed-leader-runs-on", answers_in_no_order),
    ("batch-append-with-batched-inputs", |breach| {
        panics(breach, "is out of range [committed")
    }),
    ("batch-append-with-batched-inputs", |breach| {
        panics(breach, "to_commit")
    }),
    ("batch-append-with-batched-inputs", |breach| {
        panics(
            breach,
            "committed entries are handed over when they are persisted",
        )
    }),
    ("lease-reads-of-a-cut-off-leader", answers_by_an_old_state),
    ("late-reply-confirms-newer-reads", answers_by_an_old_state),
    ("late-reply-confirms-newer-reads", answers_unconfirmed),
    ("batch-append-with-batched-inputs", |breach| {
        panics(breach, "conflict with committed entry")
    }),
];

/// Plans of another face of a finding, and of which.
const FACES_KEPT: &[(&str, &str)] = &[
    ("learner-that-does-not-know-it", "learners-in-a-later-term"),
    (
        "removed-leader-serves-stale-reads",
        "removed-leader-runs-on",
    ),
    (
        "late-answer-stops-commits",
        "late-answer-ahead-of-its-number",
    ),
];

#[test]
fn every_finding_is_kept_as_a_plan_that_shows_it() {
    let mut kept = Vec::new();
    for file in plans("sims/findings") {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let plan = Plan::read(&file).unwrap();
        let all = match plan.subject.as_str() {
            "noraft" => IN_NORAFT,
            "raftbare" => IN_RAFTBARE,
            _ => IN_RAFT_RS,
        };
        let face = FACES_KEPT.iter().find(|(face, _)| *face == name);
        let finding = face.map_or(name.as_str(), |(_, finding)| finding);
        let is_known = all.iter().any(|(known, _)| *known == finding);
        assert!(is_known, "{name} is not in the list");
        let violation = run(&plan, None).failure.expect(&name).violation;
        let faces = FACES.iter().filter(|_| face.is_some());
        let mut signs = all.iter().chain(faces);
        let shows = signs.any(|(known, sign)| *known == finding && sign(&violation.breach));
        assert!(shows, "{name}: {violation}");
        kept.push(name);
    }
    let all = IN_RAFT_RS.len() + IN_NORAFT.len() + IN_RAFTBARE.len() + FACES_KEPT.len();
    assert_eq!(kept.len(), all, "{kept:?}");
}

/// Runs `plan`, and adds to `told` what it tells.
fn run(plan: &Plan, told: Option<&mut Vec<Line>>) -> Outcome {
    let subject = squall::subject(&plan.subject).unwrap();
    // An option by a name that nobody reads would do nothing.
    let own = subject.runner.own();
    plan.check_own_options(own).unwrap();
    let Some(told) = told else {
        return subject.runner.run(plan, Observer::default());
    };
    let mut add = |line| told.push(line);
    let watch = Observer {
        lines: Some(&mut add),
        ..Observer::default()
    };
    subject.runner.run(plan, watch)
}

/// Takes the trigger of a finding out of a plan that shows it.
type Cure = fn(&mut Plan);

#[test]
fn what_a_driver_does_about_a_finding_suffices() {
    let cures: [(&str, Cure); 8] = [
        ("removed-leader-serves-stale-reads", |plan| {
            plan.driver.set_flag("lead-when-removed", false)
        }),
        ("learners-in-a-later-term", |plan| {
            plan.driver.set_flag("deaf-in-later-term", false)
        }),
        ("learner-that-does-not-know-it", |plan| {
            plan.driver.set_flag("deaf-in-later-term", false)
        }),
        ("late-reply-confirms-newer-reads", |plan| {
            plan.driver.set_flag("reuse-read-names", false)
        }),
        ("cut-tail-comes-back", |plan| {
            plan.driver.set_flag("keep-cut-tail", false)
        }),
        ("late-answer-ahead-of-its-number", |plan| {
            plan.driver.set_flag("take-late-answers", false)
        }),
        ("late-answer-stops-commits", |plan| {
            plan.driver.set_flag("take-late-answers", false)
        }),
        ("vote-for-an-older-log", |plan| {
            plan.driver.set_flag("compare-lengths", false)
        }),
    ];
    for (name, cure) in cures {
        let mut plan = kept("findings", name);
        cure(&mut plan);
        assert_eq!(run(&plan, None).failure, None, "{name}");
    }
}

fn kept(folder: &str, name: &str) -> Plan {
    let file = format!("sims/{folder}/{name}.json");
    Plan::read(&root().join(file)).unwrap()
}

#[test]
fn who_may_not_stand_answers_a_candidate_of_an_earlier_term() {
    // n3 has left, and n1, which does not know that it has, keeps n3's term ahead of that of n4,
    // which needs its vote.
    let mut plan = kept(
        "regressions",
        "removed-voter-outlasts-the-change-that-waits",
    );
    let mut refusals = |deaf| {
        plan.driver.set_flag("deaf-in-later-term", deaf);
        let mut told = Vec::new();
        assert_eq!(run(&plan, Some(&mut told)).failure, None);
        let refuses = |line: &&Line| {
            let text = line.text.as_str();
            line.node == Some(NodeId(3))
                && text.starts_with("sends to n4: vote reply")
                && text.ends_with("no")
        };
        told.iter().filter(refuses).count()
    };
    assert_eq!((refusals(true), refusals(false)), (0, 1));
}

/// Fields that a driver no longer has are read as what they are now, and what else is wrong with
/// such a file is told as it is.
#[test]
fn a_plan_with_fields_of_before_is_read_and_other_mistakes_in_it_are_told() {
    let path = root().join("sims/findings/outsider-campaigns.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let read = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Plan::parse(&text.replacen(from, to, 1), &path).map_err(|error| error.to_string())
    };
    let was = "\"campaign_as_outsider\": true";
    assert!(read(was, was).unwrap().driver.flag("campaign-as-outsider"));
    let off = read(was, "\"campaign_as_outsider\": false").unwrap();
    assert!(off.driver.own.is_empty());
    let told = |to: &str| read(was, to).unwrap_err();
    let wrong = told("\"campaign_as_outsider\": 7");
    assert!(
        wrong.ends_with("driver.campaign_as_outsider: 7 is neither true nor false"),
        "{wrong}"
    );
    let wrong = told("\"campaign_as_outsider\": true, \"no_such\": true");
    assert!(wrong.contains("unknown field `no_such`"), "{wrong}");
    let wrong = told("\"campaign_as_outsider\": true, \"own\": []");
    assert!(
        wrong.contains("invalid type: sequence, expected a map"),
        "{wrong}"
    );
}

/// Sweeps the profile `findings`, which is to find all that are known in the subject's library but
/// for the rare ones, and no more.
fn find_all_and_nothing_else(
    subject: &str,
    most: u64,
    all: &[(&str, Sign)],
    faces: &[(&str, Sign)],
    rare: &[&str],
) {
    let swept = sweep(subject, "findings", seeds(most), 2);
    let mut found = BTreeMap::<&str, u64>::new();
    for finding in &swept.findings {
        let violation = &finding.failure.violation;
        let known = all
            .iter()
            .chain(faces)
            .find(|(name, sign)| sign(&violation.breach) && may_be(name, &finding.plan));
        let (name, _) =
            known.unwrap_or_else(|| panic!("new: seed {}: {}", finding.plan.seed, finding.failure));
        *found.entry(name).or_default() += 1;
    }
    let missed = |name: &&str| !rare.contains(name) && !found.contains_key(name);
    let missed: Vec<&str> = all.iter().map(|(name, _)| *name).filter(missed).collect();
    assert!(missed.is_empty(), "found only {found:?}");
}

#[test]
fn the_findings_profile_finds_every_finding_and_nothing_else() {
    find_all_and_nothing_else("raft-rs", 8_000, IN_RAFT_RS, FACES, &[]);
}

#[test]
fn the_findings_profile_finds_every_finding_in_noraft_and_nothing_else() {
    find_all_and_nothing_else("noraft", 6_000, IN_NORAFT, &[], &[]);
}

#[test]
fn the_findings_profile_finds_in_raftbare_what_is_not_rare_and_nothing_else() {
    find_all_and_nothing_else("raftbare", 2_000, IN_RAFTBARE, &[], RARE_IN_RAFTBARE);
}

#[test]
fn an_older_plan_is_read_with_options_that_were_fields_of_the_driver() {
    let profile = Profile::load("storm").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("older.json");
    for name in ["raft-rs", "noraft"] {
        let subject = squall::subject(name).unwrap();
        let plan = draw(name, &profile, 3);
        let mut older: serde_json::Value = serde_json::from_str(&plan.to_json()).unwrap();
        let driver = older["driver"].as_object_mut().unwrap();
        driver.remove("own");
        driver.insert("advance_whole".into(), true.into());
        driver.insert("applied_when_installed".into(), false.into());
        driver.insert("step_down_when_removed".into(), false.into());
        std::fs::write(&path, older.to_string()).unwrap();
        let read = Plan::read(&path).unwrap();
        let on: Vec<&str> = read.driver.own.keys().map(String::as_str).collect();
        assert_eq!(on, ["advance-whole", "lead-when-removed"], "{name}");
        // noraft has none of them, and its older plans have them all the same.
        read.check_own_options(subject.runner.own()).unwrap();
        let again = Plan::parse(&read.to_json(), &path).unwrap();
        assert_eq!(again, read);
    }
}

#[test]
fn an_older_profile_has_knobs_of_known_issues_among_its_findings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("older.toml");
    let text = "extends = \"storm\"\nabout = \"x\"\n\
                [findings]\nmixed-check-quorum = true\n\
                [[variants]]\n[variants.findings]\noutsider-campaigns = true\n";
    std::fs::write(&path, text).unwrap();
    let profile = Profile::load(path.to_str().unwrap()).unwrap();
    let [variant] = profile.variants.as_slice() else {
        panic!("{} variants", profile.variants.len());
    };
    assert!(profile.has_known_issue("mixed-check-quorum"));
    assert!(!profile.has_known_issue("outsider-campaigns"));
    assert!(variant.profile.has_known_issue("mixed-check-quorum"));
    assert!(variant.profile.has_known_issue("outsider-campaigns"));
    let own = squall::subject("raft-rs").unwrap().runner.own();
    profile.check_issues(own.issues).unwrap();
}

//! Plans that are kept: regressions of ours stay clean, findings in a library
//! under test still show, and the profile `findings` finds each of them anew.

use std::collections::BTreeMap;

use squall_core::engine::{Line, Outcome, Watch};
use squall_core::ids::NodeId;
use squall_core::plan::Plan;

use super::support::{plans, root, seeds, sweep};

#[test]
fn every_regression_is_clean() {
    for file in plans("sims/regressions") {
        let plan = Plan::read(&file).unwrap();
        assert_eq!(run(&plan, None).failure, None, "{}", file.display());
    }
}

/// What each finding in raft-rs breaks, and words of its message that tell it from others.
const IN_RAFT_RS: &[(&str, &str, &str)] = &[
    (
        "auto-leave-before-advance",
        "no-panic",
        "the last one of unstable.slice has different index",
    ),
    (
        "background-snapshot-install",
        "no-panic",
        "unexpected error getting unapplied entries",
    ),
    (
        "batch-append-with-batched-inputs",
        "ack-before-durable",
        "append reply",
    ),
    (
        "lease-reads-of-a-cut-off-leader",
        "linearizability",
        "answered what no order of the operations",
    ),
    (
        "late-reply-confirms-newer-reads",
        "linearizability",
        "answered what no order of the operations",
    ),
    (
        "learners-in-a-later-term",
        "liveness",
        "there is no leader in the highest term",
    ),
    (
        "lone-voter-with-peers",
        "ack-before-durable",
        "an append that promises its term",
    ),
    ("mixed-check-quorum", "liveness", "there is no leader"),
    (
        "outsider-campaigns",
        "no-panic",
        "called `Option::unwrap()` on a `None` value (raft.rs:1225)",
    ),
    (
        "pre-vote-with-priorities-at-term-zero",
        "no-panic",
        "term should be set when sending MsgRequestPreVoteResponse",
    ),
    (
        "priorities-with-bare-quorum",
        "liveness",
        "there is no leader",
    ),
    (
        "removed-leader-runs-on",
        "no-panic",
        "called `Option::unwrap()` on a `None` value (raft.rs:943)",
    ),
    (
        "requested-snapshot-drops-entries",
        "monotonic",
        "which follow the snapshot at",
    ),
    (
        "snapshot-requests-block",
        "liveness",
        "no command sent after the storm has been answered",
    ),
    (
        "sole-voter-with-unsaved-entries",
        "no-panic",
        "assertion `left == right` failed left",
    ),
];

/// The same for noraft.
const IN_NORAFT: &[(&str, &str, &str)] = &[
    (
        "append-merged-across-terms",
        "no-panic",
        "self.contains(entries.prev_position) (log.rs:616)",
    ),
    ("removed-leader-forgets-its-vote", "monotonic", "to nobody"),
    ("removed-voter-is-needed", "liveness", "there is no leader"),
];

/// Whether a run with these words may be the finding, where words alone do not tell.
fn may_be(name: &str, plan: &Plan) -> bool {
    let has = |faults: &str| {
        serde_json::to_string(&plan.faults)
            .unwrap()
            .contains(faults)
    };
    match name {
        "learners-in-a-later-term" => {
            plan.driver.deaf_in_later_term && plan.driver.step_down_when_removed
        }
        "mixed-check-quorum" => plan.sets_check_quorum(),
        "priorities-with-bare-quorum" => !plan.raft.priorities.is_empty(),
        "snapshot-requests-block" => has("request-snapshot"),
        "removed-leader-runs-on" => plan.changes_membership(),
        "lease-reads-of-a-cut-off-leader" => plan.raft.lease_reads,
        "late-reply-confirms-newer-reads" => plan.driver.reuse_read_names && !plan.raft.lease_reads,
        _ => true,
    }
}

/// Other faces of a finding in raft-rs: what its consequences may look like in a run.
const FACES: &[(&str, &str, &str)] = &[
    (
        "removed-leader-runs-on",
        "no-panic",
        "called `Option::unwrap()` on a `None` value (raft.rs:1055)",
    ),
    ("removed-leader-runs-on", "liveness", "there is no leader"),
    (
        "removed-leader-runs-on",
        "liveness",
        "no command sent after the storm has been answered",
    ),
    (
        "batch-append-with-batched-inputs",
        "no-panic",
        "is out of range [committed",
    ),
    ("batch-append-with-batched-inputs", "no-panic", "to_commit"),
    (
        "lease-reads-of-a-cut-off-leader",
        "linearizability",
        "answered a read by the state after entry",
    ),
    (
        "late-reply-confirms-newer-reads",
        "linearizability",
        "answered a read by the state after entry",
    ),
    (
        "batch-append-with-batched-inputs",
        "no-panic",
        "conflict with committed entry",
    ),
];

/// Plans of another face of a finding, and of which.
const FACES_KEPT: &[(&str, &str)] =
    &[("learner-that-does-not-know-it", "learners-in-a-later-term")];

#[test]
fn every_finding_is_kept_as_a_plan_that_shows_it() {
    let mut kept = Vec::new();
    for file in plans("sims/findings") {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let plan = Plan::read(&file).unwrap();
        let all = match plan.subject.as_str() {
            "noraft" => IN_NORAFT,
            _ => IN_RAFT_RS,
        };
        let face = FACES_KEPT.iter().find(|(face, _)| *face == name);
        let finding = face.map_or(name.as_str(), |(_, finding)| finding);
        let known = all.iter().find(|(known, ..)| *known == finding);
        let (_, property, words) = known.unwrap_or_else(|| panic!("{name} is not in the list"));
        let violation = run(&plan, None).failure.expect(&name).violation;
        assert_eq!(violation.property.name(), *property, "{name}");
        assert!(violation.message.contains(words), "{name}: {violation}");
        kept.push(name);
    }
    let all = IN_RAFT_RS.len() + IN_NORAFT.len() + FACES_KEPT.len();
    assert_eq!(kept.len(), all, "{kept:?}");
}

/// Runs `plan`, and adds to `told` what it tells.
fn run(plan: &Plan, told: Option<&mut Vec<Line>>) -> Outcome {
    let subject = squall::subject(&plan.subject).unwrap();
    let Some(told) = told else {
        return subject.runner.run(plan, Watch::default());
    };
    let mut add = |line| told.push(line);
    let watch = Watch {
        lines: Some(&mut add),
        ..Watch::default()
    };
    subject.runner.run(plan, watch)
}

/// Takes the trigger of a finding out of a plan that shows it.
type Cure = fn(&mut Plan);

#[test]
fn what_a_driver_does_about_a_finding_suffices() {
    let cures: [(&str, Cure); 3] = [
        ("learners-in-a-later-term", |plan| {
            plan.driver.deaf_in_later_term = false
        }),
        ("learner-that-does-not-know-it", |plan| {
            plan.driver.deaf_in_later_term = false
        }),
        ("late-reply-confirms-newer-reads", |plan| {
            plan.driver.reuse_read_names = false
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
    // n3 has left, and n1, which does not know that it has, keeps n3's term ahead of that of n4, which needs its vote.
    let mut plan = kept(
        "regressions",
        "removed-voter-outlasts-the-change-that-waits",
    );
    let mut refusals = |deaf| {
        plan.driver.deaf_in_later_term = deaf;
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

/// Sweeps the profile `findings`, which is to find all that are known in the subject's library, and no more.
fn find_all_and_nothing_else(
    subject: &str,
    most: u64,
    all: &[(&str, &str, &str)],
    faces: &[(&str, &str, &str)],
) {
    let swept = sweep(subject, "findings", seeds(most), 2);
    let mut found = BTreeMap::<&str, u64>::new();
    for finding in &swept.findings {
        let violation = &finding.failure.violation;
        let known = all.iter().chain(faces).find(|(name, property, words)| {
            violation.property.name() == *property
                && violation.message.contains(words)
                && may_be(name, &finding.plan)
        });
        let (name, ..) =
            known.unwrap_or_else(|| panic!("new: seed {}: {}", finding.plan.seed, finding.failure));
        *found.entry(name).or_default() += 1;
    }
    assert_eq!(found.len(), all.len(), "found only {found:?}");
}

#[test]
fn the_findings_profile_finds_every_finding_and_nothing_else() {
    find_all_and_nothing_else("raft-rs", 8_000, IN_RAFT_RS, FACES);
}

#[test]
fn the_findings_profile_finds_every_finding_in_noraft_and_nothing_else() {
    find_all_and_nothing_else("noraft", 6_000, IN_NORAFT, &[]);
}

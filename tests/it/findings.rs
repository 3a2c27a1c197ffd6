//! Plans that are kept: regressions of ours stay clean, findings in a library
//! under test still show, and the profile `findings` finds each of them anew.

use std::collections::BTreeMap;

use squall::engine::Watch;
use squall::plan::Plan;
use squall::subject;

use super::support::{plans, seeds, sweep};

#[test]
fn every_regression_is_clean() {
    for file in plans("sims/regressions") {
        let plan = Plan::read(&file).unwrap();
        let outcome = subject::find(&plan.subject)
            .unwrap()
            .runner
            .run(&plan, Watch::default());
        assert_eq!(outcome.failure, None, "{}", file.display());
    }
}

/// Whose each finding is, what it breaks, and words of its message that tell it from others.
const FINDINGS: [(&str, &str, &str, &str); 11] = [
    (
        "noraft",
        "append-merged-across-terms",
        "no-panic",
        "self.contains(entries.prev_position) (log.rs:616)",
    ),
    (
        "raft-rs",
        "auto-leave-before-advance",
        "no-panic",
        "the last one of unstable.slice has different index",
    ),
    (
        "raft-rs",
        "background-snapshot-install",
        "no-panic",
        "unexpected error getting unapplied entries",
    ),
    (
        "raft-rs",
        "batch-append-with-batched-inputs",
        "ack-before-durable",
        "append reply",
    ),
    (
        "raft-rs",
        "lone-voter-with-peers",
        "ack-before-durable",
        "an append that promises its term",
    ),
    (
        "raft-rs",
        "outsider-campaigns",
        "no-panic",
        "called `Option::unwrap()` on a `None` value (raft.rs:1225)",
    ),
    (
        "raft-rs",
        "pre-vote-with-priorities-at-term-zero",
        "no-panic",
        "term should be set when sending MsgRequestPreVoteResponse",
    ),
    (
        "raft-rs",
        "priorities-with-bare-quorum",
        "liveness",
        "there is no leader",
    ),
    (
        "noraft",
        "removed-leader-forgets-its-vote",
        "monotonic",
        "to nobody",
    ),
    (
        "raft-rs",
        "removed-leader-runs-on",
        "no-panic",
        "called `Option::unwrap()` on a `None` value (raft.rs:943)",
    ),
    (
        "noraft",
        "removed-voter-is-needed",
        "liveness",
        "there is no leader",
    ),
];

/// Other faces of a finding: what its consequences may look like in a run.
const FACES: [(&str, &str, &str, &str); 4] = [
    (
        "raft-rs",
        "removed-leader-runs-on",
        "no-panic",
        "called `Option::unwrap()` on a `None` value (raft.rs:1055)",
    ),
    (
        "raft-rs",
        "removed-leader-runs-on",
        "liveness",
        "no command sent after the storm has been answered",
    ),
    (
        "raft-rs",
        "batch-append-with-batched-inputs",
        "no-panic",
        "is out of range [committed",
    ),
    (
        "raft-rs",
        "batch-append-with-batched-inputs",
        "no-panic",
        "to_commit",
    ),
];

#[test]
fn every_finding_is_kept_as_a_plan_that_shows_it() {
    let files = plans("sims/findings");
    let names: Vec<_> = files
        .iter()
        .map(|file| file.file_stem().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, FINDINGS.map(|(_, name, ..)| name));
    for (file, (subject, name, property, words)) in files.iter().zip(FINDINGS) {
        let plan = Plan::read(file).unwrap();
        assert_eq!(plan.subject, subject, "{name}");
        let outcome = subject::find(&plan.subject)
            .unwrap()
            .runner
            .run(&plan, Watch::default());
        let violation = outcome.failure.expect(name).violation;
        assert_eq!(violation.property.name(), property, "{name}");
        assert!(violation.message.contains(words), "{name}: {violation}");
    }
}

/// Sweeps the profile `findings`, which is to find all that are known in `subject`'s library, and no more.
fn find_all_and_nothing_else(subject: &str) {
    let swept = sweep(subject, "findings", seeds(3_000), 2);
    let mut found = BTreeMap::<&str, u64>::new();
    for finding in &swept.findings {
        let violation = &finding.failure.violation;
        let known = FINDINGS
            .iter()
            .chain(&FACES)
            .find(|(whose, _, property, words)| {
                *whose == subject
                    && violation.property.name() == *property
                    && violation.message.contains(words)
            });
        let (_, name, ..) =
            known.unwrap_or_else(|| panic!("new: seed {}: {}", finding.plan.seed, finding.failure));
        *found.entry(name).or_default() += 1;
    }
    let all = FINDINGS.iter().filter(|(whose, ..)| *whose == subject);
    assert_eq!(found.len(), all.count(), "found only {found:?}");
}

#[test]
fn the_findings_profile_finds_every_finding_and_nothing_else() {
    find_all_and_nothing_else("raft-rs");
}

#[test]
fn the_findings_profile_finds_every_finding_in_noraft_and_nothing_else() {
    find_all_and_nothing_else("noraft");
}

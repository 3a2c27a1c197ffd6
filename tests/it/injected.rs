//! Each check can fire: every injected bug is caught by the check that is named
//! for it, within so many seeds, and the honest subject passes the same seeds.

use std::collections::{BTreeMap, BTreeSet};

use squall_core::bugs::Bug;
use squall_core::invariants::Property;

use super::support::{root, seeds, sweep};

/// Seeds within which each bug must be caught. A wrong apply shows at once; a
/// lost snapshot report needs a lost snapshot and a leader that stays.
fn within(bug: Bug) -> u64 {
    match bug {
        Bug::LieAboutSync
        | Bug::GrantAnyVote
        | Bug::CountEveryVote
        | Bug::StopTicksOnRestart
        | Bug::ApplyRetries
        | Bug::SnapshotWithoutConfiguration
        | Bug::TakeStaleTokens
        | Bug::ReadLocally => 64,
        Bug::ReadBeforeApplied | Bug::StartOnDamage => 64,
        // The crash must come between two records, and the disk must hold other entries where these
        // went.
        Bug::CommitAhead => 128,
        Bug::IgnoreSnapshotReport
        | Bug::CompactBeforeSnapshot
        | Bug::CompactTooFar
        | Bug::SnapshotWithoutSessions => 192,
        // Two nodes must forget the same changes, and find one another before anyone tells them.
        Bug::ForgetCommit => 960,
        // Several reads must be confirmed at once, or one be asked too early, while nothing goes
        // wrong.
        Bug::AnswerLastRead => 32,
        Bug::SwallowRefusals => 512,
        Bug::ForgetClients => 64,
        _ => 16,
    }
}

/// Holds every injected bug that `honest` can have.
fn hold_injected(honest: &str) {
    let all = squall::subjects();
    let mut most = BTreeMap::new();
    for bug in Bug::ALL {
        let name = format!("{honest}+{}", bug.name());
        let Some(by) = all.iter().find(|subject| subject.name == name) else {
            continue;
        };
        let by = by.caught_by.unwrap();
        let within = match (honest, *bug) {
            // Fewer of its nodes live on a snapshot: their leaders send entries while they have
            // them.
            ("noraft", Bug::SnapshotWithoutSessions) => 192,
            // Its leaders confirm few reads that they have not applied for.
            ("noraft", Bug::ReadBeforeApplied) => 640,
            // It answers most reads one by one.
            ("raftbare", Bug::AnswerLastRead) => 640,
            // Fewer of its leaders are deposed with entries of their own.
            ("noraft" | "raftbare", Bug::KeepOldTail) => 64,
            // It goes by what the log says, and few of its nodes join by the whole log.
            ("noraft", Bug::GuessFirstConfiguration) => 64,
            _ => within(*bug),
        };
        let swept = sweep(&name, bug.profile(), within, 2);
        let caught: Vec<_> = swept
            .findings
            .iter()
            .map(|f| f.failure.violation.property())
            .collect();
        assert!(
            caught.contains(&by),
            "{name} is to be caught by {by} within {within} seeds; caught: {caught:?}",
        );
        let most: &mut u64 = most.entry(bug.profile()).or_default();
        *most = within.max(*most);
    }
    for (profile, most) in most {
        let swept = sweep(honest, profile, seeds(most), 2);
        let first = swept.findings.first();
        assert!(first.is_none(), "{honest}, {profile}: {first:?}");
    }
}

#[test]
fn every_injected_bug_is_caught_by_its_check_and_the_honest_subject_passes_the_same_seeds() {
    hold_injected("raft-rs");
}

#[test]
fn the_same_bugs_are_caught_on_noraft() {
    hold_injected("noraft");
    let all = squall::subjects();
    let on_noraft = all.iter().filter(|s| s.name.starts_with("noraft+")).count();
    assert_eq!(on_noraft, Bug::ALL.len() - 6, "see Tamper::can");
}

#[test]
fn those_that_need_no_snapshot_are_caught_on_raftbare() {
    hold_injected("raftbare");
    let all = squall::subjects();
    let injected = all.iter().filter(|s| s.name.starts_with("raftbare+"));
    assert_eq!(injected.count(), Bug::ALL.len() - 16, "see Tamper::can");
}

#[test]
fn every_check_has_an_injected_bug() {
    let caught: BTreeSet<Property> = Bug::ALL.iter().map(|bug| bug.caught_by()).collect();
    assert_eq!(caught, Property::ALL.iter().copied().collect());
}

#[test]
fn a_long_honest_sweep_of_every_profile_is_clean() {
    let on_raft_rs = ["storm", "smoke", "calm", "disk", "network"].map(|p| ("raft-rs", p));
    let on_noraft = ["storm", "membership"].map(|p| ("noraft", p));
    let on_raftbare = ["storm", "network"].map(|p| ("raftbare", p));
    let all = on_raft_rs.into_iter().chain(on_noraft).chain(on_raftbare);
    for (subject, profile) in all {
        let swept = sweep(subject, profile, seeds(1_000), 2);
        let first = swept
            .findings
            .first()
            .map(|f| (f.plan.seed, f.failure.to_string()));
        assert_eq!(first, None, "{subject}, {profile}");
        assert!(
            swept.missing.is_empty(),
            "{subject}, {profile} never saw {:?}",
            swept.missing
        );
        assert!(swept.leak.is_none(), "{subject}, {profile}");
    }
}

/// The tools take the bugs that they sweep from the table of the docs.
#[test]
fn the_table_of_the_docs_has_every_injected_bug() {
    let text = std::fs::read_to_string(root().join("docs/driver-bugs.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<(String, String, String)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [name, _, _, check, profile] = cells[..] else {
                panic!("five cells are wanted: {row}");
            };
            let bare = |cell: &str| cell.trim_matches('`').to_owned();
            (bare(name), bare(check), bare(profile))
        })
        .collect();
    let injected = Bug::ALL.iter().map(|bug| {
        let check = bug.caught_by().name();
        (
            bug.name().to_owned(),
            check.to_owned(),
            bug.profile().to_owned(),
        )
    });
    assert_eq!(told, injected.collect());
}

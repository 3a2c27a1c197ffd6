//! Each check can fire: every planted bug is caught by the check that is named
//! for it, within so many seeds, and the honest subject passes the same seeds.

use std::collections::BTreeSet;

use squall::check::Property;
use squall::subject::planted::Bug;

use super::support::{seeds, sweep};

/// Seeds within which each bug must be caught. A wrong apply shows at once; a
/// lost snapshot report needs a lost snapshot and a leader that stays.
fn within(bug: Bug) -> u64 {
    match bug {
        Bug::LieAboutSync
        | Bug::GrantAnyVote
        | Bug::CountEveryVote
        | Bug::StopTicksOnRestart
        | Bug::ApplyRetries
        | Bug::SnapshotWithoutSessions
        | Bug::SnapshotWithoutConfiguration
        | Bug::TakeStaleTokens
        | Bug::ReadLocally => 64,
        Bug::IgnoreSnapshotReport => 192,
        _ => 16,
    }
}

/// The profile that has what the bug needs.
fn profile(bug: Bug) -> &'static str {
    match bug {
        Bug::SnapshotWithoutConfiguration => "membership",
        _ => "storm",
    }
}

#[test]
fn every_planted_bug_is_caught_by_its_check_and_the_honest_subject_passes_the_same_seeds() {
    let most = Bug::ALL.iter().map(|bug| within(*bug)).max().unwrap();
    let honest = sweep("raft-rs", "storm", seeds(most), 2);
    assert!(honest.findings.is_empty(), "{:?}", honest.findings.first());
    for bug in Bug::ALL {
        let subject = format!("raft-rs+{}", bug.name());
        let swept = sweep(&subject, profile(*bug), within(*bug), 2);
        let caught: Vec<_> = swept
            .findings
            .iter()
            .map(|f| f.failure.violation.property)
            .collect();
        assert!(
            caught.contains(&bug.caught_by()),
            "{subject} is to be caught by {} within {} seeds; caught: {caught:?}",
            bug.caught_by(),
            within(*bug)
        );
    }
}

#[test]
fn every_check_has_a_planted_bug() {
    let caught: BTreeSet<Property> = Bug::ALL.iter().map(|bug| bug.caught_by()).collect();
    assert_eq!(caught, Property::ALL.into_iter().collect());
}

#[test]
fn a_long_honest_sweep_of_every_profile_is_clean() {
    for profile in ["storm", "smoke", "calm", "disk", "network"] {
        let swept = sweep("raft-rs", profile, seeds(1_000), 2);
        let first = swept
            .findings
            .first()
            .map(|f| (f.plan.seed, f.failure.to_string()));
        assert_eq!(first, None, "{profile}");
        assert!(
            swept.missing.is_empty(),
            "{profile} never saw {:?}",
            swept.missing
        );
        assert!(swept.leak.is_none(), "{profile}");
    }
}

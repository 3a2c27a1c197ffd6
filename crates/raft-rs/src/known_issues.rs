//! What is known to go wrong in raft 0.7.0: an option of this driver lets it happen, or a condition
//! that any plan may have. Plans keep clear of both unless a profile has the issue's knob on.
//! `docs/findings` tells of each.

use squall_core::options::DriverOptions;
use squall_core::own::{DriverOption, Hazard, KnownIssue, Values};

const APPLY_CHANGES_EARLY: DriverOption = DriverOption::trigger(
    "apply-changes-early",
    "changes of the configuration are applied before the ready that brought them is acknowledged to the library, and not right after",
);

const SNAPSHOT_REQUESTS_AHEAD: DriverOption = DriverOption::trigger(
    "snapshot-requests-ahead",
    "a follower asks for a snapshot though its newest entry is not known to be committed",
);

const SNAPSHOT_REQUESTS_BLOCK: DriverOption = DriverOption::trigger(
    "snapshot-requests-block",
    "the same, and it goes on waiting for it when the term changes; it takes no entries meanwhile",
);

const DEAF_IN_LATER_TERM: DriverOption = DriverOption::trigger(
    "deaf-in-later-term",
    "a node says nothing to who leads or stands in an earlier term, as the library has it; otherwise the driver answers with its term those whom neither its own vote requests nor its own appends would tell",
);

const CAMPAIGN_AS_OUTSIDER: DriverOption = DriverOption::trigger(
    "campaign-as-outsider",
    "a node that is asked to stand for election does so though it is no voter of its own configuration",
);

const REUSE_READ_NAMES: DriverOption = DriverOption::trigger(
    "reuse-read-names",
    "a leader calls a read as it was called when it came, though another of that name came before; otherwise the driver gives it a name of its own",
);

const LEAD_WHEN_REMOVED: DriverOption = DriverOption::trigger(
    "lead-when-removed",
    "a leader that a change removes or makes a learner goes on as one; otherwise it steps down when it applies the change",
);

const APPLIED_WHEN_INSTALLED: DriverOption = DriverOption::trigger(
    "applied-when-installed",
    "a received snapshot counts as applied for the library when its installation in the background is over, and not as soon as it is durable",
);

/// The one option that is no trigger.
const ADVANCE_WHOLE: DriverOption = DriverOption {
    name: "advance-whole",
    about: "committed entries are applied before the ready that brought them is dealt with, and both acknowledged at once",
    values: Values::OtherOrder,
};

/// The options of this driver.
pub(super) const OPTIONS: &[DriverOption] = &[
    APPLY_CHANGES_EARLY,
    SNAPSHOT_REQUESTS_AHEAD,
    SNAPSHOT_REQUESTS_BLOCK,
    DEAF_IN_LATER_TERM,
    CAMPAIGN_AS_OUTSIDER,
    REUSE_READ_NAMES,
    LEAD_WHEN_REMOVED,
    APPLIED_WHEN_INSTALLED,
    ADVANCE_WHOLE,
];

/// The known issues.
pub(super) const ISSUES: &[KnownIssue] = &[
    KnownIssue::new(
        "batch-append-with-batched-inputs",
        "batch_append in a driver that steps several inputs before it takes their output",
        &["ack-before-durable", "no-panic"],
    )
    .clear_of(&[Hazard::BatchAppendWithBatchedInputs]),
    KnownIssue::new(
        "pre-vote-with-priorities-at-term-zero",
        "pre_vote with unequal priorities in a cluster that starts at term 0",
        &["no-panic"],
    )
    .clear_of(&[Hazard::PreVoteWithPrioritiesAtTermZero]),
    KnownIssue::new(
        "priorities-with-bare-quorum",
        "unequal priorities where only a bare majority is left",
        &["liveness"],
    )
    .clear_of(&[Hazard::PrioritiesWithBareQuorum]),
    KnownIssue::new(
        "background-snapshot-install",
        "a received snapshot is installed in the background while the library ticks on",
        &["no-panic"],
    )
    .without(|_, driver| driver.set_flag(APPLIED_WHEN_INSTALLED.name, false)),
    KnownIssue::new(
        "lone-voter-with-peers",
        "a single voter, beside nodes that learn or have yet to join, tells them of a term that is not durable",
        &["ack-before-durable"],
    )
    .clear_of(&[Hazard::LoneVoterWithPeers]),
    KnownIssue::new(
        "removed-leader-runs-on",
        "a leader that is removed, or made a learner, goes on as one",
        &["no-panic", "liveness"],
    )
    .without(|_, driver| driver.set_flag(LEAD_WHEN_REMOVED.name, false)),
    KnownIssue::new(
        "sole-voter-with-unsaved-entries",
        "a change may leave one voter, with entries on their way to its disk",
        &["no-panic"],
    )
    .clear_of(&[Hazard::SoleVoterWithUnsavedEntries]),
    KnownIssue::new(
        "mixed-check-quorum",
        "check-quorum is on at some nodes and off at others for good",
        &["liveness"],
    )
    .clear_of(&[Hazard::MixedCheckQuorum]),
    KnownIssue::new(
        "lease-reads-of-a-cut-off-leader",
        "reads by lease where a leader may lose touch with its followers",
        &["linearizability"],
    )
    .clear_of(&[Hazard::LeaseReadsOfACutOffLeader]),
    KnownIssue::new("auto-leave-before-advance", "a change with auto-leave is applied between ready and advance", &["no-panic"]).without(|_, driver| driver.set_flag(APPLY_CHANGES_EARLY.name, false)),
    KnownIssue::new("requested-snapshot-drops-entries", "a follower asks for a snapshot while it holds entries that are not known to be committed", &["monotonic"]).without(|_, driver| driver.set_flag(SNAPSHOT_REQUESTS_AHEAD.name, false)),
    KnownIssue::new("snapshot-requests-block", "a follower that waits for a snapshot may hold up the commits that the snapshot needs", &["liveness", "monotonic"]).without(|_, driver| driver.set_flag(SNAPSHOT_REQUESTS_BLOCK.name, false)),
    KnownIssue::new("learners-in-a-later-term", "a node says nothing to who leads or stands in an earlier term, though nothing else that it sends will tell", &["liveness"]).without(|_, driver| driver.set_flag(DEAF_IN_LATER_TERM.name, false)),
    KnownIssue::new("outsider-campaigns", "a node that is no voter is made to stand for election", &["no-panic", "configuration"]).without(|_, driver| driver.set_flag(CAMPAIGN_AS_OUTSIDER.name, false)),
    KnownIssue::new("late-reply-confirms-newer-reads", "a leader may be asked for a read again under a name that it has confirmed already", &["linearizability"]).without(|_, driver| driver.set_flag(REUSE_READ_NAMES.name, false)),
];

/// The options of a run, read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct DriverSwitches {
    pub(super) advance_whole: bool,
    pub(super) applied_when_installed: bool,
    pub(super) lead_when_removed: bool,
    pub(super) apply_changes_early: bool,
    pub(super) snapshot_requests_ahead: bool,
    pub(super) snapshot_requests_block: bool,
    pub(super) deaf_in_later_term: bool,
    pub(super) campaign_as_outsider: bool,
    pub(super) reuse_read_names: bool,
}

impl DriverSwitches {
    pub(super) fn of(driver: &DriverOptions) -> Self {
        let is_on = |option: DriverOption| driver.flag(option.name);
        Self {
            advance_whole: is_on(ADVANCE_WHOLE),
            applied_when_installed: is_on(APPLIED_WHEN_INSTALLED),
            lead_when_removed: is_on(LEAD_WHEN_REMOVED),
            apply_changes_early: is_on(APPLY_CHANGES_EARLY),
            snapshot_requests_ahead: is_on(SNAPSHOT_REQUESTS_AHEAD),
            snapshot_requests_block: is_on(SNAPSHOT_REQUESTS_BLOCK),
            deaf_in_later_term: is_on(DEAF_IN_LATER_TERM),
            campaign_as_outsider: is_on(CAMPAIGN_AS_OUTSIDER),
            reuse_read_names: is_on(REUSE_READ_NAMES),
        }
    }
}

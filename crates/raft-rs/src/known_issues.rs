//! What is known to go wrong in raft 0.7.0 when a driver does not know better: an option of this
//! driver lets each happen, and plans leave the options out unless a profile has the issue's knob
//! on. `docs/findings` tells of each.

use squall_core::options::DriverOptions;
use squall_core::own::{DriverOption, KnownIssue};

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

/// The options of this driver.
pub(super) const OPTIONS: &[DriverOption] = &[
    APPLY_CHANGES_EARLY,
    SNAPSHOT_REQUESTS_AHEAD,
    SNAPSHOT_REQUESTS_BLOCK,
    DEAF_IN_LATER_TERM,
    CAMPAIGN_AS_OUTSIDER,
    REUSE_READ_NAMES,
];

/// The known issues.
pub(super) const ISSUES: &[KnownIssue] = &[
    KnownIssue {
        name: "auto-leave-before-advance",
        about: "a change with auto-leave is applied between ready and advance",
        leave_out: |_, driver| driver.set_flag(APPLY_CHANGES_EARLY.name, false),
        breaks: &["no-panic"],
    },
    KnownIssue {
        name: "requested-snapshot-drops-entries",
        about: "a follower asks for a snapshot while it holds entries that are not known to be committed",
        leave_out: |_, driver| driver.set_flag(SNAPSHOT_REQUESTS_AHEAD.name, false),
        breaks: &["monotonic"],
    },
    KnownIssue {
        name: "snapshot-requests-block",
        about: "a follower that waits for a snapshot may hold up the commits that the snapshot needs",
        leave_out: |_, driver| driver.set_flag(SNAPSHOT_REQUESTS_BLOCK.name, false),
        breaks: &["liveness", "monotonic"],
    },
    KnownIssue {
        name: "learners-in-a-later-term",
        about: "a node says nothing to who leads or stands in an earlier term, though nothing else that it sends will tell",
        leave_out: |_, driver| driver.set_flag(DEAF_IN_LATER_TERM.name, false),
        breaks: &["liveness"],
    },
    KnownIssue {
        name: "outsider-campaigns",
        about: "a node that is no voter is made to stand for election",
        leave_out: |_, driver| driver.set_flag(CAMPAIGN_AS_OUTSIDER.name, false),
        breaks: &["no-panic"],
    },
    KnownIssue {
        name: "late-reply-confirms-newer-reads",
        about: "a leader may be asked for a read again under a name that it has confirmed already",
        leave_out: |_, driver| driver.set_flag(REUSE_READ_NAMES.name, false),
        breaks: &["linearizability"],
    },
];

/// The options of a run, read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triggers {
    pub(super) apply_changes_early: bool,
    pub(super) snapshot_requests_ahead: bool,
    pub(super) snapshot_requests_block: bool,
    pub(super) deaf_in_later_term: bool,
    pub(super) campaign_as_outsider: bool,
    pub(super) reuse_read_names: bool,
}

impl Triggers {
    pub(super) fn of(driver: &DriverOptions) -> Self {
        let is_on = |option: DriverOption| driver.flag(option.name);
        Self {
            apply_changes_early: is_on(APPLY_CHANGES_EARLY),
            snapshot_requests_ahead: is_on(SNAPSHOT_REQUESTS_AHEAD),
            snapshot_requests_block: is_on(SNAPSHOT_REQUESTS_BLOCK),
            deaf_in_later_term: is_on(DEAF_IN_LATER_TERM),
            campaign_as_outsider: is_on(CAMPAIGN_AS_OUTSIDER),
            reuse_read_names: is_on(REUSE_READ_NAMES),
        }
    }
}

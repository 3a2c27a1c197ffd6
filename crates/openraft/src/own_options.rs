//! Options that plans draw for openraft alone.

use squall_core::options::DriverOptions;
use squall_core::own::{DriverOption, KnownIssue, Values};
use squall_core::replica::BootContext;
use squall_world::node_files::Trouble;
use squall_world::rng::Choices;

/// Storage may keep the commit index (`RaftLogStorage::save_committed`), or leave that out.
pub(super) const KEEP_COMMIT: DriverOption = DriverOption {
    name: "keep-commit",
    about: "the storage keeps the commit index, and a restart applies up to it",
    values: Values::Flag { percent: 50 },
};

const ASK_REMOVED_LEADER: DriverOption = DriverOption::trigger(
    "ask-removed-leader",
    "a leader that does not vote, or is removed and leads on for a while, is asked for changes",
);

const TRANSFER_TO_ANYONE: DriverOption = DriverOption::trigger(
    "transfer-to-anyone",
    "a leader is asked to hand leadership to itself, and to nodes that do not vote",
);

const ANSWER_OLD_SNAPSHOT_AT_ONCE: DriverOption = DriverOption::trigger(
    "answer-old-snapshot-at-once",
    "the answer to a snapshot leaves at once, while what the node has itself of it is not durable",
);

const SNAPSHOT_OVER_LOG: DriverOption = DriverOption::trigger(
    "snapshot-over-log",
    "a snapshot is installed over a log that goes as far, without an append that compares them first",
);

const LEASE_READS_WHEN_REMOVED: DriverOption = DriverOption::trigger(
    "lease-reads-when-removed",
    "a leader that does not vote any more serves reads by its lease",
);

/// All of them.
pub(super) const OPTIONS: &[DriverOption] = &[
    KEEP_COMMIT,
    ASK_REMOVED_LEADER,
    TRANSFER_TO_ANYONE,
    ANSWER_OLD_SNAPSHOT_AT_ONCE,
    SNAPSHOT_OVER_LOG,
    LEASE_READS_WHEN_REMOVED,
];

const POWER_FAILS_IN_CALLS: DriverOption = DriverOption {
    name: "power-fails-in-calls",
    about: "the power fails between two calls of a user's storage to its disk",
    values: Values::Flag { percent: 60 },
};

const DISK_CALLS_FAIL: DriverOption = DriverOption {
    name: "disk-calls-fail",
    about: "a call of a user's storage to its disk fails",
    values: Values::Flag { percent: 25 },
};

/// The same around a user's storage, which keeps the commit index or does not.
pub(super) const OPTIONS_OF_OWN_STORAGE: &[DriverOption] = &[
    ASK_REMOVED_LEADER,
    TRANSFER_TO_ANYONE,
    ANSWER_OLD_SNAPSHOT_AT_ONCE,
    SNAPSHOT_OVER_LOG,
    POWER_FAILS_IN_CALLS,
    DISK_CALLS_FAIL,
];

/// What is to go wrong with a user's calls, and after how many of them.
pub(super) fn trouble(boot: &BootContext<'_>) -> Option<(u64, Trouble)> {
    let power = boot.driver.flag(POWER_FAILS_IN_CALLS.name);
    let calls = boot.driver.flag(DISK_CALLS_FAIL.name);
    let number = u64::from(boot.id.0) << 32 | u64::from(boot.incarnation);
    let mut choices = Choices::labelled(boot.seed, "trouble", number);
    let after = choices.skewed(0, 2_000);
    let trouble = match choices.below(4) {
        0 => return None,
        1 | 2 => Trouble::PowerFails,
        _ => Trouble::CallFails,
    };
    let is_on = match trouble {
        Trouble::PowerFails => power,
        Trouble::CallFails => calls,
    };
    is_on.then_some((after, trouble))
}

/// Known defects of openraft 0.10.0-alpha.37.
pub(super) const ISSUES: &[KnownIssue] = &[
    KnownIssue::new(
        "change-asked-of-a-removed-leader",
        "a leader that is no member, by an earlier change or by this one, fails an assertion",
        &["no-panic"],
    )
    .without(|_, driver| driver.set_flag(ASK_REMOVED_LEADER.name, false)),
    KnownIssue::new(
        "transfer-that-nobody-takes",
        "a leader that is to hand over to itself, or to no voter, takes no commands any more",
        &["liveness"],
    )
    .without(|_, driver| driver.set_flag(TRANSFER_TO_ANYONE.name, false)),
    KnownIssue::new(
        "snapshot-acknowledged-before-the-log",
        "a node that has committed what a snapshot holds takes it for installed, durable or not",
        &["ack-before-durable"],
    )
    .without(|_, driver| driver.set_flag(ANSWER_OLD_SNAPSHOT_AT_ONCE.name, false)),
    KnownIssue::new(
        "snapshot-behind-the-log",
        "a snapshot of entries that the log has, and more, moves what is submitted back",
        &["no-panic"],
    )
    .without(|_, driver| without_install_over_log(driver)),
    KnownIssue::new(
        "snapshot-over-changes-that-disagree",
        "a snapshot over a log that disagrees cuts off a change that is taken for committed",
        &["no-panic"],
    )
    .without(|_, driver| without_install_over_log(driver)),
    KnownIssue::new(
        "lease-of-a-removed-leader",
        "a leader that has removed itself serves reads while the only voter left leads already",
        &["linearizability"],
    )
    .without(|_, driver| driver.set_flag(LEASE_READS_WHEN_REMOVED.name, false)),
];

/// A snapshot that is answered at once is installed over the log, too.
fn without_install_over_log(driver: &mut DriverOptions) {
    driver.set_flag(SNAPSHOT_OVER_LOG.name, false);
    driver.set_flag(ANSWER_OLD_SNAPSHOT_AT_ONCE.name, false);
}

/// The options that bring known issues about, read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triggers {
    pub(super) ask_removed_leader: bool,
    pub(super) transfer_to_anyone: bool,
    pub(super) answer_old_snapshot_at_once: bool,
    pub(super) snapshot_over_log: bool,
    pub(super) lease_reads_when_removed: bool,
}

impl Triggers {
    pub(super) fn of(driver: &DriverOptions) -> Self {
        Self {
            ask_removed_leader: driver.flag(ASK_REMOVED_LEADER.name),
            transfer_to_anyone: driver.flag(TRANSFER_TO_ANYONE.name),
            answer_old_snapshot_at_once: driver.flag(ANSWER_OLD_SNAPSHOT_AT_ONCE.name),
            snapshot_over_log: driver.flag(SNAPSHOT_OVER_LOG.name),
            lease_reads_when_removed: driver.flag(LEASE_READS_WHEN_REMOVED.name),
        }
    }
}

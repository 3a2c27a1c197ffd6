//! Mistakes that can be switched on, one at a time: what storages for openraft are found to do.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// `append` reports entries as flushed that were committed without a sync.
    FlushNotAwaited,
    /// `append` writes each entry in a transaction of its own, and reports all when the first is
    /// durable.
    FlushedAfterFirst,
    /// `append` reports success though the commit has failed.
    SyncErrorIgnored,
    /// `save_vote` commits without a sync.
    VoteNotSynced,
    /// `save_vote` writes nothing where the term is what it was.
    VoteOfSameTermSkipped,
    /// `truncate_after` takes note of the end in memory, and what follows stays in the table.
    TruncateInMemory,
    /// `purge` remembers what it has purged in memory.
    PurgedIdInMemory,
    /// `try_get_log_entries` gives one entry too few.
    RangeOffByOne,
    /// The names of the files are not synced.
    NameNotSynced,
    /// `build_snapshot` commits without a sync; then the log is purged.
    SnapshotNotDurable,
    /// A snapshot has the state at the time at which it is written, and the log id at which it was
    /// asked for.
    StateNewerThanSnapshot,
    /// A snapshot does not have the membership.
    MembershipLeftOut,
    /// `install_snapshot` empties the state in one transaction and fills it in the next.
    InstallInTwoSteps,
    /// The applied log id is saved durably, apart from the state.
    AppliedApart,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 14] = [
        Bug::FlushNotAwaited,
        Bug::FlushedAfterFirst,
        Bug::SyncErrorIgnored,
        Bug::VoteNotSynced,
        Bug::VoteOfSameTermSkipped,
        Bug::TruncateInMemory,
        Bug::PurgedIdInMemory,
        Bug::RangeOffByOne,
        Bug::NameNotSynced,
        Bug::SnapshotNotDurable,
        Bug::StateNewerThanSnapshot,
        Bug::MembershipLeftOut,
        Bug::InstallInTwoSteps,
        Bug::AppliedApart,
    ];

    /// Its name, in lower case with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Bug::FlushNotAwaited => "flush-not-awaited",
            Bug::FlushedAfterFirst => "flushed-after-first",
            Bug::SyncErrorIgnored => "sync-error-ignored",
            Bug::VoteNotSynced => "vote-not-synced",
            Bug::VoteOfSameTermSkipped => "vote-of-same-term-skipped",
            Bug::TruncateInMemory => "truncate-in-memory",
            Bug::PurgedIdInMemory => "purged-id-in-memory",
            Bug::RangeOffByOne => "range-off-by-one",
            Bug::NameNotSynced => "name-not-synced",
            Bug::SnapshotNotDurable => "snapshot-not-durable",
            Bug::StateNewerThanSnapshot => "state-newer-than-snapshot",
            Bug::MembershipLeftOut => "membership-left-out",
            Bug::InstallInTwoSteps => "install-in-two-steps",
            Bug::AppliedApart => "applied-apart",
        }
    }
}

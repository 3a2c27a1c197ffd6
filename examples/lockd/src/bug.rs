//! Mistakes that can be injected, to see that the storm finds them. There are none in production.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Entries and votes are acknowledged before they are synced.
    AckBeforeSync,
    /// Recovery leaves a torn tail in the log, and writes on behind it.
    TornTail,
    /// Recovery takes what it reads for what was written, whatever its checksum says.
    NoChecksum,
    /// A client that connects anew sends its last request once more as a new one.
    ReplayOnReconnect,
    /// Snapshots leave out the sessions.
    SnapshotWithoutSessions,
    /// A lock's lease ends by the clock of whoever looks at it.
    WallClockLease,
}

impl Bug {
    /// All of them, with the name and one line for each.
    pub const ALL: [(Bug, &'static str, &'static str); 6] = [
        (
            Bug::AckBeforeSync,
            "ack-before-sync",
            "entries and votes are acknowledged before they are synced",
        ),
        (
            Bug::TornTail,
            "torn-tail",
            "recovery leaves a torn tail in the log, and writes on behind it",
        ),
        (
            Bug::NoChecksum,
            "no-checksum",
            "recovery takes what it reads for what was written",
        ),
        (
            Bug::ReplayOnReconnect,
            "replay-on-reconnect",
            "a client that connects anew sends its last request once more as a new one",
        ),
        (
            Bug::SnapshotWithoutSessions,
            "snapshot-without-sessions",
            "snapshots leave out the sessions",
        ),
        (
            Bug::WallClockLease,
            "wall-clock-lease",
            "a lock's lease ends by the clock of whoever looks at it",
        ),
    ];
}

/// Which mistake is in the code that runs, if one is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Injected(
    /// Looked at in simulation only.
    pub Option<Bug>,
);

impl Injected {
    /// Whether this one is. Never in production, where the compiler drops the question.
    pub fn is(self, bug: Bug) -> bool {
        cfg!(madsim) && self.0 == Some(bug)
    }
}

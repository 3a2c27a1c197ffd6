//! Named counters of what happened: proof that a sweep went where bugs live. A
//! storm so strong that nothing ever commits, or so weak that no log ever
//! diverges, tests nothing; these numbers show it.

use std::collections::BTreeMap;

macro_rules! events {
    ($($variant:ident = $name:literal, $about:literal;)*) => {
        /// Something that happens in a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs)] // Each variant's line is its text in `about`.
        pub enum Event { $($variant,)* }

        impl Event {
            /// All events.
            pub const ALL: &'static [Event] = &[$(Event::$variant,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Event::$variant => $name,)* }
            }

            /// What it is, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Event::$variant => $about,)* }
            }
        }
    };
}

events! {
    ElectionStarted = "election-started", "a node became a candidate";
    PreVoteStarted = "pre-vote-started", "a node became a pre-candidate";
    LeaderElected = "leader-elected", "a node became leader";
    LeaderChanged = "leader-changed", "a node became leader after another had been";
    LeaderSteppedDown = "leader-stepped-down", "a leader became a follower";
    TwoLeadersAtOnce = "two-leaders-at-once", "a node became leader while an older leader, unaware, still ran";
    EntryAppended = "entry-appended", "a node wrote an entry";
    EntryTruncated = "entry-truncated", "a node cut off the tail of its log because it conflicted with a leader's";
    EntryCommitted = "entry-committed", "an entry was known to be committed for the first time";
    EntryApplied = "entry-applied", "a node applied an entry";
    CommittedWithoutLeaderDisk = "committed-without-leader-disk", "an entry was committed before it was durable on its leader";
    CommittedAcrossTerms = "committed-across-terms", "an entry of an earlier term was committed by a later leader";
    CommandSent = "command-sent", "a client sent a command";
    CommandApplied = "command-applied", "a client was told that its command is applied";
    CommandRefused = "command-refused", "a client was told that its command was not taken";
    CommandTimedOut = "command-timed-out", "a client got no answer in time";
    MessageSent = "message-sent", "a node sent a message";
    MessageLost = "message-lost", "a message was lost by chance or by a fault";
    MessageCut = "message-cut", "a message was sent on a link that was cut";
    MessageOverflowed = "message-overflowed", "a message was sent on a link that was full";
    MessageDuplicated = "message-duplicated", "a message was put on its way twice";
    MessageReordered = "message-reordered", "a message was made to let others overtake it";
    MessageDelayed = "message-delayed", "a message was held back by a fault";
    MessageToDownNode = "message-to-down-node", "a message arrived at a node that was down";
    PeerUnreachable = "peer-unreachable", "a node was told that a peer cannot be reached";
    SnapshotTaken = "snapshot-taken", "a node took a snapshot of its state machine";
    SnapshotSent = "snapshot-sent", "a leader sent a snapshot";
    SnapshotLost = "snapshot-lost", "a snapshot did not arrive";
    SnapshotReportedFailed = "snapshot-reported-failed", "a leader was told that a snapshot did not arrive";
    SnapshotInstalled = "snapshot-installed", "a node put a leader's snapshot in place of its state";
    LogCompacted = "log-compacted", "a node dropped entries that a snapshot stands for";
    SyncDone = "sync-done", "a sync completed";
    SyncFailed = "sync-failed", "a sync failed";
    SyncsInFlight = "syncs-in-flight", "a node began a sync while another was in flight";
    DiskFull = "disk-full", "a disk had no room";
    DiskSlow = "disk-slow", "a disk became slow";
    RecordRotted = "record-rotted", "a durable record rotted";
    Crash = "crash", "a node lost power";
    CrashOfLeader = "crash-of-leader", "a leader lost power";
    CrashDuringSync = "crash-during-sync", "a node lost power with a sync in flight";
    WriteLost = "write-lost", "an unsynced write was lost in a crash";
    WriteKept = "write-kept", "an unsynced write survived a crash";
    WriteTorn = "write-torn", "a half-written record was read back and recognised";
    EntryLost = "entry-lost", "a node restarted with a shorter log than it had had";
    VoteLost = "vote-lost", "a node restarted without a term or vote that it had not yet synced";
    LogMended = "log-mended", "a node restarted with a log that no longer joined on to its snapshot, and mended it";
    Halt = "halt", "a node stopped itself because its disk failed";
    Restart = "restart", "a node started again";
    BootRefused = "boot-refused", "a node refused to start from a damaged disk";
    Pause = "pause", "a node stood still";
    TicksMissed = "ticks-missed", "a node found that ticks had come due while it could not run";
    LinkCut = "link-cut", "a link was cut one way";
    LeaderCutOff = "leader-cut-off", "links of a leader were cut";
    NetworkTrouble = "network-trouble", "links got worse for a while";
    LinkHeldBack = "link-held-back", "a link held messages back for a burst";
    NodeSlow = "node-slow", "messages of a node got slow";
    ClockJumped = "clock-jumped", "a clock jumped";
    ClockDrifted = "clock-drifted", "a clock changed its speed";
    HealedEveryone = "healed-everyone", "a storm ended with every node healed";
    HealedQuorum = "healed-quorum", "a storm ended with a bare majority healed";
    Converged = "converged", "a cluster converged after its storm";
}

/// How many events there are.
const COUNT: usize = Event::ALL.len();

impl Event {
    /// The event of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.name() == name)
    }
}

/// How often each event happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters([u64; COUNT]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; COUNT])
    }
}

impl Counters {
    /// It happened once more.
    #[inline]
    pub fn hit(&mut self, event: Event) {
        self.0[event as usize] += 1;
    }

    /// It happened `times` more.
    #[inline]
    pub fn add(&mut self, event: Event, times: u64) {
        self.0[event as usize] += times;
    }

    /// How often it happened.
    pub fn get(&self, event: Event) -> u64 {
        self.0[event as usize]
    }

    /// Adds another run's counters to these.
    pub fn merge(&mut self, other: &Counters) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Name and count of every event, those that never happened too.
    pub fn named(&self) -> BTreeMap<&'static str, u64> {
        Event::ALL
            .iter()
            .map(|event| (event.name(), self.get(*event)))
            .collect()
    }
}

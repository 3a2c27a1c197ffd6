//! Named counters of what happened: proof that a sweep went where bugs live. A
//! storm so strong that nothing ever commits, or so weak that no log ever
//! diverges, tests nothing; these numbers show it.

use std::collections::BTreeMap;

use crate::options::Feature;
use crate::replica::LibraryEvent;

macro_rules! events {
    ($($variant:ident = $name:literal, $about:literal;)*) => {
        /// Something that happens in a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs)] // Each variant's line is its text in `about`.
        #[non_exhaustive]
        pub enum Counter { $($variant,)* }

        impl Counter {
            /// All events.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }

            /// What it is, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Counter::$variant => $about,)* }
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
    CommandRetried = "command-retried", "a client sent a command again";
    CommandRedirected = "command-redirected", "a client was told of another node to ask";
    CommandForwarded = "command-forwarded", "a node passed a command on to the leader";
    AnswerOwed = "answer-owed", "a leader with a quorum was asked for something while nothing went wrong";
    ClientCrashed = "client-crashed", "a client crashed with an operation under way, and another took its place";
    ReadSent = "read-sent", "a client asked for a linearizable read around the log";
    ReadForwarded = "read-forwarded", "a node passed a read on to the leader";
    ReadConfirmed = "read-confirmed", "a node learnt from which index on a read may be served";
    ReadServed = "read-served", "a client got the answer to a read around the log";
    ReadServedByFollower = "read-served-by-follower", "a node that does not lead served a read around the log";
    ReadRetried = "read-retried", "a client sent a read again";
    ReadAtDeposedLeader = "read-at-deposed-leader", "a read was asked of a leader that another had replaced unnoticed";
    ReadsInFlight = "reads-in-flight", "a read was asked while another was under way";
    LeaseReadServed = "lease-read-served", "a read was served by lease";
    StaleLeaseRead = "stale-lease-read", "a read by lease was stale where none was promised to be fresh";
    OrderSearched = "order-searched", "the log's order did not explain an answer, and a search did";
    OrderUndecided = "order-undecided", "a search for an order of operations ran out of its budget";
    KeyRead = "key-read", "a client was told what a key holds";
    KeyWritten = "key-written", "a client was told that a key is changed";
    ComparisonFailed = "comparison-failed", "a client was told that a key holds something else than it expected";
    LockGranted = "lock-granted", "a client was told that it holds a lock";
    LockRenewed = "lock-renewed", "a client was told that it goes on holding a lock";
    LockAwaited = "lock-awaited", "a client was told to wait in line for a lock";
    LockHeld = "lock-held", "a client was told that another holds a lock";
    LockLost = "lock-lost", "a client was told that it no longer holds a lock";
    LockReleased = "lock-released", "a client gave a lock back";
    GuardedWrite = "guarded-write", "a write under a lock was taken";
    LeaseRevoked = "lease-revoked", "a leader took a lock whose lease had run out by its own clock";
    StaleTokenRefused = "stale-token-refused", "a write under a lock was refused for its old token";
    ChangeAppended = "change-appended", "a node wrote a change of the configuration";
    Configured = "configured", "a node went over to another configuration";
    JointEntered = "joint-entered", "a node entered a joint configuration";
    JointLeft = "joint-left", "a node left a joint configuration";
    ChangeAsked = "change-asked", "an operator asked for a change of the configuration";
    ChangeRetried = "change-retried", "an operator asked for a change again";
    ChangeDeclined = "change-declined", "a node declined a change when it was asked for it";
    ChangeSkipped = "change-skipped", "a committed change did not fit and was skipped";
    VoterAdded = "voter-added", "a committed change made a node a voter";
    VoterRemoved = "voter-removed", "a committed change removed a voter";
    VoterDemoted = "voter-demoted", "a committed change made a voter a learner";
    LearnerAdded = "learner-added", "a committed change made a node a learner";
    LearnerPromoted = "learner-promoted", "a committed change made a learner a voter";
    LearnerRemoved = "learner-removed", "a committed change removed a learner";
    LeaderRemoved = "leader-removed", "a leader was removed from its configuration";
    NodeRetired = "node-retired", "a removed node was stopped for good";
    NodeJoined = "node-joined", "a node started for the first time in a running cluster";
    CrashInJoint = "crash-in-joint", "a node lost power in a joint configuration";
    LeaderCrashedWithChange = "leader-crashed-with-change", "a leader lost power with an uncommitted change in its log";
    LeaderElectedInJoint = "leader-elected-in-joint", "a node became leader in a joint configuration";
    TransferAsked = "transfer-asked", "an operator asked for a transfer of leadership";
    TransferBegun = "transfer-begun", "a leader began to hand leadership over";
    TimeoutNowSent = "timeout-now-sent", "a leader told its successor to stand for election";
    Campaigned = "campaigned", "a node was asked to stand for election";
    SnapshotAsked = "snapshot-asked", "a follower asked its leader for a snapshot";
    SnapshotWanted = "snapshot-wanted", "a node built a snapshot because a peer needs one";
    SnapshotWithChange = "snapshot-with-change", "a snapshot brought a node a configuration that it did not know";
    CrashWithSnapshot = "crash-with-snapshot", "a node lost power with a snapshot on its way to the disk";
    FetchBegun = "fetch-begun", "the library asked for entries that were not at hand";
    FetchDone = "fetch-done", "entries fetched in the background were handed over";
    ProposalDropped = "proposal-dropped", "a leader took no command because too much was uncommitted";
    SettingChanged = "setting-changed", "a setting was changed at run time";
    Pinged = "pinged", "a leader sent heartbeats on request";
    MessageSent = "message-sent", "a node sent a message";
    MessageLost = "message-lost", "a message was lost by chance or by a fault";
    MessageCut = "message-cut", "a message was sent on a link that was cut";
    MessageOverflowed = "message-overflowed", "a message was sent on a link that was full";
    MessageDuplicated = "message-duplicated", "a message was put on its way twice";
    MessageReordered = "message-reordered", "a message was reordered: later ones may arrive before it";
    MessageDelayed = "message-delayed", "a message was held back by a fault";
    MessageToDownNode = "message-to-down-node", "a message arrived at a node that was down";
    MessageUnconnected = "message-unconnected", "a message was sent where nothing connects the two nodes";
    MessageSentAgain = "message-sent-again", "a message on a connection was lost, and sent again";
    MessageHeldInTurn = "message-held-in-turn", "a message on a connection waited for one that was sent before it";
    Connected = "connected", "two nodes were connected";
    Disconnected = "disconnected", "a node was told that a connection has ended";
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
    DiskWiped = "disk-wiped", "a node that had left started again on an empty disk";
    DiskReplaced = "disk-replaced", "a node whose disk was replaced was a voter again";
    DiskLost = "disk-lost", "a node lost its disk, and came back empty under its id";
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
    HealedQuorumInChange = "healed-quorum-in-change", "the same, with a change of the configuration that not all of them had applied";
    ConvergenceNotJudged = "convergence-not-judged", "after a storm a change came about for which those left were too few, so that they need not converge";
    Converged = "converged", "a cluster converged after its storm";
    PriorityChanged = "priority-changed", "a node was given another election priority";
    BatchAppendSwitched = "batch-append-switched", "batch-append was switched at run time";
    SkipBroadcastCommitSwitched = "skip-broadcast-commit-switched", "skip-broadcast-commit was switched at run time";
    CheckQuorumSwitched = "check-quorum-switched", "check-quorum was switched at run time";
    MaxInflightChanged = "max-inflight-changed", "the window of append messages was changed at run time";
    MaxCommittedSizeChanged = "max-committed-size-changed", "the size of portions of committed entries was changed at run time";
    GroupCommitSwitched = "group-commit-switched", "group commit was switched at run time";
    WithPreVote = "with-pre-vote", "a run had pre-vote";
    WithCheckQuorum = "with-check-quorum", "a run had check-quorum";
    WithSmallInflight = "with-small-inflight", "a run had a window of at most eight append messages";
    WithSmallMessages = "with-small-messages", "a run had append messages of at most 200 bytes, or one entry";
    WithSmallReady = "with-small-ready", "a run handed committed entries over in portions of at most 200 bytes, or one entry";
    WithBatchAppend = "with-batch-append", "a run had batch-append";
    WithSkipBroadcastCommit = "with-skip-broadcast-commit", "a run had skip-broadcast-commit";
    WithPriorities = "with-priorities", "a run had election priorities";
    WithLeaseReads = "with-lease-reads", "a run had reads by lease";
    WithUncommittedLimit = "with-uncommitted-limit", "a run had a limit on uncommitted proposals";
    WithGroupCommit = "with-group-commit", "a run had group commit";
    WithSynchronousPersistence = "with-synchronous-persistence", "a run waited for each sync";
    WithAsynchronousPersistence = "with-asynchronous-persistence", "a run went on while syncs were in flight";
    WithBatchedInputs = "with-batched-inputs", "a run stepped several inputs before it took their output";
    WithApplyLag = "with-apply-lag", "a run applied entries late";
    WithSendAfterSync = "with-send-after-sync", "a run held messages back until their output was durable, even those that need not be";
    WithAcknowledgeNewest = "with-acknowledge-newest", "a run acknowledged only the newest of several durable outputs";
    WithOwnOptions = "with-own-options", "a run had an option of the subject's own";
    WithBackgroundSnapshots = "with-background-snapshots", "a run built snapshots in the background";
    WithBackgroundInstall = "with-background-install", "a run installed received snapshots in the background";
    WithBurstTicks = "with-burst-ticks", "a run made up for missed ticks in a burst";
}

impl From<LibraryEvent> for Counter {
    fn from(event: LibraryEvent) -> Self {
        match event {
            LibraryEvent::DroppedProposal => Counter::ProposalDropped,
            LibraryEvent::DeclinedChange => Counter::ChangeDeclined,
            LibraryEvent::SkippedChange | LibraryEvent::ChangedOtherwise => Counter::ChangeSkipped,
            LibraryEvent::FetchBegun => Counter::FetchBegun,
            LibraryEvent::FetchDone => Counter::FetchDone,
            LibraryEvent::SnapshotWanted => Counter::SnapshotWanted,
            LibraryEvent::SnapshotAsked => Counter::SnapshotAsked,
            LibraryEvent::SettingChanged => Counter::SettingChanged,
            LibraryEvent::Pinged => Counter::Pinged,
            LibraryEvent::Campaigned => Counter::Campaigned,
            LibraryEvent::ForwardedRead => Counter::ReadForwarded,
            LibraryEvent::ForwardedCommand => Counter::CommandForwarded,
        }
    }
}

impl Counter {
    /// Whether it happens only where clients ask for keys and locks, or read around the log, as
    /// they do not of a machine of a user's own.
    pub fn is_of_keys_and_locks(self) -> bool {
        matches!(
            self,
            Counter::ReadSent
                | Counter::ReadForwarded
                | Counter::ReadConfirmed
                | Counter::ReadServed
                | Counter::ReadServedByFollower
                | Counter::ReadRetried
                | Counter::ReadAtDeposedLeader
                | Counter::ReadsInFlight
                | Counter::LeaseReadServed
                | Counter::StaleLeaseRead
                | Counter::KeyRead
                | Counter::KeyWritten
                | Counter::ComparisonFailed
                | Counter::LockGranted
                | Counter::LockRenewed
                | Counter::LockAwaited
                | Counter::LockHeld
                | Counter::LockLost
                | Counter::LockReleased
                | Counter::GuardedWrite
                | Counter::StaleTokenRefused
        )
    }
}

impl Counter {
    /// Whether it happens only where messages go over the bare network, and not over connections.
    pub fn is_of_bare_network(self) -> bool {
        matches!(
            self,
            Counter::MessageDuplicated | Counter::MessageOverflowed | Counter::PeerUnreachable
        )
    }
}

/// How many events there are.
const COUNT: usize = Counter::ALL.len();

impl Counter {
    /// What a subject must have for this to happen: any one of these, or nothing.
    pub fn needs(self) -> &'static [Feature] {
        match self {
            Counter::PreVoteStarted => &[Feature::PreVote],
            Counter::CommittedWithoutLeaderDisk => &[Feature::CommitBeforeLeaderDisk],
            Counter::SyncsInFlight => &[Feature::AsynchronousPersistence, Feature::Snapshots],
            Counter::CommandForwarded | Counter::ReadForwarded | Counter::ReadServedByFollower => {
                &[Feature::Forwarding]
            }
            Counter::ReadSent
            | Counter::ReadConfirmed
            | Counter::ReadServed
            | Counter::ReadRetried
            | Counter::ReadAtDeposedLeader
            | Counter::ReadsInFlight => &[Feature::ReadIndex],
            Counter::LeaseReadServed | Counter::StaleLeaseRead => &[Feature::LeaseReads],
            Counter::ChangeAsked
            | Counter::ChangeAppended
            | Counter::Configured
            | Counter::VoterAdded
            | Counter::VoterRemoved
            | Counter::LeaderRemoved
            | Counter::NodeJoined
            | Counter::NodeRetired => &[Feature::SimpleChange, Feature::JointChange],
            Counter::JointEntered
            | Counter::JointLeft
            | Counter::CrashInJoint
            | Counter::LeaderElectedInJoint => &[Feature::JointChange],
            Counter::VoterDemoted => &[Feature::Demotion],
            Counter::LearnerAdded | Counter::LearnerPromoted | Counter::LearnerRemoved => {
                &[Feature::Learners]
            }
            Counter::TransferAsked | Counter::TransferBegun | Counter::TimeoutNowSent => {
                &[Feature::Transfer]
            }
            Counter::Campaigned => &[Feature::Campaign],
            // A driver that compacts its log by a durable snapshot has one for every peer.
            Counter::SnapshotAsked | Counter::SnapshotWanted => &[Feature::RequestSnapshot],
            Counter::SnapshotTaken
            | Counter::SnapshotWithChange
            | Counter::CrashWithSnapshot
            | Counter::SnapshotSent
            | Counter::SnapshotLost
            | Counter::SnapshotReportedFailed
            | Counter::SnapshotInstalled
            | Counter::LogCompacted => &[Feature::Snapshots],
            Counter::FetchBegun | Counter::FetchDone => &[Feature::AsynchronousFetch],
            Counter::ProposalDropped => &[Feature::UncommittedLimit],
            Counter::SettingChanged
            | Counter::Pinged
            | Counter::PriorityChanged
            | Counter::BatchAppendSwitched
            | Counter::SkipBroadcastCommitSwitched
            | Counter::CheckQuorumSwitched
            | Counter::MaxInflightChanged
            | Counter::MaxCommittedSizeChanged
            | Counter::GroupCommitSwitched => &[Feature::Settings],
            Counter::WithPriorities => &[Feature::Priorities],
            Counter::WithGroupCommit => &[Feature::GroupCommit],
            _ => &[],
        }
    }

    /// What a subject must have besides one of [`Counter::needs`] for this to happen.
    pub fn needs_besides(self) -> Option<Feature> {
        match self {
            Counter::ReadForwarded | Counter::ReadServedByFollower => Some(Feature::ReadIndex),
            _ => None,
        }
    }

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
    pub fn hit(&mut self, event: Counter) {
        // Counted at every step: not in a lifetime does this come to its end.
        let count = &mut self.0[event as usize];
        *count = count.wrapping_add(1);
    }

    /// It happened `times` more.
    #[inline]
    pub fn add(&mut self, event: Counter, times: u64) {
        self.0[event as usize] += times;
    }

    /// These counts; events that are not named happened never. Names that no event has are left
    /// out.
    pub fn of_named<'a>(named: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        let mut counters = Self::default();
        for (name, times) in named {
            if let Some(event) = Counter::named(name) {
                counters.add(event, times);
            }
        }
        counters
    }

    /// How often it happened.
    pub fn get(&self, event: Counter) -> u64 {
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
        Counter::ALL
            .iter()
            .map(|event| (event.name(), self.get(*event)))
            .collect()
    }
}

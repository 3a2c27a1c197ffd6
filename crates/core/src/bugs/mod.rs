//! Injected bugs: mistakes that people make around a Raft library, put on an
//! honest subject at the seam. Each proves that a check can fire. A subject with
//! one is named `SUBJECT+BUG`, as in `raft-rs+skip-fsync`.
//!
//! To add one: a line in the table below, and its doing in `buggy_node`, or in `boot` here.

mod buggy_node;

use crate::invariants::Property;
use crate::options::Feature;
use crate::own::{DriverOption, KnownIssue};
use crate::replica::{BootContext, BootError, Message, Output, Recovered, Subject};
use crate::service::{Flaw, Service};
use crate::storage::{HardState, Journal, StableState};

pub use buggy_node::InjectedNode;

use buggy_node::Memory;

macro_rules! bugs {
    ($($variant:ident = $name:literal, $property:ident in $profile:literal, $about:literal;)*) => {
        /// A mistake around a Raft library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // Each variant's line is its text in `about`.
        pub enum Bug { $($variant,)* }

        impl Bug {
            /// All injected bugs.
            pub const ALL: &'static [Bug] = &[$(Bug::$variant,)*];

            /// Its name, which follows the subject's after a `+`.
            pub fn name(self) -> &'static str {
                match self { $(Bug::$variant => $name,)* }
            }

            /// What it does, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Bug::$variant => $about,)* }
            }

            /// The profile that has what it needs to show.
            pub fn profile(self) -> &'static str {
                match self { $(Bug::$variant => $profile,)* }
            }

            /// The check that is to catch it, where a subject does not say otherwise.
            pub fn caught_by(self) -> Property {
                match self { $(Bug::$variant => Property::$property,)* }
            }
        }
    };
}

bugs! {
    SendBeforeSync = "send-before-sync", AckBeforeDurable in "storm", "goes on, and answers, as soon as a sync has begun";
    SkipFsync = "skip-fsync", AckBeforeDurable in "storm", "never syncs at all";
    ForgetVote = "forget-vote", AckBeforeDurable in "storm", "writes its term and not its vote";
    LieAboutSync = "lie-about-sync", AckBeforeDurable in "storm", "takes a failed sync for a successful one";
    ApplyBeforeCommit = "apply-before-commit", StateMachineSafety in "storm", "applies an entry as soon as it is in the log";
    SkipSnapshotInstall = "skip-snapshot-install", AckBeforeDurable in "storm", "acknowledges a snapshot that it never writes";
    ReuseOldLogOnRestart = "reuse-old-log-on-restart", Monotonic in "storm", "restarts from an old copy of its log, without the newest third";
    DropApplied = "drop-applied", StateMachineSafety in "storm", "skips a command now and then when it applies";
    LeaderCountsItselfEarly = "leader-counts-itself-early", DurableCommit in "storm", "a leader counts its own log as durable while it still syncs";
    OverwriteAsLeader = "overwrite-as-leader", LeaderAppendOnly in "storm", "a leader rewrites the entry before the one it appends";
    GrantAnyVote = "grant-any-vote", LeaderCompleteness in "storm", "votes for a candidate whatever its log";
    CountEveryVote = "count-every-vote", ElectionSafety in "storm", "takes a refused vote for a granted one";
    FlipPayload = "flip-payload", LogMatching in "storm", "takes in an entry that was damaged on the way, without a checksum";
    SkipEntry = "skip-entry", NoPanic in "storm", "loses the first of several entries in a message";
    IgnoreSnapshotReport = "ignore-snapshot-report", Liveness in "storm", "does not tell the library when a snapshot was lost";
    ApplyRetries = "apply-retries", ExactlyOnce in "storm", "performs a command again when its client sent it again";
    SnapshotWithoutSessions = "snapshot-without-sessions", StateMachineSafety in "storm", "leaves the session table out of its snapshots";
    SnapshotWithoutTokens = "snapshot-without-tokens", StateMachineSafety in "storm", "leaves the fencing tokens out of its snapshots, so that they start again";
    SnapshotWithoutConfiguration = "snapshot-without-configuration", Configuration in "membership", "writes a snapshot with the first configuration and not the one in force";
    GuessFirstConfiguration = "guess-first-configuration", Configuration in "membership", "joins by the whole log, and takes itself for a voter from the start of that";
    GrantHeldLocks = "grant-held-locks", LockSafety in "storm", "grants a lock to whoever asks, whoever holds it";
    TakeStaleTokens = "take-stale-tokens", LockSafety in "storm", "takes writes under a lock with any token";
    RevokeRenewed = "revoke-renewed", LockSafety in "partitions", "revokes a lease that it took for run out when it led, renewed or not";
    ReadLocally = "read-locally", ReadIndex in "storm", "serves a read at once from its own state";
    StopTicksOnRestart = "stop-ticks-on-restart", Liveness in "storm", "does not start its timer again after a restart";
    SyncEntriesOnly = "sync-entries-only", AckBeforeDurable in "storm", "syncs what it writes only when there are entries in it";
    LateHardState = "late-hard-state", AckBeforeDurable in "storm", "writes term and vote after the sync of the entries that came with them";
    ForgetCommit = "forget-commit", LeaderCompleteness in "amnesia", "stores no commit index, as if it were volatile";
    CommitAhead = "commit-ahead", StateMachineSafety in "amnesia", "writes the commit index before the entries that it speaks of";
    StartOnDamage = "start-on-damage", Monotonic in "disk", "starts from a damaged journal with what can be read of it";
    KeepOldTail = "keep-old-tail", LogMatching in "storm", "leaves the rest of its log when it overwrites an entry";
    CompactBeforeSnapshot = "compact-before-snapshot", AckBeforeDurable in "storm", "compacts its log before the snapshot that stands for it is durable";
    CompactTooFar = "compact-too-far", DurableCommit in "storm", "drops entries behind the snapshot with those before it";
    LabelSnapshotEarly = "label-snapshot-early", StateMachineSafety in "storm", "labels a snapshot with the index before the one that its state has reached";
    ReplayOnRestart = "replay-on-restart", StateMachineSafety in "storm", "keeps state and applied index apart, and applies an entry again after a restart";
    ReadBeforeApplied = "read-before-applied", Linearizability in "reads", "serves a read when it is confirmed, before it has applied that much";
    AnswerLastRead = "answer-last-read", Answered in "calm", "of several reads that are confirmed together answers only the last";
    SwallowRefusals = "swallow-refusals", Answered in "elections", "does not tell a client that the leader has not taken its request";
    ForgetClients = "forget-clients", Answered in "storm", "forgets the clients that wait when its node leads no more";
    MixUpReads = "mix-up-reads", Linearizability in "reads", "gives the answer to one read to another that waits";
}

/// How a message is changed on its way into a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A vote request speaks of a log that no log is ahead of.
    FlatterCandidate,
    /// A vote reply says yes.
    GrantVote,
    /// One bit of an entry is flipped.
    FlipPayload,
    /// The first of several entries is gone.
    SkipEntry,
}

/// A subject whose messages can be changed, for bugs that do.
pub trait Tamper: Subject {
    /// Changes `message`, where it is of the kind that `change` is about.
    fn tamper(message: &mut Message<Self>, change: Change);

    /// Whether `bug` can be injected in it, and shows.
    fn can(_bug: Bug) -> bool {
        true
    }

    /// The check that is to catch `bug` on this subject.
    fn caught_by(bug: Bug) -> Property {
        bug.caught_by()
    }
}

/// A subject with an injected bug.
#[derive(Clone, Copy, Debug)]
pub struct Injected<S> {
    /// The honest subject.
    pub subject: S,
    /// The bug.
    pub bug: Bug,
}

impl Bug {
    /// The mistake in the service that it is, where it is one.
    fn flaw(self) -> Option<Flaw> {
        match self {
            Bug::ApplyRetries => Some(Flaw::ApplyRetries),
            Bug::SnapshotWithoutSessions => Some(Flaw::SnapshotWithoutSessions),
            Bug::SnapshotWithoutTokens => Some(Flaw::SnapshotWithoutTokens),
            Bug::GrantHeldLocks => Some(Flaw::GrantHeldLocks),
            Bug::TakeStaleTokens => Some(Flaw::TakeStaleTokens),
            _ => None,
        }
    }

    /// How it changes messages, where it does.
    pub(super) fn change(self) -> Option<Change> {
        match self {
            Bug::GrantAnyVote => Some(Change::FlatterCandidate),
            Bug::CountEveryVote => Some(Change::GrantVote),
            Bug::FlipPayload => Some(Change::FlipPayload),
            Bug::SkipEntry => Some(Change::SkipEntry),
            _ => None,
        }
    }
}

impl<S: Tamper> Subject for Injected<S> {
    type Replica = InjectedNode<S>;

    fn supports(&self) -> &'static [Feature] {
        self.subject.supports()
    }

    fn options(&self) -> &'static [DriverOption] {
        self.subject.options()
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        self.subject.known_issues()
    }

    fn uses_streams(&self) -> bool {
        self.subject.uses_streams()
    }

    fn service(&self) -> Service {
        self.subject.service()
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        mut disk: Recovered,
        out: &mut Output<Message<S>>,
    ) -> Result<InjectedNode<S>, BootError> {
        if self.bug == Bug::ReuseOldLogOnRestart && boot.incarnation > 0 {
            lose_newest_third(&mut disk.state);
        }
        if self.bug == Bug::StartOnDamage {
            for journal in std::mem::take(&mut disk.rotten) {
                read_up_to_damage(&mut disk.state, journal);
            }
        }
        let mut configuration = boot.configuration;
        if self.bug == Bug::GuessFirstConfiguration && !configuration.is_empty() {
            configuration.learners.remove(boot.id);
            configuration.voters.add(boot.id);
        }
        let flawed = (self.bug.flaw()).map(|flaw| boot.service.clone().with_flaw(flaw));
        let boot = BootContext {
            configuration,
            service: flawed.as_ref().unwrap_or(boot.service),
            ..boot.clone()
        };
        let memory = Memory::of(&boot, &disk.state);
        if self.bug == Bug::ReplayOnRestart && boot.incarnation > 0 {
            apply_ahead(&mut disk.state, boot.service);
        }
        let mut inner_out = Output::default();
        let inner = self.subject.boot(&boot, disk, &mut inner_out)?;
        let mut node = InjectedNode::new(inner, self.bug, &boot, memory);
        node.pass_on(0, &mut inner_out, out);
        Ok(node)
    }
}

fn lose_newest_third(state: &mut StableState) {
    let (first, last) = (state.log.first(), state.log.last());
    state
        .log
        .cut_from(last + 1 - (last + 1 - first).div_ceil(3));
}

/// What is left of a journal when all from its damaged record on is ignored. Where that record is
/// the harness does not say: here it is two thirds into the log, the only hard state, the only
/// snapshot.
fn read_up_to_damage(state: &mut StableState, journal: Journal) {
    match journal {
        Journal::HardState => state.hard = HardState::default(),
        Journal::Log => lose_newest_third(state),
        Journal::Snapshot => state.snapshot = None,
    }
}

/// Puts the state of a snapshot ahead of its index by one entry.
fn apply_ahead(state: &mut StableState, service: &Service) {
    let Some(snapshot) = &mut state.snapshot else {
        return;
    };
    let mut ahead = service.clone();
    ahead.restore(&snapshot.data);
    if let Some(next) = state.log.get(snapshot.index + 1) {
        ahead.apply(&buggy_node::command(next));
        snapshot.data = ahead.encode();
    }
}

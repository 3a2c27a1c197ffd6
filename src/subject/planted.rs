//! Planted bugs: mistakes that people make around a Raft library, put on an
//! honest subject at the seam. Each proves that a check can fire. A subject with
//! one is named `SUBJECT+BUG`, as in `raft-rs+skip-fsync`.
//!
//! To add one: a variant with its line in the table below, and its doing in
//! [`PlantedNode`].

use bytes::Bytes;

use crate::check::Property;
use crate::configuration::Configuration;
use crate::indexed::Indexed;
use crate::options::Feature;
use crate::replica::MessageKind;
use crate::replica::{
    Birth, BootError, Effect, Input, Label, Message, Observation, Output, Recovered, Replica,
    Reply, ReplyOutcome, Subject, SyncResult, Ticket,
};
use crate::service::{Flaw, Service};
use crate::stable::{Entry, EntryKind, HardState, Record, Snapshot};
use crate::types::{Index, Role};

macro_rules! bugs {
    ($($variant:ident = $name:literal, $property:ident, $about:literal;)*) => {
        /// A mistake around a Raft library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // Each variant's line is its text in `about`.
        pub enum Bug { $($variant,)* }

        impl Bug {
            /// All planted bugs.
            pub const ALL: &'static [Bug] = &[$(Bug::$variant,)*];

            /// Its name, which follows the subject's after a `+`.
            pub fn name(self) -> &'static str {
                match self { $(Bug::$variant => $name,)* }
            }

            /// What it does, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Bug::$variant => $about,)* }
            }

            /// The check that is to catch it, where a subject does not say otherwise.
            pub fn caught_by(self) -> Property {
                match self { $(Bug::$variant => Property::$property,)* }
            }
        }
    };
}

bugs! {
    SendBeforeSync = "send-before-sync", AckBeforeDurable, "goes on, and answers, as soon as a sync has begun";
    SkipFsync = "skip-fsync", AckBeforeDurable, "never syncs at all";
    ForgetVote = "forget-vote", AckBeforeDurable, "writes its term and not its vote";
    LieAboutSync = "lie-about-sync", AckBeforeDurable, "takes a failed sync for a successful one";
    ApplyBeforeCommit = "apply-before-commit", StateMachineSafety, "applies an entry as soon as it is in the log";
    SkipSnapshotInstall = "skip-snapshot-install", AckBeforeDurable, "acknowledges a snapshot that it never writes";
    ReuseOldLogOnRestart = "reuse-old-log-on-restart", Monotonic, "restarts from an old copy of its log, without the newest third";
    DropApplied = "drop-applied", StateMachineSafety, "skips a command now and then when it applies";
    LeaderCountsItselfEarly = "leader-counts-itself-early", DurableCommit, "a leader counts its own log as durable while it still syncs";
    OverwriteAsLeader = "overwrite-as-leader", LeaderAppendOnly, "a leader rewrites the entry before the one it appends";
    GrantAnyVote = "grant-any-vote", LeaderCompleteness, "votes for a candidate whatever its log";
    CountEveryVote = "count-every-vote", ElectionSafety, "takes a refused vote for a granted one";
    FlipPayload = "flip-payload", LogMatching, "takes in an entry that was damaged on the way, without a checksum";
    SkipEntry = "skip-entry", NoPanic, "loses the first of several entries in a message";
    IgnoreSnapshotReport = "ignore-snapshot-report", Liveness, "does not tell the library when a snapshot was lost";
    ApplyRetries = "apply-retries", ExactlyOnce, "performs a command again when its client sent it again";
    SnapshotWithoutSessions = "snapshot-without-sessions", StateMachineSafety, "leaves the session table out of its snapshots";
    SnapshotWithoutTokens = "snapshot-without-tokens", StateMachineSafety, "leaves the fencing tokens out of its snapshots, so that they start again";
    SnapshotWithoutConfiguration = "snapshot-without-configuration", Configuration, "writes a snapshot with the first configuration and not the one in force";
    GrantHeldLocks = "grant-held-locks", LockSafety, "grants a lock to whoever asks, whoever holds it";
    TakeStaleTokens = "take-stale-tokens", LockSafety, "takes writes under a lock with any token";
    ReadLocally = "read-locally", Linearizability, "serves a read at once from its own state";
    StopTicksOnRestart = "stop-ticks-on-restart", Liveness, "does not start its timer again after a restart";
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

    /// Whether any of its messages is of the kind that `change` is about.
    fn can(_change: Change) -> bool {
        true
    }

    /// The check that is to catch `bug` on this subject.
    fn caught_by(bug: Bug) -> Property {
        bug.caught_by()
    }
}

/// A subject with a planted bug.
#[derive(Clone, Copy, Debug)]
pub struct Planted<S> {
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

impl<S: Tamper> Subject for Planted<S> {
    type Replica = PlantedNode<S>;

    fn lacks(&self) -> &'static [Feature] {
        self.subject.lacks()
    }

    fn boot(
        &self,
        birth: &Birth<'_>,
        mut disk: Recovered,
        out: &mut Output<Message<S>>,
    ) -> Result<PlantedNode<S>, BootError> {
        if self.bug == Bug::ReuseOldLogOnRestart && birth.life > 0 {
            let (first, last) = (disk.state.log.first(), disk.state.log.last());
            disk.state
                .log
                .cut_from(last + 1 - (last + 1 - first).div_ceil(3));
        }
        let flawed = self.bug.flaw().map(Service::flawed);
        let birth = Birth {
            service: flawed.as_ref().unwrap_or(birth.service),
            ..birth.clone()
        };
        let mut service = birth.service.clone();
        let mut configuration = birth.configuration;
        if let Some(snapshot) = &disk.state.snapshot {
            service.restore(&snapshot.data);
            configuration = snapshot.configuration;
        }
        let mut log = Indexed::starting_at(disk.state.log.first());
        disk.state
            .log
            .iter()
            .for_each(|(_, entry)| log.push(entry.clone()));
        let mut inner_out = Output::default();
        let inner = self.subject.boot(&birth, disk, &mut inner_out)?;
        let mut node = PlantedNode {
            inner,
            bug: self.bug,
            id: birth.id.0.into(),
            life: birth.life,
            role: Role::Follower,
            applied: 0,
            service,
            configuration,
            log,
            scratch: Output::default(),
        };
        node.pass_on(0, &mut inner_out, out);
        Ok(node)
    }
}

/// What an entry asks of the service: nothing, where it changes the configuration.
fn command(entry: &Entry) -> Bytes {
    match entry.kind {
        EntryKind::Normal => entry.data.clone(),
        EntryKind::Configuration(_) => Bytes::new(),
    }
}

/// A node with a planted bug around an honest one.
pub struct PlantedNode<S: Subject> {
    inner: S::Replica,
    bug: Bug,
    id: u64,
    life: u32,
    role: Role,
    applied: Index,
    /// A state machine of its own, for bugs in applying.
    service: Service,
    /// The configuration of its first snapshot.
    configuration: Configuration,
    /// The log as the honest node writes it.
    log: Indexed<Entry>,
    scratch: Output<Message<S>>,
}

impl<S: Tamper> Replica for PlantedNode<S> {
    type Message = Message<S>;

    fn step(&mut self, now_us: u64, mut input: Input<Message<S>>, out: &mut Output<Message<S>>) {
        match &mut input {
            Input::Synced { .. } if self.fakes_sync() => return,
            Input::Synced { result, .. } if self.bug == Bug::LieAboutSync => {
                *result = SyncResult::Done;
            }
            Input::SnapshotSent { .. } if self.bug == Bug::IgnoreSnapshotReport => return,
            Input::Tick if self.bug == Bug::StopTicksOnRestart && self.life > 0 => return,
            Input::Read(request) if self.bug == Bug::ReadLocally => {
                if let Some(answer) = self.service.query(&request.command) {
                    out.replies.push(Reply {
                        client: request.client,
                        sequence: request.sequence,
                        outcome: ReplyOutcome::Read {
                            index: self.applied,
                            answer,
                        },
                    });
                }
                return;
            }
            Input::Deliver { message, .. } => {
                if let Some(change) = self.change(S::Replica::label(message).kind) {
                    S::tamper(message, change);
                }
            }
            _ => {}
        }
        self.step_inner(now_us, input, out);
    }

    fn label(message: &Self::Message) -> Label {
        S::Replica::label(message)
    }

    fn describe(message: &Self::Message) -> String {
        S::Replica::describe(message)
    }
}

impl<S: Tamper> PlantedNode<S> {
    fn step_inner(&mut self, now_us: u64, input: Input<Message<S>>, out: &mut Output<Message<S>>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        self.inner.step(now_us, input, &mut scratch);
        self.pass_on(now_us, &mut scratch, out);
        scratch.clear();
        self.scratch = scratch;
    }

    /// Passes on what the honest node wants, with the bug in it.
    fn pass_on(
        &mut self,
        now_us: u64,
        inner: &mut Output<Message<S>>,
        out: &mut Output<Message<S>>,
    ) {
        let mut fake = Vec::new();
        for effect in inner.effects.drain(..) {
            match effect {
                Effect::Sync(ticket) => self.sync(ticket, &mut fake, out),
                Effect::Write(record) => self.write(record, out),
                Effect::Observe(seen) => self.observe(seen, out),
            }
        }
        out.sends.append(&mut inner.sends);
        out.replies.append(&mut inner.replies);
        out.halt = out.halt.or(inner.halt);
        for ticket in fake {
            let result = SyncResult::Done;
            self.step_inner(now_us, Input::Synced { ticket, result }, out);
        }
    }

    /// Whether it tells the honest node of its own accord that a sync is done.
    fn fakes_sync(&self) -> bool {
        matches!(self.bug, Bug::SendBeforeSync | Bug::SkipFsync)
    }

    fn sync(&self, ticket: Ticket, fake: &mut Vec<Ticket>, out: &mut Output<Message<S>>) {
        if self.bug != Bug::SkipFsync {
            out.sync(ticket);
        }
        let early = self.bug == Bug::LeaderCountsItselfEarly && self.role == Role::Leader;
        if self.fakes_sync() || early {
            fake.push(ticket);
        }
    }

    fn write(&mut self, record: Record, out: &mut Output<Message<S>>) {
        match record {
            Record::HardState(hard) if self.bug == Bug::ForgetVote => {
                out.write(Record::HardState(HardState { vote: None, ..hard }));
            }
            Record::Snapshot(snapshot) if snapshot.index > self.applied => {
                self.service.restore(&snapshot.data);
                if self.bug != Bug::SkipSnapshotInstall {
                    out.write(Record::Snapshot(snapshot));
                }
            }
            Record::Snapshot(snapshot) if self.bug == Bug::SnapshotWithoutConfiguration => {
                let configuration = self.configuration;
                out.write(Record::Snapshot(Snapshot {
                    configuration,
                    ..snapshot
                }));
            }
            Record::Entry { index, entry } => self.write_entry(index, entry, out),
            Record::LogReset { next } => {
                self.log.restart_at(next);
                out.write(record);
            }
            Record::LogCompact { through } => {
                self.log.drop_through(through.min(self.applied));
                out.write(record);
            }
            record => out.write(record),
        }
    }

    fn write_entry(&mut self, index: Index, entry: Entry, out: &mut Output<Message<S>>) {
        let rewrites = self.bug == Bug::OverwriteAsLeader && self.role == Role::Leader;
        let before = self.log.get(index.saturating_sub(1));
        if let Some(before) = before.filter(|_| rewrites && index.is_multiple_of(8)) {
            let before = before.clone();
            out.write(Record::Entry {
                index: index - 1,
                entry: before,
            });
        }
        self.log.place(index, entry.clone());
        let data = command(&entry);
        out.write(Record::Entry { index, entry });
        if self.bug == Bug::ApplyBeforeCommit && index == self.applied + 1 {
            self.apply(index, &data, out);
        }
    }

    fn apply(&mut self, index: Index, data: &[u8], out: &mut Output<Message<S>>) {
        let skips = self.bug == Bug::DropApplied && index % 16 == self.id % 16;
        if !skips {
            self.service.apply(data);
        }
        self.applied = index;
        let state = self.service.state();
        out.observe(Observation::Applied { index, state });
    }

    fn observe(&mut self, seen: Observation, out: &mut Output<Message<S>>) {
        match seen {
            Observation::Role { role, .. } => self.role = role,
            Observation::Installed { index, .. } => self.applied = index,
            Observation::Started { applied, .. } => self.applied = applied,
            Observation::Applied { index, .. } if self.bug == Bug::DropApplied => {
                let data = self.log.get(index).map(command);
                self.apply(index, &data.unwrap_or_default(), out);
                return;
            }
            Observation::Applied { index, .. } if self.bug == Bug::ApplyBeforeCommit => {
                if index <= self.applied {
                    return;
                }
                self.applied = index;
            }
            Observation::Applied { index, .. } => {
                self.applied = index;
                if self.bug == Bug::ReadLocally {
                    let data = self.log.get(index).map(command);
                    self.service.apply(&data.unwrap_or_default());
                }
            }
            _ => {}
        }
        out.observe(seen);
    }

    fn change(&self, kind: MessageKind) -> Option<Change> {
        let change = self.bug.change()?;
        let about = match change {
            Change::FlatterCandidate => MessageKind::Vote,
            Change::GrantVote => MessageKind::VoteReply,
            Change::FlipPayload | Change::SkipEntry => MessageKind::Append,
        };
        (kind == about).then_some(change)
    }
}

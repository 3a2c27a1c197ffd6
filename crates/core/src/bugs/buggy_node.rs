//! A node with an injected bug: an honest one, whose inputs and outputs pass through here.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Bug, Change, Tamper};
use crate::configuration::Configuration;
use crate::ids::{Index, Role};
use crate::log_vec::Indexed;
use crate::replica::{
    BootContext, Effect, Input, Label, Message, MessageKind, Observation, Output, Replica, Reply,
    ReplyOutcome, Subject, SyncId, SyncResult,
};
use crate::service::{Command, Operation, Service};
use crate::storage::{Entry, EntryKind, HardState, Record, Snapshot, StableState};

/// What an entry asks of the service: nothing, where it changes the configuration.
pub(super) fn command(entry: &Entry) -> Bytes {
    match entry.kind {
        EntryKind::Normal => entry.data.clone(),
        EntryKind::Configuration(_) => Bytes::new(),
    }
}

/// Puts the newest commit index before the entries that are written with it, up to each sync.
fn put_commit_first<M>(inner: &mut Output<M>) {
    let mut unsynced = Vec::new();
    for effect in inner.effects_mut() {
        match effect {
            Effect::Write(record) => unsynced.push(record),
            Effect::Sync(_) => put_first(&mut std::mem::take(&mut unsynced)),
            Effect::Observe(_) => {}
        }
    }
    put_first(&mut unsynced);
}

fn put_first(writes: &mut [&mut Record]) {
    let is_entry = |record: &&mut Record| matches!(record, Record::Entry { .. });
    let is_commit = |record: &&mut Record| matches!(record, Record::Commit { .. });
    let entry = writes.iter().position(is_entry);
    let commit = writes.iter().rposition(is_commit);
    if let (Some(entry), Some(commit)) = (entry, commit) {
        // The commit index moves ahead of one write after another, each of which takes its place.
        for at in (entry..commit).rev() {
            let (before, after) = writes.split_at_mut(at + 1);
            std::mem::swap(&mut *before[at], &mut *after[0]);
        }
    }
}

/// Has what asks for a lease to be revoked not look whether it has been renewed since.
fn revoke_blindly(data: &mut Bytes) {
    if let Some(mut command) = Command::decode(data)
        && let Operation::Revoke { blind, .. } = &mut command.operation
    {
        *blind = true;
        *data = command.encode(0);
    }
}

/// What a node with an injected bug remembers beside the honest one.
pub(super) struct Memory {
    /// A state machine of its own, for bugs in applying and reading.
    service: Service,
    /// The configuration of its first snapshot.
    configuration: Configuration,
    /// The log as the honest node writes it.
    log: Indexed<Entry>,
}

impl Memory {
    /// What a disk kept.
    pub(super) fn of(boot: &BootContext<'_>, state: &StableState) -> Self {
        let mut service = boot.service.clone();
        let mut configuration = boot.configuration;
        if let Some(snapshot) = &state.snapshot {
            service.restore(&snapshot.data);
            configuration = snapshot.configuration;
        }
        let mut log = Indexed::starting_at(state.log.first());
        let entries = state.log.iter();
        entries.for_each(|(_, entry)| log.push(entry.clone()));
        Self {
            service,
            configuration,
            log,
        }
    }
}

/// A node with an injected bug around an honest one.
pub struct InjectedNode<S: Subject> {
    inner: S::Replica,
    bug: Bug,
    id: u64,
    incarnation: u32,
    role: Role,
    applied: Index,
    memory: Memory,
    /// Term and vote that are still to be written.
    late: Option<Record>,
    /// Something but term and vote has been written since the last sync.
    has_entries: bool,
    /// Reads asked here and not answered yet: client, sequence number and command.
    reads: VecDeque<(u32, u64, Bytes)>,
    /// Commands asked here, by client and sequence number, and whether they are forgotten.
    asked: Vec<(u32, u64, bool)>,
    scratch: Output<Message<S>>,
}

impl<S: Tamper> Replica for InjectedNode<S> {
    type Message = Message<S>;

    fn step(&mut self, now_us: u64, mut input: Input<Message<S>>, out: &mut Output<Message<S>>) {
        match &mut input {
            Input::Synced { .. } if self.fakes_sync() => return,
            Input::Synced { result, .. } if self.bug == Bug::LieAboutSync => {
                *result = SyncResult::Done;
            }
            Input::SnapshotSent { .. } if self.bug == Bug::IgnoreSnapshotReport => return,
            Input::Tick if self.bug == Bug::StopTicksOnRestart && self.incarnation > 0 => return,
            Input::Read(request) => {
                let read = (request.client, request.sequence, request.command.clone());
                if self.bug == Bug::ReadLocally {
                    self.serve(read, out);
                    return;
                }
                self.reads.retain(|(client, ..)| *client != read.0);
                self.reads.push_back(read);
            }
            Input::Request(request) if self.bug == Bug::RevokeRenewed => {
                revoke_blindly(&mut request.command);
            }
            Input::Request(request) if self.bug == Bug::ForgetClients => {
                let (client, sequence) = (request.client, request.sequence);
                self.asked.retain(|(other, ..)| *other != client);
                self.asked.push((client, sequence, false));
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

impl<S: Tamper> InjectedNode<S> {
    pub(super) fn new(inner: S::Replica, bug: Bug, boot: &BootContext<'_>, memory: Memory) -> Self {
        Self {
            inner,
            bug,
            id: boot.id.0.into(),
            incarnation: boot.incarnation,
            role: Role::Follower,
            applied: 0,
            memory,
            late: None,
            has_entries: false,
            reads: VecDeque::new(),
            asked: Vec::new(),
            scratch: Output::default(),
        }
    }

    fn step_inner(&mut self, now_us: u64, input: Input<Message<S>>, out: &mut Output<Message<S>>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        self.inner.step(now_us, input, &mut scratch);
        self.pass_on(now_us, &mut scratch, out);
        scratch.clear();
        self.scratch = scratch;
    }

    /// Passes on what the honest node wants, with the bug in it.
    pub(super) fn pass_on(
        &mut self,
        now_us: u64,
        inner: &mut Output<Message<S>>,
        out: &mut Output<Message<S>>,
    ) {
        let mut fake = Vec::new();
        if let Some(late) = self.late.take() {
            out.write(late);
        }
        if self.bug == Bug::CommitAhead {
            put_commit_first(inner);
        }
        for effect in inner.take_effects() {
            match effect {
                Effect::Sync(sync) => self.sync(sync, &mut fake, out),
                Effect::Write(record) => self.write(record, out),
                Effect::Observe(seen) => self.observe(seen, out),
            }
        }
        out.send_all(inner.take_sends());
        let is_read = |reply: &Reply| matches!(reply.outcome, ReplyOutcome::Read { .. });
        let mut reads = inner
            .replies()
            .iter()
            .filter(|reply| is_read(reply))
            .count();
        for reply in inner.drain_replies() {
            reads -= usize::from(is_read(&reply));
            if self.bug != Bug::AnswerLastRead || !is_read(&reply) || reads == 0 {
                self.reply(reply, out);
            }
        }
        if let Some(reason) = inner.take_halt() {
            out.halt(reason);
        }
        for sync in fake {
            let result = SyncResult::Done;
            self.step_inner(now_us, Input::Synced { sync, result }, out);
        }
    }

    /// Whether it tells the honest node of its own accord that a sync is done.
    fn fakes_sync(&self) -> bool {
        matches!(self.bug, Bug::SendBeforeSync | Bug::SkipFsync)
    }

    fn sync(&mut self, sync: SyncId, fake: &mut Vec<SyncId>, out: &mut Output<Message<S>>) {
        let spares = self.bug == Bug::SyncEntriesOnly && !self.has_entries;
        self.has_entries = false;
        if self.bug != Bug::SkipFsync && !spares {
            out.sync(sync);
        }
        let early = self.bug == Bug::LeaderCountsItselfEarly && self.role == Role::Leader;
        if self.fakes_sync() || early || spares {
            fake.push(sync);
        }
    }

    fn write(&mut self, record: Record, out: &mut Output<Message<S>>) {
        self.has_entries |= !matches!(record, Record::HardState(_));
        match record {
            Record::HardState(_) if self.bug == Bug::LateHardState => self.late = Some(record),
            Record::Commit { .. } if self.bug == Bug::ForgetCommit => {}
            Record::HardState(hard) if self.bug == Bug::ForgetVote => {
                out.write(Record::HardState(HardState { vote: None, ..hard }));
            }
            Record::Snapshot(snapshot) if snapshot.index > self.applied => {
                self.memory.service.restore(&snapshot.data);
                if self.bug != Bug::SkipSnapshotInstall {
                    out.write(Record::Snapshot(snapshot));
                }
            }
            Record::Snapshot(snapshot) if self.bug == Bug::SnapshotWithoutConfiguration => {
                let configuration = self.memory.configuration;
                out.write(Record::Snapshot(Box::new(Snapshot {
                    configuration,
                    ..*snapshot
                })));
            }
            Record::Snapshot(snapshot) if self.bug == Bug::LabelSnapshotEarly => {
                let index = snapshot.index - 1;
                let before = self.memory.log.get(index).map(|entry| entry.term);
                out.write(Record::Snapshot(match before {
                    Some(term) => Box::new(Snapshot {
                        index,
                        term,
                        ..*snapshot
                    }),
                    None => snapshot,
                }));
            }
            Record::Snapshot(snapshot) if self.bug == Bug::CompactBeforeSnapshot => {
                let through = snapshot.index;
                out.write(Record::Snapshot(snapshot));
                out.write(Record::LogCompact { through });
            }
            Record::Entry { index, entry } => self.write_entry(index, entry, out),
            Record::LogReset { next } => {
                self.memory.log.restart_at(next);
                out.write(record);
            }
            Record::LogCompact { through } if self.bug == Bug::CompactTooFar => {
                let through = (through + 4).min(self.memory.log.last());
                out.write(Record::LogCompact { through });
            }
            Record::LogCompact { through } => {
                self.memory.log.drop_through(through.min(self.applied));
                out.write(record);
            }
            record => out.write(record),
        }
    }

    fn write_entry(&mut self, index: Index, entry: Entry, out: &mut Output<Message<S>>) {
        let rewrites = self.bug == Bug::OverwriteAsLeader && self.role == Role::Leader;
        let before = self.memory.log.get(index.saturating_sub(1));
        if let Some(before) = before.filter(|_| rewrites && index.is_multiple_of(8)) {
            let before = before.clone();
            out.write(Record::Entry {
                index: index - 1,
                entry: before,
            });
        }
        let last = self.memory.log.last();
        let tail = (index + 1..=last).filter_map(|at| Some((at, self.memory.log.get(at)?.clone())));
        let tail: Vec<(Index, Entry)> = match self.bug {
            Bug::KeepOldTail => tail.collect(),
            _ => Vec::new(),
        };
        self.memory.log.place(index, entry.clone());
        let data = command(&entry);
        out.write(Record::Entry { index, entry });
        for (index, entry) in tail {
            out.write(Record::Entry { index, entry });
        }
        if self.bug == Bug::ApplyBeforeCommit && index == self.applied + 1 {
            self.apply(index, &data, out);
        }
    }

    fn apply(&mut self, index: Index, data: &[u8], out: &mut Output<Message<S>>) {
        let skips = self.bug == Bug::DropApplied && index % 16 == self.id % 16;
        if !skips {
            self.memory.service.apply(data);
        }
        self.applied = index;
        let state = self.memory.service.state();
        out.observe(Observation::Applied { index, state });
    }

    fn observe(&mut self, seen: Observation, out: &mut Output<Message<S>>) {
        match seen {
            Observation::Role { role, .. } => {
                if self.role == Role::Leader && role != Role::Leader {
                    self.asked
                        .iter_mut()
                        .for_each(|(.., forgotten)| *forgotten = true);
                }
                self.role = role;
            }
            Observation::Installed { index, .. } => self.applied = index,
            Observation::Started { applied, .. } => self.applied = applied,
            Observation::Applied { index, .. } if self.bug == Bug::DropApplied => {
                let data = self.memory.log.get(index).map(command);
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
                if matches!(self.bug, Bug::ReadLocally | Bug::ReadBeforeApplied) {
                    let data = self.memory.log.get(index).map(command);
                    self.memory.service.apply(&data.unwrap_or_default());
                }
            }
            Observation::ReadConfirmed { index } if self.bug == Bug::ReadBeforeApplied => {
                if let Some(read) = self.reads.pop_front().filter(|_| self.applied < index) {
                    self.serve(read, out);
                }
            }
            _ => {}
        }
        out.observe(seen);
    }

    /// Serves a read from its own state machine, as it is now.
    fn serve(&mut self, read: (u32, u64, Bytes), out: &mut Output<Message<S>>) {
        let (client, sequence, command) = read;
        let Some(answer) = self.memory.service.query(&command) else {
            return;
        };
        out.reply(Reply {
            client,
            sequence,
            outcome: ReplyOutcome::Read {
                index: self.applied,
                answer,
            },
        });
    }

    fn reply(&mut self, mut reply: Reply, out: &mut Output<Message<S>>) {
        if let ReplyOutcome::Read { .. } = reply.outcome {
            self.reads.retain(|(client, ..)| *client != reply.client);
            if self.bug == Bug::MixUpReads
                && let Some((client, sequence, _)) = self.reads.pop_front()
            {
                (reply.client, reply.sequence) = (client, sequence);
            }
        }
        let forgotten = (reply.client, reply.sequence, true);
        let swallowed = match reply.outcome {
            ReplyOutcome::Refused { .. } => {
                self.bug == Bug::SwallowRefusals && self.role == Role::Leader
            }
            _ => self.asked.contains(&forgotten),
        };
        if !swallowed {
            out.reply(reply);
        }
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

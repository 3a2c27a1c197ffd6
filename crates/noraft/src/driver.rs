//! An honest driver around `Node`: it carries out what noraft 0.7.1 asks for
//! (`Action`), in the order that it documents, and calls nothing that it forbids.
//!
//! - Inputs are handed over one by one, or several before the actions are carried out (documented
//!   as pipelining), and then the actions of all of them as noraft has merged them.
//! - What is to be saved is written first, term and vote in one record; then a sync; and only when
//!   that is done the messages leave, commands are applied and clients answered. Until then nothing
//!   else is handed to the node: noraft counts its own log as durable at once, and says that its
//!   guarantees hold only if storage comes first.
//! - Nothing to save, nothing to wait for.
//! - Commands are the driver's: a message carries those of the entries in it.
//! - A snapshot from a leader is made durable before the log that it replaces is given up, and one
//!   of its own before the log is compacted.
//! - A failed sync stops the node: what it covered may be lost, and a retry would not tell (see
//!   `disk`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use noraft::{ClusterConfig, Node};

use super::apply::{Backlog, OwnSnapshot};
use super::entries;
use super::known_issues::Triggers;
use super::messages::{self, Message};
use super::reads::Reads;
use super::reproduction::Note;
use squall_core::adapter::election_timer::ElectionTimer;
use squall_core::adapter::reports::Reports;
use squall_core::adapter::state_machine::StateMachine;
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::log_vec::Indexed;
use squall_core::operator::Admin;
use squall_core::options::{DriverOptions, MissedTicks};
use squall_core::replica::{
    BootContext, Input, Label, Output, Replica, Request, Start, SyncId, SyncResult,
};
use squall_core::reproduction::Tape;
use squall_core::storage::{Entry, Snapshot};

/// One node of noraft 0.7.1.
pub struct NoraftNode {
    pub(super) id: NodeId,
    pub(super) node: Node,
    pub(super) machine: StateMachine,
    pub(super) options: DriverOptions,
    pub(super) triggers: Triggers,
    /// Bytes of entries in one append; 0 means one entry.
    pub(super) max_size: u64,
    timer: ElectionTimer,
    /// What has arrived and is not yet handed to the node.
    inbox: VecDeque<Input<Message>>,
    wait: Wait,
    syncs: u64,
    /// The vote that was written last, and its term.
    pub(super) saved_vote: (Term, Option<NodeId>),
    /// In which term the first of the entries that are to be saved came.
    pub(super) unsaved_since: Option<Term>,
    /// How far the log is known to be that of this term's leader.
    pub(super) agreed: (Term, NodeId, Index),
    /// The log as it is written, commands and all. Where noraft has cut its own copy and not
    /// yet said by what to replace the rest, this one is longer.
    pub(super) log: Indexed<Entry>,
    /// Commands proposed or received that noraft has not asked to be written yet.
    pub(super) fresh: BTreeMap<(Index, Term), Bytes>,
    /// The newest durable snapshot.
    pub(super) snapshot: Option<Snapshot>,
    /// Peers that a snapshot is on its way to.
    pub(super) sending: BTreeSet<NodeId>,
    /// What is committed and not applied yet, oldest first.
    pub(super) backlog: VecDeque<Backlog>,
    /// The last index put into the backlog, or applied past it.
    pub(super) scheduled: Index,
    pub(super) reads: Reads,
    pub(super) shown: Reported,
    /// Log growth since the last snapshot.
    pub(super) grown_bytes: u64,
    pub(super) own_snapshot: Option<OwnSnapshot>,
    /// What it calls is taken down there.
    pub(super) tape: Option<Tape<Note>>,
}

/// What the node waits for before it does anything else.
enum Wait {
    Nothing,
    /// For recovery's writes.
    Boot(SyncId),
    /// For what it was asked to save, before these messages leave.
    Saved(SyncId, Vec<Message>),
    /// For a leader's snapshot, before the log may be given up for it.
    Snapshot(SyncId, Snapshot),
}

/// What has been reported last.
pub(super) struct Reported {
    pub(super) reports: Reports,
    pub(super) applied: Index,
    /// The configuration, and the entry that it comes from.
    pub(super) configuration: (Index, ClusterConfig),
}

impl NoraftNode {
    pub(super) fn new(boot: &BootContext<'_>, node: Node, start: Start) -> Self {
        let state = &start.state;
        let applied = state.snapshot_index();
        let shown = Reported {
            reports: Reports::new(&start),
            applied,
            configuration: (applied, node.log().snapshot_config().clone()),
        };
        Self {
            id: boot.id,
            node,
            machine: StateMachine::new(start.service),
            options: boot.driver.clone(),
            triggers: Triggers::of(boot.driver),
            max_size: boot.raft.max_size_per_message,
            timer: ElectionTimer::new(boot),
            inbox: VecDeque::new(),
            wait: Wait::Nothing,
            syncs: 0,
            saved_vote: (state.hard.term, state.hard.vote),
            unsaved_since: None,
            agreed: (0, boot.id, 0),
            log: entries::contents(state),
            fresh: BTreeMap::new(),
            snapshot: start.state.snapshot,
            sending: BTreeSet::new(),
            backlog: VecDeque::new(),
            scheduled: applied,
            reads: Reads::default(),
            shown,
            grown_bytes: 0,
            own_snapshot: None,
            tape: None,
        }
    }

    /// Takes down what is about to be called, where somebody wants to know.
    #[inline(always)]
    pub(super) fn note(&self, note: impl FnOnce() -> Note) {
        if let Some(tape) = &self.tape {
            tape.note(self.id, note());
        }
    }

    /// Asks for a sync of what recovery wrote, and waits for it before all else.
    pub(super) fn sync_before_anything(&mut self, out: &mut Output<Message>) {
        let sync = self.sync(out);
        self.wait = Wait::Boot(sync);
    }

    pub(super) fn sync(&mut self, out: &mut Output<Message>) -> SyncId {
        self.syncs += 1;
        let sync = SyncId(self.syncs);
        out.sync(sync);
        sync
    }

    /// Waits for the writes so far, and sends these messages then.
    pub(super) fn wait_to_send(&mut self, messages: Vec<Message>, out: &mut Output<Message>) {
        let sync = self.sync(out);
        self.wait = Wait::Saved(sync, messages);
    }

    /// Waits for a leader's snapshot to be durable.
    pub(super) fn wait_to_install(&mut self, snapshot: Snapshot, out: &mut Output<Message>) {
        let sync = self.sync(out);
        self.wait = Wait::Snapshot(sync, snapshot);
    }

    fn waits(&self) -> bool {
        !matches!(self.wait, Wait::Nothing)
    }

    /// Does all that can be done now.
    fn run(&mut self, now_us: u64, out: &mut Output<Message>) {
        while !self.waits() {
            self.look_after(now_us, out);
            let worked = self.hand_over(out);
            match self.node.actions().is_empty() {
                _ if self.waits() => {}
                false => self.carry_out(now_us, out),
                // What is committed asks for no action.
                true if worked => self.finish(Vec::new(), now_us, out),
                true => break,
            }
        }
    }

    /// Does what has come due beside the library.
    #[inline]
    fn look_after(&mut self, now_us: u64, out: &mut Output<Message>) {
        self.drain_backlog(now_us, out);
        self.poll_snapshot(now_us, out);
        self.tend_reads(out);
    }

    /// Hands inputs to the node, as many as the options say, and returns whether there was
    /// one. What makes it a leader is carried out before anything else comes, and a snapshot
    /// finds nothing left to carry out.
    fn hand_over(&mut self, out: &mut Output<Message>) -> bool {
        for count in 0..self.options.inputs_per_ready {
            let snapshot = |input: &Input<Message>| {
                matches!(
                    input,
                    Input::Deliver {
                        message: Message::Snapshot { .. },
                        ..
                    }
                )
            };
            let idle = self.node.actions().is_empty();
            let next = self.inbox.front();
            if !idle && next.is_some_and(|next| snapshot(next) || self.must_save_before(next)) {
                return true;
            }
            let Some(input) = self.inbox.pop_front() else {
                return count > 0;
            };
            self.handle(input, out);
            let new_leader =
                self.node.role().is_leader() && !(self.shown.reports.last_role() == Role::Leader);
            if new_leader || self.waits() {
                return true;
            }
        }
        true
    }

    /// Whether what is to be saved is to be saved before `next` comes. noraft merges entries
    /// of an earlier term wrongly with those of another leader (see `FINDINGS.md`); and who has
    /// committed what is not saved is to save it before it goes by another configuration: a lone
    /// voter, or one whose tail a leader has replaced.
    fn must_save_before(&self, next: &Input<Message>) -> bool {
        let Some(since) = self.unsaved_since else {
            return false;
        };
        match next {
            Input::Deliver {
                message: Message::Raft { message, .. },
                ..
            } => {
                let appends = matches!(message, noraft::Message::AppendEntriesCall { .. });
                let later = since < message.term().get();
                appends && later && !self.triggers.merge_across_terms
            }
            Input::Admin(Admin::Change(_)) => self.node.commit_index().get() > self.written(),
            _ => false,
        }
    }

    /// Whether the inputs at hand are to be handed over now. A driver that batches
    /// collects them until it has enough, or until its next tick.
    fn has_batch(&self, input: &Input<Message>) -> bool {
        let full = self.inbox.len() + 1 >= self.options.inputs_per_ready as usize;
        full || matches!(input, Input::Tick)
    }

    fn handle(&mut self, input: Input<Message>, out: &mut Output<Message>) {
        match input {
            Input::Tick => {
                if self.timer.tick() {
                    self.note(|| Note::TimeOut);
                    self.node.handle_election_timeout();
                }
            }
            Input::Deliver { from, message } => match message {
                Message::Raft {
                    message,
                    content,
                    round,
                    ..
                } => self.receive(from, &message, content, round),
                Message::Snapshot { term, snapshot, .. } => {
                    self.receive_snapshot(from, term, snapshot, out)
                }
            },
            Input::Request(request) => self.propose(request, out),
            Input::Read(request) => self.read(request, out),
            Input::Admin(admin) => self.administer(admin, out),
            Input::SnapshotSent { peer, .. } => {
                self.sending.remove(&peer);
            }
            // noraft asks for no such news: it keeps no state of its peers' connections.
            Input::Unreachable { .. } | Input::Connection { .. } => {}
            Input::Synced { .. } => unreachable!("a sync's end is never queued"),
        }
        self.mind_timer();
        if self.unsaved_since.is_none() && self.node.actions().append_log_entries.is_some() {
            self.unsaved_since = Some(self.node.current_term().get());
        }
        if !self.node.role().is_leader() {
            if self.shown.reports.last_role() == Role::Leader {
                // It may do so because of what it has committed. What is written is durable here.
                self.show_commit(self.written().min(self.told_so_far()), out);
            }
            self.show_role(out);
        }
    }

    /// Sets the timer, if that has been asked for.
    #[inline]
    pub(super) fn mind_timer(&mut self) {
        if std::mem::take(&mut self.node.actions_mut().set_election_timeout) {
            self.timer.set(self.role());
        }
    }

    fn receive(
        &mut self,
        from: NodeId,
        message: &noraft::Message,
        content: Vec<Bytes>,
        round: u64,
    ) {
        if let noraft::Message::AppendEntriesCall { entries, .. } = message {
            assert_eq!(entries.len(), content.len(), "entries come with their data");
            let positions = entries.iter_with_positions();
            for ((position, entry), data) in positions.zip(content) {
                if entry == noraft::LogEntry::Command {
                    let at = (position.index.get(), position.term.get());
                    self.fresh.insert(at, data);
                }
            }
        }
        self.note(|| Note::Step(from, message.clone()));
        if let Err(error) = self.node.handle_message(message) {
            // "The crate user should stop using this node": it cannot happen on an honest disk.
            panic!("noraft gives up: {error}");
        }
        let term = message.term().get();
        match message {
            noraft::Message::AppendEntriesCall { entries, .. } => {
                self.reads.hear(from, term, round);
                let end = entries.last_position();
                let is_current = term == self.node.current_term().get();
                if is_current && self.node.log().entries().contains(end) {
                    self.agree(term, from, end.index.get());
                }
            }
            noraft::Message::AppendEntriesReply { .. } => self.note_answer(from, term, round),
            _ => {}
        }
    }

    /// The log up to `index` is that of the leader of this term.
    pub(super) fn agree(&mut self, term: Term, leader: NodeId, index: Index) {
        let (known_in, _, known) = self.agreed;
        let known = if known_in == term { known } else { 0 };
        self.agreed = (term, leader, known.max(index));
    }

    fn propose(&mut self, request: Request, out: &mut Output<Message>) {
        self.note(|| Note::Propose);
        let position = self.node.propose_command();
        if position.is_invalid() {
            let leader = self.leader();
            self.machine.refuse(&request, leader, out);
            return;
        }
        let at = (position.index.get(), position.term.get());
        self.machine.take(request.client, request.sequence);
        self.fresh.insert(at, request.command);
    }

    /// Whom this node takes for the leader: whom it voted for, says noraft, may be it.
    pub(super) fn leader(&self) -> Option<NodeId> {
        let candidate = self.node.role().is_candidate();
        let voted = self.node.voted_for().filter(|_| !candidate);
        voted.map(messages::node)
    }

    fn synced(&mut self, sync: SyncId, now_us: u64, out: &mut Output<Message>) {
        if let Some(own) = &mut self.own_snapshot {
            own.synced(sync);
        }
        match std::mem::replace(&mut self.wait, Wait::Nothing) {
            Wait::Nothing => {}
            Wait::Boot(awaited) if awaited <= sync => {}
            Wait::Saved(awaited, messages) if awaited <= sync => {
                self.finish(messages, now_us, out);
            }
            Wait::Snapshot(awaited, snapshot) if awaited <= sync => {
                self.install(snapshot, now_us, out);
            }
            still => self.wait = still,
        }
    }
}

impl Replica for NoraftNode {
    type Message = Message;

    fn step(&mut self, now_us: u64, input: Input<Message>, out: &mut Output<Message>) {
        match input {
            Input::Synced {
                result: SyncResult::Failed,
                ..
            } => {
                out.halt("a sync failed");
                return;
            }
            Input::Synced {
                sync,
                result: SyncResult::Done,
            } => self.synced(sync, now_us, out),
            input => {
                let is_tick = |input: &Input<Message>| matches!(input, Input::Tick);
                let missed = is_tick(&input)
                    && self.options.missed_ticks == MissedTicks::Skip
                    && self.inbox.iter().any(is_tick);
                let run = !self.waits() && self.has_batch(&input);
                if !missed {
                    self.inbox.push_back(input);
                }
                if !run {
                    return;
                }
            }
        }
        self.run(now_us, out);
    }

    fn label(message: &Message) -> Label {
        messages::label(message)
    }

    fn describe(message: &Message) -> String {
        messages::describe(message)
    }
}

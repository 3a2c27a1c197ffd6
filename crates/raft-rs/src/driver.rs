//! An honest driver around `RawNode`: it does what raft 0.7.0 documents, in an
//! order that its contract allows, and nothing that it forbids.
//!
//! - Hard state, entries and snapshot are written as separate records; a sync follows when
//!   `Ready::must_sync` says so, and only then.
//! - `messages()` leave at once; `persisted_messages()` leave when what the same `Ready` writes is
//!   durable.
//! - Synchronous: the node waits for each sync, then calls `advance_append`. Asynchronous:
//!   `advance_append_async` at once, `on_persist_ready` when the sync is done, with several in
//!   flight.
//! - The commit index of a hard state goes into the log's journal, after the entries that it speaks
//!   of, and is durable when they are. It may be lost with them; but what is acknowledged after a
//!   change of the configuration speaks of entries that were proposed because the change was
//!   committed, and a node that forgot this would count by the configuration before.
//! - A snapshot from a leader is made durable before the log that it replaces is given up, and one
//!   of its own before the log is compacted.
//! - A failed sync stops the node: what it covered may be lost, and a retry would not tell (see
//!   `disk`).

use std::collections::VecDeque;
use std::ops::Range;

use raft::eraftpb::{Entry as RaftEntry, Message, MessageType};
use raft::raw_node::{RawNode, Ready, SnapshotStatus};
use raft::{GetEntriesContext, StateRole, Storage};

use super::apply::{Backlog, OwnSnapshot, Work};
use super::contract::{Asked, Contract};
use super::kit::{self, Reported};
use super::known_issues::DriverSwitches;
use super::messages;
use super::reads::Reads;
use super::reproduction::Note;
use super::store::{Backend, Store};
use super::timeouts::Timeouts;
use squall_core::adapter::state_machine::StateMachine;
use squall_core::ids::{Index, NodeId};
use squall_core::options::{DriverOptions, Persistence};
use squall_core::replica::{
    BootContext, BootError, Input, LibraryEvent, Next, Observation, Output, Recovered, Request,
    SyncId,
};
use squall_core::service::Service;
use squall_core::storage::{Record, Snapshot};

/// One node of raft 0.7.0, on a storage of this crate ([`RaftRsNode`]) or, by
/// [`with_storage`](crate::with_storage), on another.
pub struct RaftNode<S: Storage> {
    pub(super) id: NodeId,
    pub(super) raw: RawNode<S>,
    pub(super) machine: StateMachine,
    pub(super) options: DriverOptions,
    pub(super) switches: DriverSwitches,
    /// It looks for a ready after each input.
    pub(super) takes_one: bool,
    timeouts: Timeouts,
    pub(super) contract: Contract,
    /// What has arrived and is not yet stepped into the library.
    pub(super) inbox: VecDeque<Input<Message>>,
    pub(super) wait: Wait,
    /// The ready that is to be finished then.
    held: Option<Ready>,
    /// These go out before its own messages, if there are any.
    held_messages: Option<Vec<Message>>,
    /// Readies whose writes are on their way to the disk, oldest first.
    in_flight: VecDeque<InFlight>,
    syncs: u64,
    /// What is committed and not applied yet, oldest first.
    pub(super) backlog: VecDeque<Backlog>,
    pub(super) reads: Reads,
    shown: Reported,
    /// How far the service has applied the log.
    pub(super) applied: Index,
    /// Log growth since the last snapshot.
    pub(super) grown_bytes: u64,
    pub(super) own_snapshot: Option<OwnSnapshot>,
    /// Entries on their way from the log to the library, and when they come.
    pub(super) fetching: VecDeque<(u64, GetEntriesContext)>,
}

/// One node of the subject [`RaftRs`](crate::RaftRs).
pub type RaftRsNode = RaftNode<Store>;

/// What the node waits for before it does anything else.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    Nothing,
    /// For recovery's writes.
    Boot(SyncId),
    /// For the writes of the ready that is held.
    Ready(SyncId),
    /// For the snapshot of the ready that is held, before its log may be written.
    Snapshot(SyncId),
}

/// A ready that is not durable yet (asynchronous persistence).
struct InFlight {
    number: u64,
    sync: SyncId,
    messages: Vec<Message>,
    /// Where it writes entries: the first index and the one after the last.
    entries: Range<Index>,
}

impl<S: Backend> RaftNode<S> {
    /// Starts on what the disk kept.
    pub(super) fn boot(
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<Self, BootError> {
        let start = disk.recover(boot, out)?;
        let config = kit::config(boot, &start);
        let logger = kit::logger(boot);
        let store = S::open(start.state, &start.configuration, boot.driver);
        let raw =
            RawNode::new(&config, store, &logger).expect("a validated plan makes a valid Config");
        let mut node = Self::new(boot, raw, start.service);
        if boot.raft.group_commit {
            node.raw.raft.enable_group_commit(true);
            node.assign_groups();
        }
        if start.next == Next::WaitForSync {
            node.sync_before_anything(out);
        }
        Ok(node)
    }

    fn new(boot: &BootContext<'_>, raw: RawNode<S>, service: Service) -> Self {
        Self {
            id: boot.id,
            shown: Reported::new(&raw),
            applied: raw.raft.raft_log.applied,
            raw,
            machine: StateMachine::new(service),
            options: boot.driver.clone(),
            switches: DriverSwitches::of(boot.driver),
            takes_one: boot.driver.inputs_per_ready <= 1,
            timeouts: Timeouts::new(boot),
            contract: Contract::new(boot),
            inbox: VecDeque::new(),
            wait: Wait::Nothing,
            held: None,
            held_messages: None,
            in_flight: VecDeque::new(),
            syncs: 0,
            backlog: VecDeque::new(),
            reads: Reads::new(boot),
            grown_bytes: 0,
            own_snapshot: None,
            fetching: VecDeque::new(),
        }
    }

    /// Asks for a sync of what recovery wrote, and waits for it before all else.
    fn sync_before_anything(&mut self, out: &mut Output<Message>) {
        let sync = self.sync(out);
        self.wait = Wait::Boot(sync);
    }

    pub(super) fn sync(&mut self, out: &mut Output<Message>) -> SyncId {
        self.syncs += 1;
        let sync = SyncId(self.syncs);
        out.sync(sync);
        sync
    }

    /// Inlined, so that a message is moved once less.
    #[inline(always)]
    pub(super) fn handle(&mut self, input: Input<Message>, out: &mut Output<Message>) {
        let input = match input {
            Input::Deliver { message, .. } => return self.handle_message(message, out),
            input => input,
        };
        let before = self.contract.before(&self.raw);
        let ticks = matches!(input, Input::Tick);
        match input {
            Input::Tick => {
                self.contract.tick();
                self.raw.mut_store().note(|| Note::Tick);
                if self.timeouts.elapses(&mut self.raw) {
                    self.raw.mut_store().note(|| Note::TimedOut);
                }
            }
            Input::Request(request) => self.propose(request, out),
            Input::Read(request) => self.read(request, out),
            Input::Admin(admin) => self.administer(admin, out),
            Input::Connection { stands: true, .. } => {}
            Input::Unreachable { peer } | Input::Connection { peer, .. } => {
                self.raw.mut_store().note(|| Note::Unreachable(peer));
                self.raw.report_unreachable(peer.0.into());
            }
            Input::SnapshotSent { peer, delivered } => {
                self.raw
                    .mut_store()
                    .note(|| Note::SnapshotSent(peer, delivered));
                let status = match delivered {
                    true => SnapshotStatus::Finish,
                    false => SnapshotStatus::Failure,
                };
                self.raw.report_snapshot(peer.0.into(), status);
            }
            Input::Deliver { .. } | Input::Synced { .. } => unreachable!("taken before"),
        }
        self.contract.after(&self.raw, before, ticks);
        self.show_role(out);
    }

    #[inline(always)]
    pub(super) fn handle_message(&mut self, message: Message, out: &mut Output<Message>) {
        self.forget_snapshot_request(message.term);
        self.raw.mut_store().note(|| Note::Step(message.clone()));
        if message.term < self.raw.raft.term {
            return self.handle_earlier_term(message, out);
        }
        self.contract.step(&mut self.raw, message);
        self.show_role(out);
    }

    /// The same for one of an earlier term, or of none, as what is passed on has. Apart, so that
    /// others stay where they are.
    #[cold]
    #[inline(never)]
    fn handle_earlier_term(&mut self, mut message: Message, out: &mut Output<Message>) {
        match message.get_msg_type() {
            MessageType::MsgReadIndex => self.name_read(&mut message),
            _ => self.answer_earlier_term(&message),
        }
        self.contract.step(&mut self.raw, message);
        self.show_role(out);
    }

    fn propose(&mut self, request: Request, out: &mut Output<Message>) {
        let (client, sequence) = (request.client, request.sequence);
        self.machine.forget(client);
        let leads = self.raw.raft.state == StateRole::Leader;
        let (before, bytes) = (Asked::new(&self.raw), request.command.len() as u64);
        self.raw.mut_store().note(|| Note::Propose);
        let proposed = self.raw.propose(Vec::new(), request.command.to_vec());
        self.contract
            .proposed(&self.raw, before, bytes, proposed.is_ok());
        match proposed {
            Ok(()) => {
                if !leads {
                    out.observe(Observation::Did(LibraryEvent::ForwardedCommand));
                }
                self.machine.take(client, sequence);
            }
            Err(_) => {
                if leads && self.raw.raft.lead_transferee.is_none() {
                    out.observe(Observation::Did(LibraryEvent::DroppedProposal));
                }
                let leader = self.leader();
                self.machine.refuse(&request, leader, out);
            }
        }
    }

    /// Whom this node takes for the leader.
    pub(super) fn leader(&self) -> Option<NodeId> {
        kit::leader(&self.raw)
    }

    pub(super) fn handle_ready(&mut self, now_us: u64, out: &mut Output<Message>) {
        self.raw.mut_store().note(|| Note::Ready);
        let mut ready = self.raw.ready();
        // Here and below: what is empty is not taken, for it would have to be freed.
        let mut held = None;
        if !ready.messages().is_empty() {
            // Without a sync of its own it waits for those under way.
            let waits = ready.must_sync() || !self.in_flight.is_empty();
            match self.options.send_after_sync && waits {
                true => held = Some(ready.take_messages()),
                false => out.send_all(ready.take_messages()),
            }
        }
        if !ready.read_states().is_empty() {
            self.confirm_reads(ready.take_read_states(), out);
        }
        self.note_term_of_reads();
        let snapshot = ready.snapshot();
        if snapshot.has_metadata() && !snapshot.is_empty() {
            assert!(
                ready.committed_entries().is_empty(),
                "a ready with a snapshot commits no entries"
            );
            self.begin_install(ready, held, out);
            return;
        }
        let entries = indices(ready.entries());
        self.write_log(&mut ready, out);
        self.show_commit(out);
        if !ready.committed_entries().is_empty() {
            let committed = ready.take_committed_entries();
            self.contract.committed(&committed);
            assert!(
                !self.are_in_flight(&committed, &entries),
                "committed entries are handed over when they are persisted"
            );
            match self.must_wait(&committed) {
                // Done as soon as the node goes on.
                true => self.defer(committed, now_us + self.options.apply_lag_us),
                false => self.commit(committed, now_us, out),
            }
        }
        match self.options.persistence {
            Persistence::Synchronous if ready.must_sync() => {
                self.wait = Wait::Ready(self.sync(out));
                self.held = Some(ready);
                self.held_messages = held;
            }
            Persistence::Synchronous => self.finish_ready(ready, now_us, out),
            Persistence::Asynchronous => self.advance_in_flight(ready, entries, held, out),
        }
    }

    /// Writes a ready's hard state and entries, to the disk's cache and to what the library reads.
    #[inline(always)]
    fn write_log(&mut self, ready: &mut Ready, out: &mut Output<Message>) {
        let kept = &self.raw.store().held().hard;
        let (term, vote, before) = (kept.term, kept.vote, kept.commit);
        if let Some(hard) = ready.hs()
            && (term, vote) != (hard.term, hard.vote)
        {
            out.write(Record::HardState(messages::written_hard_state(hard)));
        }
        if !ready.entries().is_empty() {
            let entries = ready.take_entries();
            for entry in &entries {
                out.write(Record::Entry {
                    index: entry.index,
                    entry: messages::entry(entry),
                });
            }
            self.raw.mut_store().append(entries);
        }
        if let Some(hard) = ready.hs() {
            self.raw.mut_store().set_hard(hard);
            if hard.commit != before {
                out.write(Record::Commit { index: hard.commit });
            }
        }
    }

    /// A ready is durable and the node had waited for it.
    fn finish_ready(&mut self, mut ready: Ready, now_us: u64, out: &mut Output<Message>) {
        if !ready.persisted_messages().is_empty() {
            out.send_all(ready.take_persisted_messages());
        }
        self.raw.mut_store().note(|| Note::Saved);
        let whole = self.switches.advance_whole && self.backlog.is_empty();
        let mut light = match whole {
            true => self.raw.advance(ready),
            false => self.raw.advance_append(ready),
        };
        if let Some(commit) = light.commit_index() {
            self.raw.mut_store().set_commit(commit);
            out.write(Record::Commit { index: commit });
        }
        if !light.messages().is_empty() {
            out.send_all(light.take_messages());
        }
        self.show_commit(out);
        if !light.committed_entries().is_empty() {
            self.contract.committed(light.committed_entries());
            self.commit(light.take_committed_entries(), now_us, out);
        }
    }

    /// Goes on while a ready's writes are on their way to the disk.
    #[inline(always)]
    fn advance_in_flight(
        &mut self,
        mut ready: Ready,
        entries: Range<Index>,
        held: Option<Vec<Message>>,
        out: &mut Output<Message>,
    ) {
        let number = ready.number();
        let mut messages = ready.take_persisted_messages();
        if let Some(mut first) = held {
            first.append(&mut messages);
            messages = first;
        }
        let must_sync = ready.must_sync();
        self.raw.advance_append_async(ready);
        let sync = match self.in_flight.back() {
            _ if must_sync => self.sync(out),
            // It asks for no sync of its own, but readies are persisted in order.
            Some(before) => before.sync,
            None => {
                self.raw.mut_store().note(|| Note::Saved);
                self.raw.on_persist_ready(number);
                self.show_role(out);
                out.send_all(messages);
                return;
            }
        };
        self.in_flight.push_back(InFlight {
            number,
            sync,
            messages,
            entries,
        });
    }

    /// Whether some of `committed` are not durable: a ready that writes there is under way, or the
    /// one at hand does, which writes `now`. The library promises that none are
    /// (`Ready::committed_entries`).
    fn are_in_flight(&self, committed: &[RaftEntry], now: &Range<Index>) -> bool {
        let committed = indices(committed);
        let meets =
            |other: &Range<Index>| other.start < committed.end && committed.start < other.end;
        meets(now) || self.in_flight.iter().any(|ready| meets(&ready.entries))
    }

    /// Readies up to and including `sync` are durable.
    fn settle_in_flight(&mut self, sync: SyncId, out: &mut Output<Message>) {
        let is_durable = |oldest: &InFlight| oldest.sync <= sync;
        while self.in_flight.front().is_some_and(is_durable)
            && let Some(settled) = self.in_flight.pop_front()
        {
            let is_newest = !self.in_flight.front().is_some_and(is_durable);
            // The newest of them speaks for all.
            if is_newest || !self.options.acknowledge_newest {
                self.raw.mut_store().note(|| Note::Saved);
                self.raw.on_persist_ready(settled.number);
                self.show_role(out);
            }
            out.send_all(settled.messages);
        }
    }

    /// A leader's snapshot has come: it must be durable before the log is given up for it.
    fn begin_install(
        &mut self,
        ready: Ready,
        held: Option<Vec<Message>>,
        out: &mut Output<Message>,
    ) {
        let meta = ready.snapshot().get_metadata();
        out.write(Record::Snapshot(Box::new(Snapshot {
            index: meta.index,
            term: meta.term,
            configuration: messages::configuration(meta.get_conf_state()),
            data: messages::data(ready.snapshot().data.clone()),
        })));
        self.wait = Wait::Snapshot(self.sync(out));
        self.held = Some(ready);
        self.held_messages = held;
    }

    /// The snapshot is durable: the log begins anew after it.
    fn finish_install(&mut self, mut ready: Ready, now_us: u64, out: &mut Output<Message>) {
        let snapshot = ready.snapshot().clone();
        let index = snapshot.get_metadata().index;
        out.write(Record::LogReset { next: index + 1 });
        self.raw.mut_store().restore(snapshot.clone());
        // The library knows the members anew, and none of their groups.
        self.assign_groups();
        self.own_snapshot = None;
        self.grown_bytes = 0;
        self.write_log(&mut ready, out);
        // What was committed before and not applied is in the snapshot.
        self.backlog.clear();
        self.backlog.push_back(Backlog {
            due_us: now_us + self.options.snapshot_install_us,
            work: Work::Install(snapshot),
        });
        self.wait = Wait::Ready(self.sync(out));
        self.held = Some(ready);
    }

    /// What that sync covered is durable.
    pub(super) fn persisted(&mut self, sync: SyncId, now_us: u64, out: &mut Output<Message>) {
        if let Some(own) = &mut self.own_snapshot {
            own.synced(sync);
        }
        let wait = self.wait;
        let (Wait::Boot(awaited) | Wait::Ready(awaited) | Wait::Snapshot(awaited)) = wait else {
            return self.settle_in_flight(sync, out);
        };
        if awaited > sync {
            return;
        }
        self.wait = Wait::Nothing;
        let Some(ready) = self.held.take() else {
            return;
        };
        if let Wait::Snapshot(_) = wait {
            return self.finish_install(ready, now_us, out);
        }
        // With asynchronous persistence a node waits for nothing but a snapshot.
        // Messages of readies before it go out before its own.
        while let Some(settled) = self.in_flight.pop_front() {
            out.send_all(settled.messages);
        }
        if let Some(messages) = self.held_messages.take() {
            out.send_all(messages);
        }
        let snapshot = ready.snapshot().get_metadata();
        let replaced = (snapshot.index > 0).then(|| (snapshot.index, snapshot.get_conf_state()));
        let replaced = replaced.map(|(index, conf)| (index, messages::configuration(conf)));
        self.finish_waited(ready, now_us, out);
        if let Some((index, configuration)) = replaced
            && self.applies_when_durable()
        {
            self.raw.mut_store().note(|| Note::Apply);
            self.raw.advance_apply_to(index);
            out.observe(Observation::Configured {
                index,
                configuration,
            });
            self.show_role(out);
        }
    }

    /// Whether a received snapshot counts as applied, for the library, before the state machine has
    /// it.
    pub(super) fn applies_when_durable(&self) -> bool {
        self.options.snapshot_install_us > 0 && !self.switches.applied_when_installed
    }

    #[inline(always)]
    fn finish_waited(&mut self, mut ready: Ready, now_us: u64, out: &mut Output<Message>) {
        match self.options.persistence {
            Persistence::Synchronous => self.finish_ready(ready, now_us, out),
            Persistence::Asynchronous => {
                let number = ready.number();
                let messages = ready.take_persisted_messages();
                self.raw.advance_append_async(ready);
                self.raw.mut_store().note(|| Note::Saved);
                self.raw.on_persist_ready(number);
                self.show_role(out);
                out.send_all(messages);
            }
        }
    }

    #[inline(always)]
    pub(super) fn show_role(&mut self, out: &mut Output<Message>) {
        if self.shown.role(&self.raw, out) {
            self.refuse_reads_of_a_leader(out);
        }
    }

    #[inline(always)]
    pub(super) fn show_commit(&mut self, out: &mut Output<Message>) {
        self.shown.commit(&self.raw, out);
    }
}

/// The indices of `entries`, which the library promises to be one run.
fn indices(entries: &[RaftEntry]) -> Range<Index> {
    match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => {
            let end = first.index + entries.len() as u64;
            assert_eq!(last.index + 1, end, "entries are handed over in one run");
            first.index..end
        }
        _ => 0..0,
    }
}

//! An honest driver around `Node`: see the crate's documentation for what it does in which order.

use std::collections::BTreeMap;

use bytes::Bytes;
use raftbare::{Actions, ClusterConfig, LogEntries, LogEntry, Node};

use super::known_issues::Triggers;
use super::messages::{self, Content, Message};
use super::reads::Read;
use squall_core::adapter::blocking_driver::Sequential;
use squall_core::adapter::election_timer::ElectionTimer;
use squall_core::adapter::reports::Reports;
use squall_core::adapter::state_machine::StateMachine;
use squall_core::configuration::Configuration;
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::log_vec::Indexed;
use squall_core::operator::Admin;
use squall_core::replica::{
    BootContext, Input, Label, LibraryEvent, Next, Observation, Output, Request, Start,
};
use squall_core::storage::{Entry, EntryKind, HardState, Record, StableState};

/// One node of raftbare 0.2.2, which handles one input at a time.
pub struct RaftbareDriver {
    pub(super) id: NodeId,
    pub(super) node: Node,
    pub(super) machine: StateMachine,
    /// The voters, which stay what they are.
    pub(super) configuration: Configuration,
    triggers: Triggers,
    /// Bytes of entries in one append; 0 means one entry.
    max_size: u64,
    timer: ElectionTimer,
    reports: Reports,
    /// The log as it is written, commands and all. Where raftbare has cut its own copy and not yet
    /// said by what to replace the rest, this one is longer.
    log: Indexed<Entry>,
    /// Commands of this input that raftbare has not asked to be written yet.
    fresh: BTreeMap<(Index, Term), Bytes>,
    /// How far the log is known to be that of this term's leader.
    agreed: (Term, NodeId, Index),
    /// The term of the append that came last.
    answering: Term,
    /// Messages that wait for what was written to be durable.
    held: Vec<Message>,
    pub(super) applied: Index,
    pub(super) reads: Vec<Read>,
}

impl RaftbareDriver {
    pub(super) fn new(boot: &BootContext<'_>, start: Start) -> Self {
        let hard = start.state.hard;
        let mut driver = Self {
            id: boot.id,
            node: Node::restart(
                messages::id(boot.id),
                raftbare::Term::new(hard.term),
                hard.vote.map(messages::id),
                log(&start.state, &start.configuration),
            ),
            configuration: start.configuration,
            triggers: Triggers::of(boot.driver),
            max_size: boot.raft.max_size_per_message,
            timer: ElectionTimer::new(boot),
            reports: Reports::new(&start),
            log: Indexed::starting_at(start.state.log.first()),
            fresh: BTreeMap::new(),
            agreed: (0, boot.id, 0),
            answering: 0,
            held: Vec::new(),
            applied: start.state.snapshot_index(),
            reads: Vec::new(),
            machine: StateMachine::new(start.service),
        };
        let entries = start.state.log.iter();
        entries.for_each(|(_, entry)| driver.log.push(entry.clone()));
        driver.mind_timer();
        driver
    }

    /// Sets the timer, if that has been asked for.
    fn mind_timer(&mut self) {
        if std::mem::take(&mut self.node.actions_mut().set_election_timeout) {
            self.timer.set(self.role());
        }
    }

    fn show_role(&mut self, out: &mut Output<Message>) {
        let term = self.node.current_term().get();
        self.reports.role(self.role(), term, out);
    }

    fn role(&self) -> Role {
        match self.node.role() {
            raftbare::Role::Follower => Role::Follower,
            raftbare::Role::Candidate => Role::Candidate,
            raftbare::Role::Leader => Role::Leader,
        }
    }

    /// Whom this node takes for the leader: whom it voted for, says raftbare, may be it.
    pub(super) fn leader(&self) -> Option<NodeId> {
        let candidate = self.node.role().is_candidate();
        let voted = self.node.voted_for().filter(|_| !candidate);
        voted.map(messages::node)
    }

    pub(super) fn committed(&self) -> Index {
        self.reports.last_commit()
    }

    fn receive(&mut self, from: NodeId, content: Content) {
        let Content {
            mut raft,
            data,
            answers,
        } = content;
        let term = raft.term().get();
        let is_of_now = term == self.node.current_term().get();
        let mut end = None;
        match &mut raft {
            raftbare::Message::AppendEntriesCall { entries, .. } => {
                assert_eq!(entries.len(), data.len(), "entries come with their data");
                for ((position, entry), data) in entries.iter_with_positions().zip(data) {
                    if entry == LogEntry::Command {
                        let at = (position.index.get(), position.term.get());
                        self.fresh.insert(at, data);
                    }
                }
                end = Some(entries.last_position());
                self.answering = term;
            }
            raftbare::Message::AppendEntriesReply { header, .. } => {
                // What it answers was sent by a leader of an earlier term, maybe by another
                // incarnation of this node with numbers of its own.
                if answers < term && is_of_now && !self.triggers.take_late_answers {
                    return;
                }
                let number = header.seqno.get();
                if is_of_now {
                    self.note_answer(from, number);
                }
            }
            raftbare::Message::RequestVoteCall { last_position, .. } => {
                let own = self.node.log().last_position();
                if !self.triggers.compare_lengths {
                    // The library looks at the index alone, and gives no vote where its own is
                    // higher.
                    last_position.index = match own <= *last_position {
                        true => own.index.max(last_position.index),
                        false => raftbare::LogIndex::ZERO,
                    };
                }
            }
            raftbare::Message::RequestVoteReply { .. } => {}
        }
        self.node.handle_message(raft);
        let is_current = term == self.node.current_term().get();
        if let Some(end) = end.filter(|end| is_current && self.node.log().entries().contains(*end))
        {
            let (known_in, _, known) = self.agreed;
            let known = if known_in == term { known } else { 0 };
            self.agreed = (term, from, known.max(end.index.get()));
        }
    }

    fn propose(&mut self, request: Request, out: &mut Output<Message>) {
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

    fn administer(&mut self, admin: Admin, out: &mut Output<Message>) {
        let event = match admin {
            Admin::Campaign => {
                if !self.node.role().is_leader() {
                    self.node.handle_election_timeout();
                }
                Some(LibraryEvent::Campaigned)
            }
            Admin::Ping => self.node.heartbeat().then_some(LibraryEvent::Pinged),
            // Left out of plans: see `Subject::supports`.
            _ => None,
        };
        if let Some(event) = event {
            out.observe(Observation::Did(event));
        }
    }

    /// Carries out what the node has asked for.
    fn carry_out(&mut self, out: &mut Output<Message>) -> Next {
        self.mind_timer();
        let mut actions = std::mem::take(self.node.actions_mut());
        let appended = actions.append_log_entries.take();
        let saves_state = actions.save_current_term || actions.save_voted_for;
        if saves_state {
            out.write(Record::HardState(HardState {
                term: self.node.current_term().get(),
                vote: self.node.voted_for().map(messages::node),
            }));
        }
        // Who overwrites entries no longer leads; and who leads has written the first of its term.
        if !self.node.role().is_leader() {
            self.show_role(out);
        }
        let mut writes_log = appended.is_some();
        if let Some(entries) = appended {
            self.write_entries(&entries, out);
        } else if !self.triggers.keep_cut_tail {
            writes_log = self.cut_tail(out);
        }
        self.fresh.clear();
        self.show_role(out);
        self.held = self.addressed(actions);
        match saves_state || writes_log {
            true => Next::WaitForSync,
            false => self.finish(out),
        }
    }

    /// All that was to be saved is durable.
    fn finish(&mut self, out: &mut Output<Message>) -> Next {
        self.reports.commit(self.node.commit_index().get(), out);
        while self.applied < self.committed() {
            self.applied += 1;
            let entry = self.log.get(self.applied);
            let data = &entry.expect("what is committed is written").data;
            self.machine.apply(self.applied, data, out);
        }
        self.tend_reads(out);
        out.send_all(std::mem::take(&mut self.held));
        Next::TakeInput
    }

    /// Cuts off the log, as it is written, what the library has cut off its own, and returns
    /// whether there was something. Where nothing is left it stays: what comes in its place begins
    /// with the first entry of a term, which the library handles well.
    fn cut_tail(&mut self, out: &mut Output<Message>) -> bool {
        let index = self.node.log().last_position().index.get();
        let kept = self.log.get(index).cloned();
        let Some(entry) = kept.filter(|_| self.log.last() > index) else {
            return false;
        };
        self.log.place(index, entry.clone());
        out.write(Record::Entry { index, entry });
        true
    }

    /// Writes `entries` over what the log has after their first position, but for those that are
    /// there already: to write them again is to cut off what was durable, and a crash may come
    /// before it is again.
    fn write_entries(&mut self, entries: &LogEntries, out: &mut Output<Message>) {
        let mut same = true;
        let last = entries.last_position().index.get();
        for (position, entry) in entries.iter_with_positions() {
            let (index, term) = (position.index.get(), position.term.get());
            let held = self.log.get(index).filter(|held| held.term == term);
            same &= held.is_some();
            // The last is written again where it is to cut off what follows it.
            if same && !(index == last && self.log.last() > last) {
                continue;
            }
            let data = match entry {
                LogEntry::Command => {
                    let held = held.map(|held| held.data.clone());
                    let data = held.or_else(|| self.fresh.remove(&(index, term)));
                    data.expect("a command comes with its content")
                }
                _ => Bytes::new(),
            };
            let kind = EntryKind::Normal;
            let entry = Entry { term, kind, data };
            self.log.place(index, entry.clone());
            out.write(Record::Entry { index, entry });
        }
    }

    /// The node's messages as they leave, each with the data of its entries.
    fn addressed(&self, actions: Actions) -> Vec<Message> {
        let mut messages = Vec::new();
        if let Some(message) = actions.broadcast_message {
            let message = self.limited(message);
            for peer in self.node.peers() {
                messages.push(self.whole(messages::node(peer), message.clone()));
            }
        }
        for (to, message) in actions.send_messages {
            messages.push(self.whole(messages::node(to), self.limited(message)));
        }
        messages
    }

    /// `message` with no more entries than may leave at once; the peer's answer brings the rest.
    fn limited(&self, mut message: raftbare::Message) -> raftbare::Message {
        if let raftbare::Message::AppendEntriesCall { entries, .. } = &mut message {
            let before = entries.prev_position().index.get();
            let mut bytes = 0;
            let fits = |at: &u64| {
                bytes += self.log.get(*at).map_or(0, |entry| entry.data.len() as u64);
                *at == before + 1 || bytes <= self.max_size
            };
            let count = (before + 1..=entries.last_position().index.get())
                .take_while(fits)
                .count();
            entries.truncate(count);
        }
        message
    }

    fn whole(&self, to: NodeId, raft: raftbare::Message) -> Message {
        let data = match &raft {
            raftbare::Message::AppendEntriesCall { entries, .. } => entries
                .iter_with_positions()
                .map(|(position, _)| {
                    let entry = self.log.get(position.index.get());
                    let entry = entry.filter(|entry| entry.term == position.term.get());
                    entry.expect("a leader sends what it holds").data.clone()
                })
                .collect(),
            _ => Vec::new(),
        };
        let agreed = match self.agreed {
            (term, leader, index) if (term, leader) == (raft.term().get(), to) => index,
            _ => 0,
        };
        Message {
            label: messages::label(to, &raft, agreed),
            message: Content {
                raft,
                data,
                answers: self.answering,
            },
        }
    }
}

impl Sequential for RaftbareDriver {
    type Message = Message;

    fn handle(&mut self, _: u64, input: Input<Message>, out: &mut Output<Message>) -> Next {
        match input {
            Input::Tick => {
                if self.timer.tick() {
                    self.node.handle_election_timeout();
                }
            }
            Input::Deliver { from, message } => self.receive(from, message.message),
            Input::Request(request) => self.propose(request, out),
            Input::Read(request) => self.read(request, out),
            Input::Admin(admin) => self.administer(admin, out),
            // raftbare asks for no such news: it keeps no state of its peers' connections.
            Input::Unreachable { .. } | Input::SnapshotSent { .. } | Input::Connection { .. } => {}
            Input::Synced { .. } => unreachable!("a sync's end is handled outside"),
        }
        self.carry_out(out)
    }

    fn go_on(&mut self, _: u64, out: &mut Output<Message>) -> Next {
        self.finish(out)
    }

    fn label(message: &Message) -> Label {
        message.label
    }

    fn describe(message: &Message) -> String {
        messages::describe(message)
    }
}

/// raftbare's log of what a disk kept: entries without data begin a term. Where a plan has the
/// cluster begin further up, there is a snapshot before them.
fn log(state: &StableState, configuration: &Configuration) -> raftbare::Log {
    let mut config = ClusterConfig::new();
    config.voters = configuration.voters.iter().map(messages::id).collect();
    let entries = state.log.iter().map(|(_, entry)| match entry.data.len() {
        0 => LogEntry::Term(raftbare::Term::new(entry.term)),
        _ => LogEntry::Command,
    });
    let first = state.snapshot.as_ref();
    let (term, index) = first.map_or((0, 0), |snapshot| (snapshot.term, snapshot.index));
    let entries = LogEntries::from_iter(messages::position(term, index), entries);
    raftbare::Log::new(config, entries)
}

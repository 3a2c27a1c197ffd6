//! Linearizable reads, as noraft documents them at `Node::heartbeat`: the next
//! broadcast carries a number, and once a majority has answered a message with that
//! number or a later one, the node was still the leader after the read came in.
//!
//! noraft's text ends there. From where on the state machine may serve the read we take
//! from the dissertation, section 6.4: from the commit index, once an entry of the leader's
//! own term is committed.

use std::collections::BTreeMap;

use super::driver::NoraftNode;
use super::messages::{self, Message};
use super::reproduction::Note;
use squall_core::ids::{Index, NodeId, NodeSet, Term};
use squall_core::replica::{Observation, Output, Reply, ReplyOutcome, Request};

/// Reads under way at a node, and what it has heard of others'.
#[derive(Default)]
pub(super) struct Reads {
    /// The number of the newest read.
    round: u64,
    waiting: Vec<Waiting>,
    /// The newest number that each node has answered in this node's term of leadership.
    answered: BTreeMap<NodeId, u64>,
    /// The term in which the answers count.
    term: Term,
    /// The newest number that this node has heard from each leader, and in which term.
    heard: BTreeMap<NodeId, (Term, u64)>,
}

struct Waiting {
    request: Request,
    round: u64,
    /// From which index on it may be served, once that is known.
    index: Option<Index>,
    confirmed: bool,
    /// Both have been reported.
    told: bool,
}

impl Reads {
    /// A leader's append has come with this number.
    pub(super) fn hear(&mut self, leader: NodeId, term: Term, round: u64) {
        let heard = self.heard.entry(leader).or_default();
        *heard = (*heard).max((term, round));
    }

    /// The number for a message to `to`: see [`Message::Raft`].
    pub(super) fn round_for(&self, to: NodeId, message: &noraft::Message) -> u64 {
        match message {
            noraft::Message::AppendEntriesCall { .. } => self.round,
            noraft::Message::AppendEntriesReply { term, .. } => match self.heard.get(&to) {
                Some((heard, round)) if *heard == term.get() => *round,
                _ => 0,
            },
            _ => 0,
        }
    }
}

fn reply(request: &Request, outcome: ReplyOutcome, out: &mut Output<Message>) {
    out.reply(Reply {
        client: request.client,
        sequence: request.sequence,
        outcome,
    });
}

impl NoraftNode {
    pub(super) fn read(&mut self, request: Request, out: &mut Output<Message>) {
        let waiting = &mut self.reads.waiting;
        waiting.retain(|other| other.request.client != request.client);
        self.note(|| Note::Heartbeat);
        if !self.node.heartbeat() {
            let leader = self.leader();
            reply(&request, ReplyOutcome::Refused { leader }, out);
            return;
        }
        self.reads.round += 1;
        let round = self.reads.round;
        self.reads.waiting.push(Waiting {
            request,
            round,
            index: None,
            confirmed: false,
            told: false,
        });
    }

    /// An answer to an append has come with this number.
    pub(super) fn note_answer(&mut self, from: NodeId, term: Term, round: u64) {
        if self.reads.waiting.is_empty() || term != self.node.current_term().get() {
            return;
        }
        if self.reads.term != term {
            self.reads.term = term;
            self.reads.answered.clear();
        }
        let answered = self.reads.answered.entry(from).or_default();
        *answered = round.max(*answered);
    }

    /// Confirms and serves what can be.
    #[inline]
    pub(super) fn tend_reads(&mut self, out: &mut Output<Message>) {
        if !self.reads.waiting.is_empty() {
            self.tend_waiting_reads(out);
        }
    }

    fn tend_waiting_reads(&mut self, out: &mut Output<Message>) {
        if !self.node.role().is_leader() {
            let leader = self.leader();
            for read in self.reads.waiting.drain(..) {
                reply(&read.request, ReplyOutcome::Refused { leader }, out);
            }
            return;
        }
        let configuration = messages::configuration(self.node.config());
        let term = self.node.current_term();
        let commit = self.shown.reports.last_commit();
        let entries = self.node.log().entries();
        let has_committed = entries.get_term(noraft::LogIndex::new(commit)) == Some(term);
        let (applied, service) = (self.shown.applied, &self.machine.service);
        let reads = &mut self.reads;
        let counts = reads.term == term.get();
        let (me, answered) = (self.id, &reads.answered);
        reads.waiting.retain_mut(|read| {
            if read.index.is_none() && has_committed {
                read.index = Some(commit);
            }
            if !read.confirmed {
                let others = answered.iter().filter(|(_, round)| **round >= read.round);
                let mut present: NodeSet = others.map(|(id, _)| *id).filter(|_| counts).collect();
                present.add(me);
                read.confirmed = configuration.has_quorum_in(present);
            }
            if let (true, false, Some(index)) = (read.confirmed, read.told, read.index) {
                read.told = true;
                out.observe(Observation::ReadConfirmed { index });
            }
            let ready = read.confirmed && read.index.is_some_and(|index| index <= applied);
            if ready && let Some(answer) = service.query(&read.request.command) {
                let index = applied;
                reply(&read.request, ReplyOutcome::Read { index, answer }, out);
            }
            !ready
        });
    }
}

//! Linearizable reads, as raftbare documents them at `Node::heartbeat`: once a majority has
//! answered with the heartbeat's sequence number or a later one, the node was still the leader
//! after the read came in.
//!
//! raftbare's text ends there. From where on the state machine may serve the read we take
//! from the dissertation, section 6.4: from the commit index, once an entry of the leader's
//! own term is committed.

use std::collections::BTreeMap;

use super::driver::RaftbareDriver;
use super::messages::Message;
use squall_core::ids::{Index, NodeId, NodeSet, Term};
use squall_core::replica::{Observation, Output, Reply, ReplyOutcome, Request};

/// Reads under way at a node, and what it has heard of others.
#[derive(Default)]
pub(super) struct Reads {
    waiting: Vec<Waiting>,
    /// The newest sequence number that each node has answered in this term.
    answered: BTreeMap<NodeId, u64>,
    /// The term in which the answers count.
    term: Term,
}

struct Waiting {
    request: Request,
    /// The number of its heartbeat.
    number: u64,
    /// From which index on it may be served, once that is known.
    index: Option<Index>,
}

impl Reads {
    /// An answer to an append has come with this number.
    pub(super) fn note_answer(&mut self, from: NodeId, term: Term, number: u64) {
        if self.term < term {
            self.term = term;
            self.answered.clear();
        }
        if self.term == term {
            let answered = self.answered.entry(from).or_default();
            *answered = number.max(*answered);
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

impl RaftbareDriver {
    pub(super) fn read(&mut self, request: Request, out: &mut Output<Message>) {
        let waiting = &mut self.reads.waiting;
        waiting.retain(|other| other.request.client != request.client);
        if !self.node.heartbeat() {
            let leader = self.leader();
            reply(&request, ReplyOutcome::Refused { leader }, out);
            return;
        }
        // A node without peers sends none.
        let heartbeat = self.node.actions().broadcast_message.as_ref();
        let number = heartbeat.map_or(0, |heartbeat| heartbeat.seqno().get());
        self.reads.waiting.push(Waiting {
            request,
            number,
            index: None,
        });
    }

    /// Confirms and serves what can be.
    pub(super) fn tend_reads(&mut self, out: &mut Output<Message>) {
        if self.reads.waiting.is_empty() {
            return;
        }
        if !self.node.role().is_leader() {
            let leader = self.leader();
            for read in self.reads.waiting.drain(..) {
                reply(&read.request, ReplyOutcome::Refused { leader }, out);
            }
            return;
        }
        let term = self.node.current_term();
        let commit = self.committed();
        let entries = self.node.log().entries();
        let has_committed = entries.get_term(raftbare::LogIndex::new(commit)) == Some(term);
        let (me, applied, service) = (self.id, self.applied, &self.machine.service);
        let configuration = &self.configuration;
        let Reads {
            waiting,
            answered,
            term: counts_in,
        } = &mut self.reads;
        let counts = *counts_in == term.get();
        waiting.retain_mut(|read| {
            if read.index.is_none() && has_committed {
                read.index = Some(commit);
            }
            let others = answered.iter().filter(|(_, number)| **number >= read.number);
            let mut present: NodeSet = others.map(|(id, _)| *id).filter(|_| counts).collect();
            present.add(me);
            let Some(index) = read.index.filter(|_| configuration.has_quorum_in(present)) else {
                return true;
            };
            out.observe(Observation::ReadConfirmed { index });
            if let Some(answer) = service.query(&read.request.command) {
                let index = applied;
                reply(&read.request, ReplyOutcome::Read { index, answer }, out);
            }
            false
        });
    }
}

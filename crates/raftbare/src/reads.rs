//! Linearizable reads, as raftbare documents them at `Node::heartbeat`: once a majority has
//! answered with the heartbeat's sequence number or a later one, the node was still the leader
//! after the read came in.
//!
//! raftbare's text ends there. From where on the state machine may serve the read we take
//! from the dissertation, section 6.4: from the commit index, once an entry of the leader's
//! own term is committed.

use super::driver::RaftbareDriver;
use super::messages::Message;
use squall_core::ids::{Index, NodeId, NodeSet};
use squall_core::replica::{Observation, Output, Reply, ReplyOutcome, Request};

/// A read under way at a leader.
pub(super) struct Read {
    request: Request,
    /// The number of its heartbeat.
    number: u64,
    /// Who has answered with that number or a later one, the node itself among them.
    answered: NodeSet,
    /// From which index on it may be served, once that is known.
    index: Option<Index>,
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
        self.reads
            .retain(|other| other.request.client != request.client);
        if !self.node.heartbeat() {
            let leader = self.leader();
            reply(&request, ReplyOutcome::Refused { leader }, out);
            return;
        }
        // A node without peers sends none.
        let heartbeat = self.node.actions().broadcast_message.as_ref();
        let number = heartbeat.map_or(0, |heartbeat| heartbeat.seqno().get());
        let mut answered = NodeSet::default();
        answered.add(self.id);
        self.reads.push(Read {
            request,
            number,
            answered,
            index: None,
        });
    }

    /// An answer of this term to an append with this number has come.
    pub(super) fn note_answer(&mut self, from: NodeId, number: u64) {
        let counts = |read: &&mut Read| read.number <= number;
        for read in self.reads.iter_mut().filter(counts) {
            read.answered.add(from);
        }
    }

    /// Confirms and serves what can be.
    pub(super) fn tend_reads(&mut self, out: &mut Output<Message>) {
        if self.reads.is_empty() {
            return;
        }
        if !self.node.role().is_leader() {
            let leader = self.leader();
            for read in self.reads.drain(..) {
                reply(&read.request, ReplyOutcome::Refused { leader }, out);
            }
            return;
        }
        let commit = self.committed();
        let entries = self.node.log().entries();
        let committed_in = entries.get_term(raftbare::LogIndex::new(commit));
        let has_committed = committed_in == Some(self.node.current_term());
        let (applied, service) = (self.applied, &self.machine.service);
        let configuration = &self.configuration;
        self.reads.retain_mut(|read| {
            if has_committed {
                read.index.get_or_insert(commit);
            }
            let Some(index) = read
                .index
                .filter(|_| configuration.has_quorum_in(read.answered))
            else {
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

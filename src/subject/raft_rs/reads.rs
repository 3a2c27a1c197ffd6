//! Linearizable reads: asked of the library by ReadIndex, served once the state
//! machine has caught up with the index that it names.

use raft::ReadState;
use raft::StateRole;
use raft::eraftpb::Message;

use super::driver::RaftRsNode;
use crate::options::ReadContext;
use crate::replica::{Birth, Doing, Observation, Output, Reply, ReplyOutcome, Request};
use crate::types::Index;

/// Reads under way at a node.
pub(super) struct Reads {
    /// Names of reads that are never used again start with these.
    prefix: [u8; 5],
    asked: u64,
    waiting: Vec<Waiting>,
}

struct Waiting {
    context: Vec<u8>,
    request: Request,
    /// From which index on it may be served, once that is known.
    index: Option<Index>,
}

impl Reads {
    pub(super) fn new(birth: &Birth<'_>) -> Self {
        let mut prefix = [birth.id.0; 5];
        prefix[1..].copy_from_slice(&birth.life.to_be_bytes());
        Self {
            prefix,
            asked: 0,
            waiting: Vec::new(),
        }
    }

    fn context(&mut self, request: &Request, kind: ReadContext) -> Vec<u8> {
        self.asked += 1;
        match kind {
            ReadContext::Fresh => [&self.prefix[..], &self.asked.to_be_bytes()].concat(),
            ReadContext::Request => [
                &request.client.to_be_bytes()[..],
                &request.sequence.to_be_bytes(),
            ]
            .concat(),
        }
    }
}

impl RaftRsNode {
    pub(super) fn read(&mut self, request: Request, out: &mut Output<Message>) {
        let Request {
            client, sequence, ..
        } = request;
        let leads = self.raw.raft.state == StateRole::Leader;
        if self.leader().is_none() {
            out.replies.push(Reply {
                client,
                sequence,
                outcome: ReplyOutcome::Refused { leader: None },
            });
            return;
        }
        if !leads {
            out.observe(Observation::Did(Doing::ForwardedRead));
        }
        let context = self.reads.context(&request, self.options.read_context);
        self.reads
            .waiting
            .retain(|other| other.request.client != client);
        self.reads.waiting.push(Waiting {
            context: context.clone(),
            request,
            index: None,
        });
        self.raw.read_index(context);
    }

    /// The library names the index from which on each of these reads may be served.
    pub(super) fn confirm_reads(&mut self, states: Vec<ReadState>, out: &mut Output<Message>) {
        for ReadState { index, request_ctx } in states {
            let mut waiting = self.reads.waiting.iter_mut();
            let read = waiting.find(|read| read.context == request_ctx && read.index.is_none());
            if let Some(read) = read {
                read.index = Some(index);
                out.observe(Observation::ReadConfirmed { index });
            }
        }
        self.serve_reads(out);
    }

    /// Serves the reads whose index is applied.
    #[inline]
    pub(super) fn serve_reads(&mut self, out: &mut Output<Message>) {
        if self.reads.waiting.is_empty() {
            return;
        }
        let applied = self.applied;
        let service = &self.machine.service;
        self.reads.waiting.retain(|read| {
            let ready = read.index.is_some_and(|index| index <= applied);
            if ready && let Some(answer) = service.query(&read.request.command) {
                out.replies.push(Reply {
                    client: read.request.client,
                    sequence: read.request.sequence,
                    outcome: ReplyOutcome::Read {
                        index: applied,
                        answer,
                    },
                });
            }
            !ready
        });
    }
}

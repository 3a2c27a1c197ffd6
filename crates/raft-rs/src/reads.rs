//! Linearizable reads: asked of the library by ReadIndex, served once the state
//! machine has caught up with the index that it names.

use raft::eraftpb::Message;
use raft::{Raft, ReadState, StateRole, Storage};

use super::driver::RaftNode;
use super::reproduction::Note;
use super::store::Backend;
use squall_core::ids::{Index, Term};
use squall_core::options::ReadContext;
use squall_core::replica::{
    BootContext, LibraryEvent, Observation, Output, Reply, ReplyOutcome, Request,
};

/// Reads under way at a node.
pub(super) struct Reads {
    /// Names of reads that are never used again start with these.
    prefix: [u8; 5],
    asked: u64,
    /// Reads that have come to this node while it led.
    arrived: u64,
    waiting: Vec<Waiting>,
    /// The library's term when it was last ready.
    term: Term,
    /// The term in which a read has last come to this node while it led, and how many had come
    /// before that term.
    arrived_in: Term,
    arrived_before: u64,
}

struct Waiting {
    /// With what its leader adds to it, this is what the library calls it by.
    context: Vec<u8>,
    request: Request,
    /// The term that the node led when it took the read; none where it passed it on.
    led: Option<Term>,
    /// From which index on it may be served, once that is known.
    index: Option<Index>,
}

impl Reads {
    pub(super) fn new(boot: &BootContext<'_>) -> Self {
        let mut prefix = [boot.id.0; 5];
        prefix[1..].copy_from_slice(&boot.incarnation.to_be_bytes());
        Self {
            prefix,
            asked: 0,
            arrived: 0,
            waiting: Vec::new(),
            term: 0,
            arrived_in: 0,
            arrived_before: 0,
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

    /// Under which name `raft`, where it leads, is to confirm a read that comes as `context` from
    /// the node `from` (0 for this one): as long as it waits for one of that name from there, under
    /// the same, and then never again. It answers only where the first one came from. An answer
    /// to a heartbeat names the read that it was sent for, and one that is late would otherwise
    /// confirm a read that has come again since, by a retry or as a copy on the network, and
    /// with it those that have come before that.
    fn name<S: Storage>(&mut self, raft: &Raft<S>, from: u64, mut context: Vec<u8>) -> Vec<u8> {
        if raft.state != StateRole::Leader {
            return context;
        }
        let reads = &raft.read_only;
        let came_from = |name: &Vec<u8>| {
            let waiting = reads.pending_read_index.get(name);
            waiting.is_some_and(|read| read.req.from == from)
        };
        let mut waiting = reads.read_index_queue.iter();
        let same = |name: &&Vec<u8>| name.starts_with(&context) && came_from(name);
        if let Some(name) = waiting.find(same) {
            return name.clone();
        }
        if self.arrived_in != raft.term {
            self.arrived_in = raft.term;
            self.arrived_before = self.arrived;
        }
        self.arrived += 1;
        context.extend(self.arrived.to_be_bytes());
        context
    }

    /// Whether a read that a leader of `term` has named so came to it before that term.
    fn is_of_earlier_term(&self, name: &[u8], term: Term) -> bool {
        let Some(arrived) = name.last_chunk() else {
            return false;
        };
        self.arrived_in != term || u64::from_be_bytes(*arrived) <= self.arrived_before
    }
}

impl<S: Backend> RaftNode<S> {
    pub(super) fn read(&mut self, request: Request, out: &mut Output<Message>) {
        let Request {
            client, sequence, ..
        } = request;
        let leads = self.raw.raft.state == StateRole::Leader;
        if self.leader().is_none() {
            out.reply(Reply {
                client,
                sequence,
                outcome: ReplyOutcome::Refused { leader: None },
            });
            return;
        }
        if !leads {
            out.observe(Observation::Did(LibraryEvent::ForwardedRead));
        }
        let context = self.reads.context(&request, self.options.read_context);
        self.reads
            .waiting
            .retain(|other| other.request.client != client);
        self.reads.waiting.push(Waiting {
            context: context.clone(),
            request,
            led: leads.then_some(self.raw.raft.term),
            index: None,
        });
        let name = match self.switches.reuse_read_names {
            true => context,
            false => self.reads.name(&self.raw.raft, raft::INVALID_ID, context),
        };
        let (queued, ready, sent) = self.reads_and_messages();
        self.raw.mut_store().note(|| Note::Read(name.clone()));
        self.raw.read_index(name);
        let drops = leads && (queued, ready, sent) == self.reads_and_messages();
        if drops && !self.raw.raft.commit_to_current_term() {
            // It says nothing, and will not: it does not know yet what is committed.
            self.refuse_reads(out, |read| read.request.client == client);
        }
    }

    /// What a read that the library takes adds to.
    fn reads_and_messages(&self) -> (usize, usize, usize) {
        let raft = &self.raw.raft;
        let queued = raft.pending_read_count();
        (queued, raft.ready_read_count(), raft.msgs.len())
    }

    /// The node leads no more: the library has forgotten the reads that it took as a leader.
    pub(super) fn refuse_reads_of_a_leader(&mut self, out: &mut Output<Message>) {
        let raft = &self.raw.raft;
        let leads = (raft.state == StateRole::Leader).then_some(raft.term);
        self.refuse_reads(out, |read| {
            read.index.is_none() && read.led.is_some() && read.led != leads
        });
    }

    fn refuse_reads(&mut self, out: &mut Output<Message>, which: impl Fn(&Waiting) -> bool) {
        let leader = self.leader();
        self.reads.waiting.retain(|read| {
            let refused = which(read);
            if refused {
                out.reply(Reply {
                    client: read.request.client,
                    sequence: read.request.sequence,
                    outcome: ReplyOutcome::Refused { leader },
                });
            }
            !refused
        });
    }

    /// Another node passes a read on.
    pub(super) fn name_read(&mut self, message: &mut Message) {
        if self.switches.reuse_read_names {
            return;
        }
        let from = message.from;
        if let Some(asked) = message.mut_entries().first_mut() {
            let name = self.reads.name(&self.raw.raft, from, asked.data.to_vec());
            asked.data = name.into();
        }
    }

    /// The library names the index from which on each of these reads may be served.
    pub(super) fn confirm_reads(&mut self, states: Vec<ReadState>, out: &mut Output<Message>) {
        self.assert_of_this_term(&states);
        for ReadState { index, request_ctx } in states {
            let mut waiting = self.reads.waiting.iter_mut();
            let read =
                waiting.find(|read| request_ctx.starts_with(&read.context) && read.index.is_none());
            if let Some(read) = read {
                read.index = Some(index);
                out.observe(Observation::ReadConfirmed { index });
            }
        }
        self.serve_reads(out);
    }

    /// # Panics
    /// When the library, as a leader, confirms a read that it took as the leader of an earlier
    /// term.
    fn assert_of_this_term(&self, states: &[ReadState]) {
        let term = self.raw.raft.term;
        // Where the term is that of the ready before, all since then was in it.
        let led_since = self.raw.raft.state == StateRole::Leader && self.reads.term == term;
        if !led_since || self.switches.reuse_read_names {
            return;
        }
        let earlier = |state: &ReadState| self.reads.is_of_earlier_term(&state.request_ctx, term);
        assert!(
            !states.iter().any(earlier),
            "a leader confirms no read that it took in an earlier term"
        );
    }

    /// The library is ready; all that it says of reads has been taken.
    #[inline(always)]
    pub(super) fn note_term_of_reads(&mut self) {
        self.reads.term = self.raw.raft.term;
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
                out.reply(Reply {
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

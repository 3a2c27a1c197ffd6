//! The service of a node, with the clients that wait for it: the part of a driver
//! that is the same around every Raft library.

use crate::ids::{Index, NodeId};
use crate::replica::{Observation, Output, Reply, ReplyOutcome, Request};
use crate::service::{Applied, Service};

/// A replicated state machine, and the requests that its node has taken.
#[derive(Clone, Debug, Default)]
pub struct StateMachine {
    /// What is replicated.
    pub service: Service,
    /// Client and sequence number of what was taken here and is not answered yet.
    taken: Vec<(u32, u64)>,
}

impl StateMachine {
    /// A state machine that no client waits for.
    pub fn new(service: Service) -> Self {
        Self {
            service,
            taken: Vec::new(),
        }
    }

    /// The request has been proposed: its client is answered when it is applied. A client has one
    /// request under way; it no longer waits for what it asked for before.
    pub fn take(&mut self, client: u32, sequence: u64) {
        self.forget(client);
        self.taken.push((client, sequence));
    }

    /// The client no longer waits for what it asked for before.
    pub fn forget(&mut self, client: u32) {
        self.taken.retain(|(waiting, _)| *waiting != client);
    }

    /// The request is not taken; its client may ask `leader` instead.
    pub fn refuse<M>(&mut self, request: &Request, leader: Option<NodeId>, out: &mut Output<M>) {
        self.forget(request.client);
        out.reply(Reply {
            client: request.client,
            sequence: request.sequence,
            outcome: ReplyOutcome::Refused { leader },
        });
    }

    /// Applies the data of the entry at `index` (none for an entry that is not a command), reports
    /// that, and answers the client if it waits here.
    #[inline]
    pub fn apply<M>(&mut self, index: Index, data: &[u8], out: &mut Output<M>) {
        let applied = self.service.apply(data);
        let state = self.service.state();
        self.applied(index, state, applied, out);
    }

    /// The same, of an entry that has been applied elsewhere, where that gave `state` and, if the
    /// entry is a command, `applied`.
    #[inline]
    pub fn applied<M>(
        &mut self,
        index: Index,
        state: u64,
        applied: Option<Applied>,
        out: &mut Output<M>,
    ) {
        out.observe(Observation::Applied { index, state });
        let Some(applied) = applied else { return };
        let waiting = (applied.client, applied.sequence);
        if let Some(place) = self.taken.iter().position(|request| *request == waiting) {
            self.taken.swap_remove(place);
            out.reply(Reply {
                client: applied.client,
                sequence: applied.sequence,
                outcome: ReplyOutcome::Applied {
                    index,
                    answer: applied.answer,
                },
            });
        }
    }
}

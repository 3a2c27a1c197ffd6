//! The clients of a run: each has one command under way at a time, waits, and
//! moves on when no answer comes. What became of a command that timed out is
//! unknown to it, never "did not happen".

use crate::machine::Command;
use crate::plan::Workload;
use crate::replica::{Reply, ReplyOutcome, Request};
use crate::rng::Choices;
use crate::sometimes::{Counters, Event};
use crate::types::{Index, NodeId};

/// The first client that asks for a fresh command after the storm. Each asks
/// once, so that a late answer counts: the harness is as patient as the run is long.
const FIRST_PROBE: u32 = 1 << 31;

/// Whether this client asks for a fresh command after the storm.
pub(super) fn is_probe(client: u32) -> bool {
    client >= FIRST_PROBE
}

pub(super) struct Clients {
    choices: Choices,
    workload: Workload,
    clients: Vec<Client>,
    probes: u32,
    /// The highest index at which any client was told that its command is applied.
    pub(super) acknowledged: Index,
    /// Fresh commands answered.
    pub(super) fresh_answers: u64,
}

#[derive(Clone, Default)]
struct Client {
    sequence: u64,
    waiting: bool,
    /// The node that served it last.
    friend: Option<NodeId>,
}

impl Clients {
    pub(super) fn new(seed: u64, workload: Workload) -> Self {
        Self {
            choices: Choices::labelled(seed, "clients", 0),
            workload,
            clients: vec![Client::default(); workload.clients as usize],
            probes: 0,
            acknowledged: 0,
            fresh_answers: 0,
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.clients.len() as u32
    }

    /// How long a client pauses before its next command, in microseconds.
    pub(super) fn think_us(&mut self) -> u64 {
        let Workload {
            think_min_us,
            think_max_us,
            ..
        } = self.workload;
        self.choices.between(think_min_us, think_max_us).max(1)
    }

    /// A client's next command, and whom it asks: the node that served it last, or any.
    pub(super) fn next(&mut self, number: u32, among: &[NodeId]) -> (NodeId, Request) {
        let stray = self.choices.below(8) == 0;
        let any = *self.choices.pick(among);
        let padding_max = u64::from(self.workload.padding_max_bytes);
        let padding = self.choices.skewed(0, padding_max) as usize;
        let register = self.choices.below(16) as u16;
        let client = &mut self.clients[number as usize];
        client.sequence += 1;
        client.waiting = true;
        let node = match client.friend {
            Some(friend) if !stray => friend,
            _ => any,
        };
        let sequence = client.sequence;
        let command = Command {
            client: number,
            sequence,
            register,
        }
        .encode(padding);
        (
            node,
            Request {
                client: number,
                sequence,
                command,
            },
        )
    }

    /// A fresh command, by a client that has never asked before.
    pub(super) fn next_probe(&mut self, among: &[NodeId]) -> (NodeId, Request) {
        let node = *self.choices.pick(among);
        let client = FIRST_PROBE + self.probes;
        self.probes += 1;
        let command = Command {
            client,
            sequence: 1,
            register: 0,
        }
        .encode(0);
        (
            node,
            Request {
                client,
                sequence: 1,
                command,
            },
        )
    }

    /// Takes an answer. Returns whether the client was waiting for it.
    pub(super) fn answered(
        &mut self,
        from: NodeId,
        reply: &Reply,
        counters: &mut Counters,
    ) -> bool {
        let Reply {
            client: number,
            sequence,
            outcome,
        } = *reply;
        if is_probe(number) {
            if let ReplyOutcome::Applied(index) = outcome {
                self.acknowledged = self.acknowledged.max(index);
                self.fresh_answers += 1;
            }
            return false;
        }
        let client = &mut self.clients[number as usize];
        if !client.waiting || client.sequence != sequence {
            return false;
        }
        client.waiting = false;
        match outcome {
            ReplyOutcome::Applied(index) => {
                client.friend = Some(from);
                counters.hit(Event::CommandApplied);
                self.acknowledged = self.acknowledged.max(index);
            }
            ReplyOutcome::Refused => {
                client.friend = None;
                counters.hit(Event::CommandRefused);
            }
        }
        true
    }

    /// The command's time is up. Returns whether the client was still waiting for it.
    pub(super) fn timed_out(
        &mut self,
        number: u32,
        sequence: u64,
        counters: &mut Counters,
    ) -> bool {
        let client = &mut self.clients[number as usize];
        if !client.waiting || client.sequence != sequence {
            return false;
        }
        client.waiting = false;
        client.friend = None;
        counters.hit(Event::CommandTimedOut);
        true
    }
}

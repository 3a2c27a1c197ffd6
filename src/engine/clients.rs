//! The clients of a run: each has one command under way at a time, waits, and
//! moves on when no answer comes. What became of a command that timed out is
//! unknown to it, never "did not happen".

use crate::machine::Command;
use crate::plan::Workload;
use crate::replica::{Reply, ReplyOutcome, Request};
use crate::rng::Choices;
use crate::sometimes::{Counters, Event};
use crate::types::{Index, NodeId};

/// The client that asks for fresh commands after the storm.
pub(super) const PROBE: u32 = u32::MAX;

pub(super) struct Clients {
    choices: Choices,
    workload: Workload,
    clients: Vec<Client>,
    probe: Client,
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
            probe: Client::default(),
            acknowledged: 0,
            fresh_answers: 0,
        }
    }

    fn client(&mut self, number: u32) -> &mut Client {
        match number {
            PROBE => &mut self.probe,
            number => &mut self.clients[number as usize],
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.clients.len() as u32
    }

    /// How long a client pauses before its next command, in microseconds.
    pub(super) fn think_us(&mut self) -> u64 {
        let Workload { think_min_us, think_max_us, .. } = self.workload;
        self.choices.between(think_min_us, think_max_us).max(1)
    }

    /// A client's next command, and whom it asks: the node that served it last, or any.
    pub(super) fn next(&mut self, number: u32, among: &[NodeId]) -> (NodeId, Request) {
        let stray = self.choices.below(8) == 0;
        let any = *self.choices.pick(among);
        let padding_max = u64::from(self.workload.padding_max_bytes);
        let padding = self.choices.skewed(0, padding_max) as usize;
        let register = self.choices.below(16) as u16;
        let client = self.client(number);
        client.sequence += 1;
        client.waiting = true;
        let node = match client.friend {
            Some(friend) if !stray && number != PROBE => friend,
            _ => any,
        };
        let sequence = client.sequence;
        let command = Command { client: number, sequence, register }.encode(padding);
        (node, Request { client: number, sequence, command })
    }

    /// Takes an answer. Returns whether the client was waiting for it.
    pub(super) fn answered(&mut self, from: NodeId, reply: &Reply, counters: &mut Counters) -> bool {
        let Reply { client: number, sequence, outcome } = *reply;
        let client = self.client(number);
        if !client.waiting || client.sequence != sequence {
            return false;
        }
        client.waiting = false;
        match outcome {
            ReplyOutcome::Applied(index) => {
                client.friend = Some(from);
                counters.hit(Event::CommandApplied);
                self.acknowledged = self.acknowledged.max(index);
                if number == PROBE {
                    self.fresh_answers += 1;
                }
            }
            ReplyOutcome::Refused => {
                client.friend = None;
                counters.hit(Event::CommandRefused);
            }
        }
        true
    }

    /// The command's time is up. Returns whether the client was still waiting for it.
    pub(super) fn timed_out(&mut self, number: u32, sequence: u64, counters: &mut Counters) -> bool {
        let client = self.client(number);
        if !client.waiting || client.sequence != sequence {
            return false;
        }
        client.waiting = false;
        client.friend = None;
        counters.hit(Event::CommandTimedOut);
        true
    }
}

//! What passes between clients and nodes.

use super::Answered;
use super::clients::{Ask, Clients, Next, Taken};
use super::event::Event;
use super::world::World;
use crate::counters::Counter;
use crate::ids::{FIRST_KEEPER, NodeId, Role};
use crate::invariants::Verdict;
use crate::plan::Try;
use crate::replica::{Input, Reply, ReplyOutcome, Subject};

impl<S: Subject> World<'_, '_, S> {
    #[inline(never)]
    pub(super) fn client_wakes(&mut self, now_us: u64, client: u32) -> Verdict {
        if self.healed {
            return Ok(());
        }
        let mut members = std::mem::take(&mut self.asked_of);
        self.members_into(&mut members);
        let checks = &mut self.checks;
        let next = self
            .clients
            .next(client, now_us, &members, |command, bytes| {
                checks.invoked_in(command, bytes)
            });
        self.asked_of = members;
        self.client_asks(now_us, client, next)
    }

    /// A client asks for something, for the first time or again.
    pub(super) fn client_asks(&mut self, now_us: u64, client: u32, next: Next) -> Verdict {
        let is_new = matches!(next, Next::Ask(..));
        let (node, ask) = match next {
            Next::Ask(node, ask) => {
                self.counters.hit(match ask.reads {
                    true => Counter::ReadSent,
                    false => Counter::CommandSent,
                });
                (node, ask)
            }
            Next::Again(node, ask) => {
                self.counters.hit(match ask.reads {
                    true => Counter::ReadRetried,
                    false => Counter::CommandRetried,
                });
                (node, ask)
            }
        };
        if ask.reads && self.clients.others_read(client) {
            self.counters.hit(Counter::ReadsInFlight);
        }
        if let Some(recording) = &mut self.watch.recording {
            let at = Try {
                at_us: now_us,
                node,
            };
            recording.asked(client, at, &ask.request, ask.reads, is_new);
        }
        let gives_up = Event::ClientGivesUp {
            client,
            sequence: ask.request.sequence,
            attempt: ask.request.attempt,
        };
        self.queue
            .push(now_us + self.plan.workload.timeout_us, gives_up);
        self.request(now_us, node, ask)
    }

    pub(super) fn request(&mut self, now_us: u64, node: NodeId, ask: Ask) -> Verdict {
        let Ask {
            operation,
            request,
            reads,
        } = ask;
        let slot = &self.slots[node.position()];
        if slot.paused_until_us.is_some() {
            return Ok(());
        }
        if slot.replica.is_none() {
            let refused = Reply {
                client: request.client,
                sequence: request.sequence,
                outcome: ReplyOutcome::Refused { leader: None },
            };
            return self.answer(node, &refused);
        }
        if reads {
            let view = &self.views[node.position()];
            self.checks.asked_around(view, node, operation);
            if self.is_deposed(node) {
                self.counters.hit(Counter::ReadAtDeposedLeader);
            }
        }
        self.owe(now_us, node, &request, reads);
        let input = match reads {
            true => Input::Read(request),
            false => Input::Request(request),
        };
        self.step(now_us, node, input)
    }

    /// Whether the node leads and does not know that another was elected since.
    fn is_deposed(&self, node: NodeId) -> bool {
        let view = &self.views[node.position()];
        let newer = |other: &crate::invariants::NodeView| {
            other.role == Role::Leader && other.term > view.term
        };
        view.role == Role::Leader && self.views.iter().any(newer)
    }

    pub(super) fn answer(&mut self, node: NodeId, reply: &Reply) -> Verdict {
        if reply.client >= FIRST_KEEPER {
            return self.answer_keeper(node, reply);
        }
        match self.clients.answered(node, reply, &mut self.counters) {
            Taken::Ignored => {}
            Taken::Ends(operation, command, pauses) => {
                if let ReplyOutcome::Read { .. } = reply.outcome {
                    self.counters.hit(Counter::ReadServed);
                    if self.plan.raft.lease_reads {
                        self.counters.hit(Counter::LeaseReadServed);
                    }
                    if self.views[node.position()].role != Role::Leader {
                        self.counters.hit(Counter::ReadServedByFollower);
                    }
                }
                self.checks.answered(
                    node,
                    operation,
                    &command,
                    &reply.outcome,
                    &mut self.counters,
                )?;
                if let ReplyOutcome::Read { index, .. } = reply.outcome {
                    let view = &self.views[node.position()];
                    self.checks.served(view, node, operation, index)?;
                }
                self.checks.closed(operation);
                if let Some(answers) = &mut self.watch.answers
                    && let ReplyOutcome::Applied { answer, .. } | ReplyOutcome::Read { answer, .. } =
                        reply.outcome
                {
                    answers.push(Answered {
                        time_us: self.queue.now_us(),
                        command,
                        answer,
                    });
                }
                if let Some(client) = Clients::place(reply.client)
                    && !pauses
                {
                    self.client_thinks(client);
                }
            }
            Taken::Refused { place } => self.client_thinks(place),
            Taken::GivenUp(operation, failed) => {
                match failed {
                    true => self.checks.failed(operation),
                    false => self.checks.abandoned(operation),
                }
                if let Some(client) = Clients::place(reply.client) {
                    self.client_thinks(client);
                }
            }
        }
        Ok(())
    }

    pub(super) fn client_gives_up(&mut self, client: u32, sequence: u64, attempt: u32) {
        if self.goes_on_waiting(client, sequence, attempt) {
            return;
        }
        let number = self.clients.clients[client as usize].number;
        let counters = &mut self.counters;
        let crashes = counters.get(Counter::ClientCrashed);
        let Some(abandoned) = self.clients.timed_out(client, sequence, attempt, counters) else {
            return;
        };
        if self.counters.get(Counter::ClientCrashed) > crashes {
            self.answers.drop_client(number);
            if let Some(recording) = &mut self.watch.recording {
                recording.crashed(client);
            }
        }
        if let Some(operation) = abandoned {
            self.checks.abandoned(operation);
        }
        self.client_thinks(client);
    }

    /// Whether the client waits for longer: its answer is still to come, and nothing goes wrong
    /// meanwhile.
    fn goes_on_waiting(&mut self, client: u32, sequence: u64, attempt: u32) -> bool {
        let number = self.clients.clients[client as usize].number;
        let (now_us, within_us) = (self.queue.now_us(), self.within_us());
        let asked = (number, sequence, attempt);
        let waits = !self.healed && self.answers.is_awaited(now_us, within_us, asked);
        if waits {
            let again = Event::ClientGivesUp {
                client,
                sequence,
                attempt,
            };
            let at_us = self.queue.now_us() + self.plan.workload.timeout_us;
            self.queue.push(at_us, again);
        }
        waits
    }

    fn client_thinks(&mut self, client: u32) {
        // Who goes by a script need not think.
        if self.plan.script.is_some() {
            return;
        }
        let at_us = self.queue.now_us() + self.clients.think_us();
        self.queue.push(at_us, Event::ClientWakes { client });
    }
}

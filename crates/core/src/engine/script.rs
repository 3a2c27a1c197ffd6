//! Clients that go by a plan's script and draw nothing.

use super::clients::{Ask, Clients, Hold, Next, Waiting};
use super::event::Event;
use super::world::World;
use crate::history::OperationId;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::Asked;
use crate::replica::{Request, Subject};
use crate::service::{Command, Operation};

impl<S: Subject> World<'_, '_, S> {
    /// Puts every try of the plan's script into the queue.
    pub(super) fn begin_script(&mut self) {
        for (number, asked) in self.plan.script.iter().flatten().enumerate() {
            for (nth, one) in asked.tries.iter().enumerate() {
                let try_it = Event::ScriptedTry {
                    operation: number as u32,
                    nth: nth as u32,
                };
                self.queue.push(one.at_us, try_it);
            }
        }
    }

    /// A client asks for what the script says, if it is free to, and if nobody has answered.
    pub(super) fn scripted_try(&mut self, now_us: u64, operation: u32, nth: u32) -> Verdict {
        let plan = self.plan;
        let asked = plan
            .script
            .as_ref()
            .and_then(|all| all.get(operation as usize));
        let Some(asked) = asked.filter(|_| !self.healed) else {
            return Ok(());
        };
        let node = asked.tries[nth as usize].node;
        if nth == 0
            && let Some((id, failed)) = self.clients.lets_go(asked.client)
        {
            match failed {
                true => self.checks.failed(id),
                false => self.checks.abandoned(id),
            }
        }
        let checks = &mut self.checks;
        let scripted = Scripted {
            operation,
            nth,
            asked,
        };
        let next = self
            .clients
            .next_of_script(scripted, now_us, node, |command, bytes| {
                checks.invoked_in(command, bytes)
            });
        match next {
            Some(next) => self.client_asks(now_us, asked.client, next),
            None => Ok(()),
        }
    }
}

/// One try of a script.
pub(super) struct Scripted<'a> {
    operation: u32,
    nth: u32,
    asked: &'a Asked,
}

impl Clients {
    /// A client that is about to ask for something new stops waiting for what it would ask for
    /// again, were there another try in the script. The flag says that no attempt of that can
    /// have taken effect.
    fn lets_go(&mut self, client: u32) -> Option<(OperationId, bool)> {
        let waiting = &mut self.clients[client as usize].waiting;
        waiting
            .take_if(|waiting| !waiting.sent)
            .map(|waiting| (waiting.id, waiting.refused))
    }

    fn next_of_script(
        &mut self,
        scripted: Scripted<'_>,
        now_us: u64,
        node: NodeId,
        invoked: impl FnOnce(Command, &[u8]) -> OperationId,
    ) -> Option<Next> {
        let Scripted {
            operation,
            nth,
            asked,
        } = scripted;
        let reads = self.reads && asked.around_log;
        let last = asked.tries.len() as u32 - 1;
        let retries = self.workload.retries.max(last);
        // What the service does not do is nothing that its clients ask for.
        if asked.operation.is_of_machine() != self.kit.is_some() {
            return None;
        }
        let client = &mut self.clients[asked.client as usize];
        let is_new = nth == 0;
        match &mut client.waiting {
            None if is_new => {
                let mut operation_now = with_token(asked.operation, client.lock)?;
                if self.workload.leases_by_leader {
                    operation_now = without_end(operation_now);
                }
                client.sequence += 1;
                let command = Command {
                    client: client.number,
                    sequence: client.sequence,
                    time_us: now_us,
                    operation: operation_now,
                };
                let padding = asked.padding_bytes as usize;
                let bytes = Self::encode(self.kit.as_ref(), &command, padding);
                client.waiting = Some(Waiting {
                    id: invoked(command, &bytes),
                    command,
                    bytes,
                    reads,
                    attempt: 0,
                    retries,
                    refused: true,
                    sent: false,
                    scripted: Some(operation),
                    crashes_at: asked.crashes.then_some(last),
                });
            }
            Some(waiting) if !is_new && waiting.scripted == Some(operation) => {
                // An attempt that is still under way may take effect, whatever comes of this one.
                waiting.refused &= !waiting.sent;
                waiting.attempt = nth;
            }
            _ => return None,
        }
        let waiting = client.waiting.as_mut()?;
        waiting.sent = true;
        let ask = Ask {
            operation: waiting.id,
            request: Request {
                client: client.number,
                sequence: client.sequence,
                attempt: waiting.attempt,
                command: waiting.bytes.clone(),
            },
            reads: waiting.reads,
        };
        Some(match is_new {
            true => Next::Ask(node, ask),
            false => Next::Again(node, ask),
        })
    }
}

/// The operation with a lease whose end is the leader's to see.
fn without_end(mut operation: Operation) -> Operation {
    if let Operation::Acquire { lease_us, .. }
    | Operation::TryAcquire { lease_us, .. }
    | Operation::Renew { lease_us, .. } = &mut operation
    {
        *lease_us = u64::MAX;
    }
    operation
}

/// The operation with the token that the client holds; none when it needs one and holds none,
/// for clients forge no tokens.
fn with_token(mut operation: Operation, hold: Hold) -> Option<Operation> {
    if let Operation::Renew { lock, token, .. }
    | Operation::Release { lock, token }
    | Operation::Guarded { lock, token } = &mut operation
    {
        match hold {
            Hold::Holds {
                lock: held,
                token: own,
            } if held == *lock => *token = own,
            _ => return None,
        }
    }
    Some(operation)
}

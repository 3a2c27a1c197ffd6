//! Leases of locks that leaders keep: each node has a keeper of leases, which counts by the node's
//! own clock while the node leads, and asks for what has run out to be revoked. The clock may drift
//! and jump, and the node may stand still; what keeps a lock safe is its fencing token.
//!
//! As in etcd, what has run out is put on a list first, which the next tick works off, whoever
//! leads by then (etcd-io/etcd#15247 tells what follows).

use super::world::World;
use crate::history::OperationId;
use crate::ids::{FIRST_KEEPER, NUMBERS_OF_KEEPER, NodeId, Role, Term};
use crate::invariants::Verdict;
use crate::replica::{Input, Reply, ReplyOutcome, Request, Subject};
use crate::service::{Command, LOCKS, Operation};

/// The keeper of leases of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct LeaseKeeper {
    /// The term that its node leads, as it knows.
    office: Option<Term>,
    watched: [Option<Watched>; LOCKS as usize],
    /// What has run out, and is to be revoked.
    run_out: Vec<Operation>,
    /// What it has asked for and was not answered, by lock.
    open: [Option<(OperationId, Command)>; LOCKS as usize],
    /// Its commands so far, over all incarnations of its node.
    sequence: u64,
}

/// A lease as a keeper has seen it.
#[derive(Clone, Copy, Debug)]
struct Watched {
    token: u64,
    renewals: u32,
    /// When it has run out, by the node's own clock.
    until_us: u64,
}

impl<S: Subject> World<'_, '_, S> {
    /// A tick of the node has passed.
    pub(super) fn keep_leases(&mut self, now_us: u64, node: NodeId) -> Verdict {
        let position = node.position();
        if self.healed || self.lease_keepers.is_empty() {
            return Ok(());
        }
        for operation in std::mem::take(&mut self.lease_keepers[position].run_out) {
            self.ask_to_revoke(now_us, node, operation)?;
        }
        self.look_at_leases(now_us, node);
        Ok(())
    }

    fn look_at_leases(&mut self, now_us: u64, node: NodeId) {
        let view = &self.views[node.position()];
        let keeper = &mut self.lease_keepers[node.position()];
        let leads = view.up && view.role == Role::Leader;
        let office = leads.then_some(view.term);
        if keeper.office != office {
            // In a new office every lease has its whole time again.
            keeper.office = office;
            keeper.watched = Default::default();
        }
        let Some(holders) = office.and_then(|_| self.checks.holders_at(view.applied)) else {
            return;
        };
        let local_us = self.slots[node.position()].clock.local_us(now_us);
        let lease_us = self.plan.workload.lease_us;
        for (lock, held) in (0..LOCKS).zip(holders) {
            let watched = &mut keeper.watched[usize::from(lock)];
            let Some((token, renewals)) = held else {
                *watched = None;
                continue;
            };
            match watched {
                Some(known) if (known.token, known.renewals) == (token, renewals) => {
                    if known.until_us <= local_us {
                        // Should it come to nothing, it is asked again.
                        known.until_us = local_us.saturating_add(lease_us);
                        keeper.run_out.push(Operation::Revoke {
                            lock,
                            token,
                            renewals,
                            blind: false,
                        });
                    }
                }
                _ => {
                    *watched = Some(Watched {
                        token,
                        renewals,
                        until_us: local_us.saturating_add(lease_us),
                    });
                }
            }
        }
    }

    fn ask_to_revoke(&mut self, now_us: u64, node: NodeId, operation: Operation) -> Verdict {
        if !self.is_up(node) {
            return Ok(());
        }
        let lock = operation.lock().unwrap_or_default() % LOCKS;
        let keeper = &mut self.lease_keepers[node.position()];
        if let Some((before, _)) = keeper.open[usize::from(lock)].take() {
            self.checks.abandoned(before);
        }
        keeper.sequence += 1;
        let command = Command {
            client: FIRST_KEEPER + u32::from(node.0) * NUMBERS_OF_KEEPER + u32::from(lock),
            sequence: keeper.sequence,
            time_us: now_us,
            operation,
        };
        let bytes = command.encode(0);
        let id = self.checks.invoked_in(command, &bytes);
        self.lease_keepers[node.position()].open[usize::from(lock)] = Some((id, command));
        let request = Request {
            client: command.client,
            sequence: command.sequence,
            attempt: 0,
            command: bytes,
        };
        self.step(now_us, node, Input::Request(request))
    }

    /// A keeper of leases is answered.
    pub(super) fn answer_keeper(&mut self, node: NodeId, reply: &Reply) -> Verdict {
        let number = reply.client - FIRST_KEEPER;
        let whose = NodeId((number / NUMBERS_OF_KEEPER) as u8);
        let lock = (number % NUMBERS_OF_KEEPER) as usize;
        let keeper = self.lease_keepers.get_mut(whose.position());
        let Some(open) = keeper.and_then(|keeper| keeper.open.get_mut(lock)) else {
            return Ok(());
        };
        let asked = |(_, command): &mut (OperationId, Command)| command.sequence == reply.sequence;
        let Some((id, command)) = open.take_if(asked) else {
            return Ok(());
        };
        match &reply.outcome {
            ReplyOutcome::Refused { .. } => self.checks.failed(id),
            outcome => self
                .checks
                .answered(node, id, &command, outcome, &mut self.counters)?,
        }
        Ok(())
    }

    /// The node is down, and its keeper remembers nothing.
    pub(super) fn drop_leases(&mut self, node: NodeId) {
        let Some(keeper) = self.lease_keepers.get_mut(node.position()) else {
            return;
        };
        let sequence = keeper.sequence;
        let before = std::mem::take(keeper);
        keeper.sequence = sequence;
        for (id, _) in before.open.into_iter().flatten() {
            self.checks.abandoned(id);
        }
    }
}

//! The lockstep engine in words: what happens, line by line, and how it ended.

use super::trace::{self, Line, Weight};
use super::world::World;
use super::{Failure, NodeAtEnd, Outcome};
use crate::check::Violation;
use crate::replica::{Effect, Input, Message, MessageKind, Replica, Subject, SyncResult};
use crate::types::{NodeId, mix, mix_bytes};

impl<S: Subject> World<'_, '_, S> {
    #[cold]
    pub(super) fn tell(&mut self, node: Option<NodeId>, weight: Weight, text: String) {
        let (time_us, step) = (self.queue.now_us(), self.step);
        if let Some(lines) = &mut self.watch.lines {
            lines(Line {
                time_us,
                step,
                node,
                weight,
                text,
            });
        }
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watch.lines.is_some()
    }

    #[cold]
    pub(super) fn tell_input(&mut self, node: NodeId, input: &Input<Message<S>>) {
        let (weight, text) = match input {
            Input::Tick => (Weight::Routine, "ticks".to_owned()),
            Input::Deliver { from, message } => {
                let kind = S::Replica::label(message).kind;
                let weight = match kind {
                    MessageKind::Heartbeat | MessageKind::HeartbeatReply => Weight::Routine,
                    _ => Weight::Notable,
                };
                (
                    weight,
                    format!("gets from {from}: {}", S::Replica::describe(message)),
                )
            }
            Input::Synced {
                result: SyncResult::Done,
                ..
            } => (Weight::Routine, "sync done".to_owned()),
            Input::Synced {
                result: SyncResult::Failed,
                ..
            } => (Weight::Notable, "sync failed".to_owned()),
            Input::Request(request) => {
                let text = format!(
                    "is asked by client {} for command {}",
                    request.client, request.sequence
                );
                (Weight::Routine, text)
            }
            Input::Read(request) => {
                let text = format!(
                    "is asked by client {} for read {}",
                    request.client, request.sequence
                );
                (Weight::Routine, text)
            }
            Input::Admin(admin) => (Weight::Notable, format!("is asked by an operator {admin}")),
            Input::Unreachable { peer } => (
                Weight::Notable,
                format!("is told that {peer} is unreachable"),
            ),
            Input::SnapshotSent {
                peer,
                delivered: true,
            } => (
                Weight::Notable,
                format!("is told that {peer} got its snapshot"),
            ),
            Input::SnapshotSent { peer, .. } => (
                Weight::Notable,
                format!("is told that {peer} did not get its snapshot"),
            ),
        };
        self.tell(Some(node), weight, text);
    }

    #[cold]
    pub(super) fn tell_effect(&mut self, node: NodeId, effect: &Effect) {
        let (weight, text) = match effect {
            Effect::Write(record) => (Weight::Notable, trace::record(record)),
            Effect::Sync(_) => (Weight::Routine, "begins a sync".to_owned()),
            Effect::Observe(seen) => (Weight::Notable, trace::observation(seen)),
        };
        self.tell(Some(node), weight, text);
    }

    #[cold]
    pub(super) fn tell_library(&mut self, node: NodeId) {
        let Some(log) = &self.log else { return };
        for line in log.take() {
            self.tell(Some(node), Weight::Routine, format!("| {line}"));
        }
    }

    pub(super) fn outcome(mut self, violation: Option<Violation>) -> Outcome {
        if let Some(violation) = &violation {
            let text = format!("VIOLATION {violation}");
            self.tell(violation.node, Weight::Notable, text);
        }
        if let Some(violation) = &violation {
            self.fold(mix_bytes(
                mix(0, violation.property as u64),
                violation.message.as_bytes(),
            ));
        }
        let time_us = self.queue.now_us();
        let nodes = self.nodes.iter().map(|id| self.at_end(*id)).collect();
        Outcome {
            failure: violation.map(|violation| Failure {
                violation,
                step: self.step,
                time_us,
            }),
            digest: self.digest,
            steps: self.step,
            time_us,
            counters: self.counters,
            nodes,
        }
    }

    fn at_end(&self, id: NodeId) -> NodeAtEnd {
        let view = &self.views[id.position()];
        let slot = &self.slots[id.position()];
        let disk = self.disks[id.position()].durable();
        NodeAtEnd {
            id,
            state: match (view.gone, slot.replica.is_some(), slot.paused_until_us) {
                (true, ..) => "gone",
                (_, false, _) => "down",
                (_, _, Some(_)) => "still",
                _ => "up",
            },
            role: view.role,
            term: view.term,
            vote: view.hard.vote,
            last: view.last(),
            commit: view.commit,
            applied: view.applied,
            disk: (disk.hard.term, disk.snapshot_index(), disk.log.last()),
            life: view.life,
        }
    }
}

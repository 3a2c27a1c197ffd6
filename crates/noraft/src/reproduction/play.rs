//! Calls made again in the cluster of reproductions. Knows no harness beyond the calls.

#![allow(
    dead_code,
    clippy::pedantic,
    clippy::nursery,
    reason = "the cluster's source is that of reproductions"
)]

include!("cluster.rs");

use std::collections::BTreeSet;

use super::{Note, PATIENCE, kind, messages, part_of};
use squall_core::engine::of_test;
use squall_core::ids::NodeId as SquallId;
use squall_core::invariants::breach::Panic;
use squall_core::reproduction::{Call, Case, NO_PROGRESS, Noted, What, members};

/// Makes `calls`, then looks at the property; returns the panic that a test of them ends with.
pub(super) fn play(case: &Case, calls: &[Call]) -> Option<Panic> {
    let test = || {
        let mut player = Player::new(case);
        for call in calls {
            player.make(call);
        }
        if part_of(case.property) == Some("liveness") {
            let ids: Vec<u64> = case.up.iter().map(|node| node.0.into()).collect();
            let goes_on = player.cluster.makes_progress(&ids, PATIENCE);
            assert!(goes_on, "{NO_PROGRESS} {PATIENCE} ticks");
        }
    };
    let (_, panic) = of_test(test).err()?;
    panic
}

/// A cluster that calls are made on.
pub(super) struct Player {
    cluster: Cluster,
}

impl Player {
    pub(super) fn new(case: &Case) -> Self {
        let [voters, learners, others] = members(&case.plan);
        let term = case.plan.cluster.first_term;
        let mut cluster = Cluster::new([&voters, &learners, &others], term);
        cluster.looks_at = part_of(case.property).unwrap_or_default();
        Self { cluster }
    }

    fn make(&mut self, call: &Call) {
        let on = self.cluster.on(call.node.0.into());
        let on = match &call.what {
            What::Propose => on.propose(),
            What::Configure { voters, learners } => on.change(voters, learners),
            What::Ping => on.heartbeat(),
            What::Receive {
                from,
                kind,
                passed_over,
                stays,
            } => on.receive_late(kind, from.0.into(), *passed_over, *stays),
            What::Restart => on.restart(),
            _ => on.time_out(),
        };
        if call.settles {
            on.settle();
        }
    }

    /// The notes as calls of the cluster, made on the way. `copies` are the notes of messages that
    /// arrive once more later.
    ///
    /// # Errors
    /// The place of another note of that kind.
    pub(super) fn convert(
        mut self,
        notes: &[Noted<Note>],
        copies: &BTreeSet<usize>,
    ) -> Result<Vec<Call>, usize> {
        let mut calls: Vec<Call> = Vec::new();
        let mut arrived: Vec<(usize, SquallId, &Message)> = Vec::new();
        for (place, noted) in notes.iter().enumerate() {
            let what = match &noted.note {
                Note::Step(from, message) => match self.find(noted.node, message) {
                    Some(passed_over) => {
                        arrived.push((place, noted.node, message));
                        What::Receive {
                            from: *from,
                            kind: kind(message).to_owned(),
                            passed_over,
                            stays: copies.contains(&place),
                        }
                    }
                    None => {
                        let again = |(place, to, other): &&(usize, SquallId, &Message)| {
                            *to == noted.node && *other == message && !copies.contains(place)
                        };
                        match arrived.iter().find(again) {
                            Some((place, ..)) => return Err(*place),
                            // The small cluster has not sent it.
                            None => continue,
                        }
                    }
                },
                Note::Restart => What::Restart,
                Note::TimeOut => What::TimeOut,
                Note::Propose => What::Propose,
                Note::Configure(voters, learners) => {
                    let listed = |ids: &BTreeSet<NodeId>| ids.iter().map(|id| id.get()).collect();
                    What::Configure {
                        voters: listed(voters),
                        learners: listed(learners),
                    }
                }
                Note::Heartbeat => What::Ping,
                Note::Ready | Note::Saved => continue,
            };
            calls.push(Call {
                node: noted.node,
                step: noted.step,
                what,
                settles: is_settled(notes, place),
            });
            if of_test(|| self.make(&calls[calls.len() - 1])).is_err() {
                break;
            }
        }
        Ok(calls)
    }

    /// How many messages of its kind and sender are before `message` on their way to `to`, or
    /// before the one that is most like it.
    fn find(&self, to: SquallId, message: &Message) -> Option<usize> {
        let sent = self.cluster.on_their_way.iter();
        let those = || {
            sent.clone().filter(|(receiver, other)| {
                *receiver == messages::id(to).get()
                    && other.from() == message.from()
                    && kind(other) == kind(message)
            })
        };
        let same = those().position(|(_, other)| other == message);
        same.or_else(|| those().position(|(_, other)| other.term() == message.term()))
    }
}

/// Whether the driver carried the node's actions out after this note, and before it told the node
/// anything else.
fn is_settled(notes: &[Noted<Note>], place: usize) -> bool {
    let node = notes[place].node;
    let mut later = notes[place + 1..].iter().filter(|noted| noted.node == node);
    let next = later.find(|noted| !matches!(noted.note, Note::Saved));
    next.is_none_or(|next| matches!(next.note, Note::Ready))
}

//! What a violation is about: the terms, entries, nodes, keys and locks that it mentions, and which
//! events of a run are about these.

use std::collections::BTreeSet;

use squall_core::engine::{Happened, Trigger, Wrote};
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::invariants::breach::{AckBeforeDurable, Answered, Breach, Mentions};
use squall_core::invariants::{Property, Violation};
use squall_core::replica::Observation;
use squall_core::service::Operation;

use super::step_graph::Moment;

/// What a violation is about.
#[derive(Debug)]
pub struct Topic {
    pub property: Property,
    pub node: Option<NodeId>,
    pub nodes: BTreeSet<NodeId>,
    pub terms: BTreeSet<Term>,
    pub entries: BTreeSet<Index>,
    /// The index of which a message said too much.
    pub promised: Option<Index>,
    /// It is about a vote, and not only about a term.
    pub is_vote: bool,
    pub locks: BTreeSet<u8>,
    pub keys: BTreeSet<u8>,
    /// The client, and which of its operations, that was not answered.
    pub unanswered: Option<(u32, u64)>,
}

impl Topic {
    pub fn of(violation: &Violation) -> Self {
        let Mentions {
            nodes,
            terms,
            entries,
            keys,
            locks,
        } = violation.mentions();
        let (promised, is_vote) = match violation.breach {
            Breach::AckBeforeDurable(AckBeforeDurable::LogNotDurable { index, .. }) => {
                (Some(index), false)
            }
            Breach::AckBeforeDurable(AckBeforeDurable::VoteNotDurable { .. }) => (None, true),
            _ => (None, false),
        };
        Self {
            property: violation.property(),
            node: violation.node,
            nodes,
            terms,
            entries,
            promised,
            is_vote,
            locks,
            keys,
            unanswered: match violation.breach {
                Breach::Answered(
                    Answered::NotByLeader {
                        client, sequence, ..
                    }
                    | Answered::NotWhenApplied {
                        client, sequence, ..
                    },
                ) => Some((client, sequence)),
                _ => None,
            },
        }
    }

    /// Whether it is about what clients were told.
    pub fn is_told(&self) -> bool {
        matches!(
            self.property,
            Property::Linearizability
                | Property::ExactlyOnce
                | Property::ReadIndex
                | Property::LockSafety
        )
    }

    fn names_operation(&self, operation: &Operation) -> bool {
        let is_lock = |lock| self.locks.contains(&lock);
        let is_key = |key| self.keys.contains(&key);
        // A machine is one object, as far as anyone else knows.
        operation.is_of_machine()
            || operation.lock().is_some_and(is_lock)
            || operation.key().is_some_and(is_key)
    }

    /// Whether a client asks for something with what the violation is about.
    pub fn is_asked(&self, trigger: &Trigger) -> bool {
        match trigger {
            Trigger::Client {
                operation: Some(operation),
                ..
            } => self.is_told() && self.names_operation(operation),
            _ => false,
        }
    }

    fn spans(&self, first: Index, last: Index) -> bool {
        self.entries.range(first..=last).next().is_some()
    }

    /// Whether `event`, at `moment`, is one that the violation is about.
    pub fn names(&self, moment: &Moment, event: &Happened) -> bool {
        let is_here = moment.node == self.node;
        match event {
            Happened::Wrote(Wrote::HardState(hard)) => {
                matches!(
                    self.property,
                    Property::AckBeforeDurable | Property::Monotonic
                ) && is_here
                    && self.terms.contains(&hard.term)
            }
            Happened::Wrote(Wrote::Entry { index, .. }) => self.entries.contains(index),
            Happened::Wrote(Wrote::Snapshot { index, .. }) => {
                is_here && self.entries.first().is_some_and(|first| first <= index)
            }
            Happened::Wrote(Wrote::LogReset { next }) => {
                is_here && self.entries.last().is_some_and(|last| next <= last)
            }
            Happened::Wrote(Wrote::LogCompact { through }) => {
                is_here && self.entries.first().is_some_and(|first| first <= through)
            }
            Happened::Observed(seen) => match *seen {
                Observation::Role {
                    role: Role::Leader,
                    term,
                } => self.terms.contains(&term),
                Observation::Applied { index, .. } => {
                    self.property == Property::StateMachineSafety && self.entries.contains(&index)
                }
                Observation::Installed { index, .. } => {
                    is_here && self.entries.first().is_some_and(|first| *first <= index)
                }
                Observation::Configured { index, .. } => {
                    self.property == Property::Configuration || self.entries.contains(&index)
                }
                _ => false,
            },
            Happened::Down(forgotten) => forgotten
                .entries
                .is_some_and(|(first, last)| self.spans(first, last)),
            _ => false,
        }
    }
}

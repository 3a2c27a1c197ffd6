//! What a violation is about: the terms, entries, nodes, keys, locks and clients
//! that its words name. A check says it once, in its message, for people; this
//! reads it from there, so that no check need say it twice.

use std::collections::BTreeSet;

use squall_core::engine::{Happened, Trigger, Wrote};
use squall_core::ids::{Index, NodeId, Role, Term};
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
    pub locks: BTreeSet<u64>,
    pub keys: BTreeSet<u64>,
}

impl Topic {
    pub fn of(violation: &Violation) -> Self {
        let mut topic = Self {
            property: violation.property,
            node: violation.node,
            nodes: violation.node.into_iter().collect(),
            terms: BTreeSet::new(),
            entries: BTreeSet::new(),
            promised: None,
            is_vote: violation.message.contains("its vote for"),
            locks: BTreeSet::new(),
            keys: BTreeSet::new(),
        };
        // What a panic says are the library's words, in which numbers mean what they will.
        if violation.property == Property::NoPanic {
            return topic;
        }
        let words: Vec<&str> = violation
            .message
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        for (place, word) in words.iter().enumerate() {
            let before = place.checked_sub(1).map_or("", |before| words[before]);
            if let Ok(number) = word.parse::<u64>() {
                match before {
                    "term" => drop(topic.terms.insert(number)),
                    "entry" | "to" | "at" | "index" | "of" | "from" => {
                        topic.entries.insert(number);
                        if before == "to" {
                            topic.promised.get_or_insert(number);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            let mut letters = word.chars();
            let kind = letters.next();
            let Ok(number) = letters.as_str().parse::<u64>() else {
                continue;
            };
            match kind {
                Some('n') => drop(u8::try_from(number).map(|id| topic.nodes.insert(NodeId(id)))),
                Some('l') => drop(topic.locks.insert(number)),
                Some('k') => drop(topic.keys.insert(number)),
                _ => {}
            }
        }
        topic
    }

    /// Whether it is about what clients were told.
    pub fn is_told(&self) -> bool {
        matches!(
            self.property,
            Property::Linearizability | Property::ExactlyOnce | Property::LockSafety
        )
    }

    fn names_operation(&self, operation: &Operation) -> bool {
        match operation.lock() {
            Some(lock) => self.locks.contains(&lock.into()),
            None => {
                let words = operation.to_string();
                let mut words = words.split_whitespace();
                words.any(|word| {
                    let number = word.strip_prefix('k').and_then(|rest| rest.parse().ok());
                    number.is_some_and(|number: u64| self.keys.contains(&number))
                })
            }
        }
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

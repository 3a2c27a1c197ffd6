//! What a violation is about.

use std::collections::BTreeSet;

use crate::configuration::Configuration;
use crate::ids::{Index, NodeId, NodeSet, Term};

/// What a violation is about: whoever tells how it came to that looks out for these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Nodes.
    pub nodes: BTreeSet<NodeId>,
    /// Terms.
    pub terms: BTreeSet<Term>,
    /// Entries of the log, by index; also where a log ends.
    pub entries: BTreeSet<Index>,
    /// Keys of the store.
    pub keys: BTreeSet<u8>,
    /// Locks.
    pub locks: BTreeSet<u8>,
}

impl Mentions {
    pub(super) fn node(mut self, node: NodeId) -> Self {
        self.nodes.insert(node);
        self
    }

    pub(super) fn nodes(mut self, nodes: NodeSet) -> Self {
        self.nodes.extend(nodes.iter());
        self
    }

    /// Everyone in it.
    pub(super) fn configuration(self, configuration: &Configuration) -> Self {
        self.nodes(configuration.members())
            .nodes(configuration.learners_next)
    }

    pub(super) fn term(mut self, term: Term) -> Self {
        self.terms.insert(term);
        self
    }

    pub(super) fn entry(mut self, index: Index) -> Self {
        self.entries.insert(index);
        self
    }

    pub(super) fn key(mut self, key: u8) -> Self {
        self.keys.insert(key);
        self
    }

    pub(super) fn lock(mut self, lock: u8) -> Self {
        self.locks.insert(lock);
        self
    }
}

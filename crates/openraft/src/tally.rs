//! Who has accepted how much of a leader's log, as the answers say that the node has got.
//!
//! openraft says what is committed when it is about to apply it. A leader that is deposed while it
//! waits for its disk says so only afterwards, and would seem to commit entries of an earlier term
//! once it leads again. So what its answers amount to is reported when it is deposed.

use std::collections::BTreeMap;

use squall_core::configuration::Configuration;
use squall_core::ids::{Index, NodeId, NodeSet, Term};

/// What has been accepted since the node leads.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The term that the node leads.
    leads: Option<Term>,
    accepted: BTreeMap<NodeId, Index>,
}

impl Tally {
    /// The node leads from now on, or goes on leading.
    pub(super) fn begin(&mut self, term: Term) {
        if self.leads != Some(term) {
            self.leads = Some(term);
            self.accepted.clear();
        }
    }

    /// The term that the node leads; 0 where it leads none.
    pub(super) fn term(&self) -> Term {
        self.leads.unwrap_or(0)
    }

    /// The node leads no longer; returns the term that it led.
    pub(super) fn end(&mut self) -> Option<Term> {
        self.leads.take()
    }

    /// `node` has the log of the leader of `term` up to `index`, durably.
    pub(super) fn accepted(&mut self, term: Term, node: NodeId, index: Index) {
        // An answer to an earlier leadership says nothing of this one's log.
        if self.leads != Some(term) {
            return;
        }
        let known = self.accepted.entry(node).or_default();
        *known = index.max(*known);
    }

    /// How far the log is accepted by a quorum, if that is an entry of the leader's own term.
    pub(super) fn committed(
        &self,
        configuration: &Configuration,
        term: Term,
        term_of: impl Fn(Index) -> Option<Term>,
    ) -> Index {
        let is_accepted = |index: Index| {
            let having = self.accepted.iter().filter(|(_, known)| **known >= index);
            let having: NodeSet = having.map(|(node, _)| *node).collect();
            configuration.has_quorum_in(having)
        };
        let accepted = self.accepted.values().copied();
        let highest = accepted.filter(|index| is_accepted(*index)).max();
        let own = highest.filter(|index| term_of(*index) == Some(term));
        own.unwrap_or(0)
    }
}

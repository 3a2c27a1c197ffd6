//! A node as it shows itself: what it has written and reported. Kept by the
//! engine, read by the checks.

use super::breach::StateOf;
use crate::configuration::Configuration;
use crate::ids::{Index, NodeId, Role, Term};
use crate::log_vec::Indexed;
use crate::replica::Observation;
use crate::storage::{Chain, Entry, EntryKind, HardState, StableState};

/// One node as the harness sees it.
#[derive(Clone, Debug, Default)]
pub struct NodeView {
    /// Its role.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// To whom it hands leadership over.
    pub transfer: Option<NodeId>,
    /// The hard state it wrote last.
    pub hard: HardState,
    /// The highest index it knows to be committed.
    pub commit: Index,
    /// The last index it applied.
    pub applied: Index,
    /// Index and chain of the snapshot it wrote last; 0 when there is none.
    pub snapshot: (Index, Chain),
    /// Whether it runs.
    pub up: bool,
    /// Whether it is down for good.
    pub gone: bool,
    /// How often it has started before.
    pub incarnation: u32,
    /// The configuration it goes by, and the index that it comes from; empty before it has said
    /// so.
    pub configuration: (Index, Configuration),
    /// Where its log holds changes of the configuration, rising.
    changes: Vec<Index>,
    log: Indexed<(Term, Chain)>,
    /// The chain at `log.first() - 1`.
    before: Chain,
}

/// What a write to the log did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The chain of the log up to the new entry.
    pub chain: Chain,
    /// The last index of the log before, when the write cut something off.
    pub cut_after: Option<Index>,
}

impl NodeView {
    /// A node that is down, and of which nothing is left.
    pub fn wiped(incarnation: u32) -> Self {
        Self {
            incarnation,
            ..Self::default()
        }
    }

    /// A node that starts on what its disk kept. It has reported nothing yet.
    pub fn booting(durable: &StableState, incarnation: u32) -> Self {
        let mut log = Indexed::starting_at(durable.log.first());
        let mut changes = Vec::new();
        for (index, entry) in durable.log.iter() {
            // Not the snapshot's, where that is of another log: this one is about to be given up.
            let chain = durable.log.chain_at(index).unwrap_or_default();
            log.push((entry.term, chain));
            if entry.kind != EntryKind::Normal {
                changes.push(index);
            }
        }
        let index = durable.snapshot_index();
        Self {
            hard: durable.hard,
            snapshot: (index, durable.chain_at(index).unwrap_or_default()),
            before: durable.chain_before_log(),
            log,
            changes,
            up: true,
            incarnation,
            ..Self::default()
        }
    }

    /// It says what it starts with.
    pub(super) fn start(&mut self, started: &Observation) {
        if let Observation::Started {
            term,
            commit,
            applied,
            configuration,
            ..
        } = *started
        {
            self.configuration = (applied, configuration);
            self.role = Role::Follower;
            self.term = term;
            self.commit = commit;
            self.applied = applied;
        }
    }

    /// The state that it says it is in.
    #[inline]
    pub(super) fn in_state(&self, node: NodeId, state: u64) -> StateOf {
        StateOf {
            node,
            incarnation: self.incarnation,
            state,
        }
    }

    /// The first index of its log.
    #[inline]
    pub fn first(&self) -> Index {
        self.log.first()
    }

    /// The index after the last entry of its log.
    pub fn next(&self) -> Index {
        self.log.next()
    }

    /// The last index of its log, or its snapshot's where that is further.
    #[inline]
    pub fn last(&self) -> Index {
        self.log.last().max(self.snapshot.0)
    }

    /// The chain of its log up to `index`, where it still has it.
    #[inline(always)]
    pub fn chain_at(&self, index: Index) -> Option<Chain> {
        if index.wrapping_add(1) == self.log.first() {
            return Some(self.before);
        }
        match self.log.get(index) {
            Some((_, chain)) => Some(*chain),
            None if index == self.snapshot.0 => Some(self.snapshot.1),
            None => None,
        }
    }

    /// Term and chain of the entry at `index`, where it still has it.
    #[inline]
    pub fn entry_at(&self, index: Index) -> Option<(Term, Chain)> {
        self.log.get(index).copied()
    }

    /// The term of the entry at `index`, where it still has it.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        self.entry_at(index).map(|(term, _)| term)
    }

    /// It writes an entry.
    ///
    /// # Errors
    /// Its last index, when the entry would leave a hole after it.
    #[inline(always)]
    pub(super) fn append(
        &mut self,
        index: Index,
        entry: &Entry,
        committed: impl Fn(Index) -> Option<Chain>,
    ) -> Result<Written, Index> {
        if index > self.log.next() || index == 0 {
            return Err(self.log.last());
        }
        let before = self.chain_at(index - 1).or_else(|| committed(index - 1));
        let chain = entry.chained_to(before.unwrap_or_default());
        let last = self.log.last();
        let cut_after = (index <= last).then_some(last);
        if index < self.log.first() {
            self.before = before.unwrap_or_default();
        }
        self.log.place(index, (entry.term, chain));
        if cut_after.is_some() {
            self.changes.retain(|change| *change < index);
        }
        if entry.kind != EntryKind::Normal {
            self.changes.push(index);
        }
        Ok(Written { chain, cut_after })
    }

    /// It empties its log, which goes on at `next`.
    pub(super) fn reset(
        &mut self,
        next: Index,
        committed: impl Fn(Index) -> Option<Chain>,
    ) -> Chain {
        let before = committed(next - 1).or_else(|| self.chain_at(next - 1));
        self.before = before.unwrap_or_default();
        self.log.restart_at(next);
        self.changes.clear();
        self.before
    }

    /// The chain of its log up to `index`, by the log's own entries.
    pub(super) fn log_chain_at(&self, index: Index) -> Option<Chain> {
        match index + 1 == self.log.first() {
            true => Some(self.before),
            false => self.log.get(index).map(|(_, chain)| *chain),
        }
    }

    /// The index of the last entry in its log; the one before the first when there is none.
    pub(super) fn log_end(&self) -> Index {
        self.log.last()
    }

    /// The last change of the configuration in its log before `index`.
    pub(super) fn last_change_before(&self, index: Index) -> Option<Index> {
        let before = |change: &&Index| **change < index;
        self.changes.iter().rev().find(before).copied()
    }

    /// Whether its log holds a change of the configuration that it does not know to be committed.
    pub fn change_pending(&self) -> bool {
        self.changes.last().is_some_and(|last| *last > self.commit)
    }

    /// How many changes of the configuration its log holds after `index`.
    pub fn changes_after(&self, index: Index) -> usize {
        let after = |change: &&Index| **change > index;
        self.changes.iter().rev().take_while(after).count()
    }

    /// Whether its log holds a change of the configuration that it has not applied.
    pub fn change_unapplied(&self) -> bool {
        self.changes.last().is_some_and(|last| *last > self.applied)
    }

    /// It drops the log up to and including `through`.
    pub(super) fn compact(&mut self, through: Index) {
        let through = through.min(self.log.last());
        if let Some((_, chain)) = self.log.get(through) {
            self.before = *chain;
            self.log.drop_through(through);
            self.changes.retain(|change| *change > through);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bytes::Bytes;

    /// A node in this role and term, whose log has entries of these terms.
    pub(in crate::invariants) fn log_of(role: Role, term: Term, entries: &[Term]) -> NodeView {
        let mut view = NodeView {
            role,
            term,
            ..NodeView::default()
        };
        for (index, term) in (1..).zip(entries) {
            let entry = Entry {
                term: *term,
                kind: EntryKind::Normal,
                data: Bytes::new(),
            };
            view.append(index, &entry, |_| None).unwrap();
        }
        view
    }
}

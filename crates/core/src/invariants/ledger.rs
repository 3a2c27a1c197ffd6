//! The one history: what is committed at each index, and which state follows.

use std::collections::BTreeMap;

use super::breach::StateOf;
use crate::ids::{Index, Term};
use crate::log_vec::Indexed;
use crate::storage::Chain;

/// Snapshots remembered: more than are taken while a message is on its way.
const SNAPSHOTS: usize = 10_000;

/// The canonical log, as far as some node has known it to be committed.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The first index of the log.
    begins: Index,
    /// The chains that snapshots stand for. One that is long on its way is received when the rows
    /// are forgotten.
    snapshots: BTreeMap<Index, Chain>,
    rows: Indexed<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    chain: Chain,
    /// The term of the leader that committed it.
    by: Term,
    /// The state after applying the entry, once some node has, and who was the first.
    state: Option<StateOf>,
}

impl Ledger {
    /// A ledger of a log that begins after `first`.
    pub(super) fn new(first: Index) -> Self {
        Self {
            begins: first + 1,
            snapshots: BTreeMap::new(),
            rows: Indexed::starting_at(first + 1),
        }
    }

    /// The index that the log begins after.
    pub(super) fn first(&self) -> Index {
        self.begins - 1
    }

    /// The highest index known to be committed.
    #[inline]
    pub(super) fn last(&self) -> Index {
        self.rows.last()
    }

    /// The chain of the committed log up to `index`; none when it is not committed, or long ago.
    #[inline]
    pub(super) fn committed(&self, index: Index) -> Option<Chain> {
        if index < self.begins {
            return Some(Chain::default());
        }
        match self.rows.get(index) {
            Some(row) => Some(row.chain),
            None => self.snapshots.get(&index).copied(),
        }
    }

    /// A node wrote a snapshot of the log up to `index`.
    pub(super) fn snapshot(&mut self, index: Index, chain: Chain) {
        self.snapshots.insert(index, chain);
        if self.snapshots.len() > SNAPSHOTS {
            self.snapshots.pop_first();
        }
    }

    /// The entry at `last() + 1` is committed, by the leader of term `by`.
    #[inline]
    pub(super) fn commit(&mut self, chain: Chain, by: Term) {
        self.rows.push(Row {
            chain,
            by,
            state: None,
        });
    }

    /// The term of the leader that committed the entry at `index`; none when it is not committed,
    /// or long ago.
    pub(super) fn committed_by(&self, index: Index) -> Option<Term> {
        self.rows.get(index).map(|row| row.by)
    }

    /// The highest index committed by a leader of a term before `term`.
    pub(super) fn committed_before(&self, term: Term) -> Index {
        let late = self
            .rows
            .iter()
            .rev()
            .take_while(|(_, row)| row.by >= term)
            .count();
        self.last() - late as u64
    }

    /// The state after `index`: `state`, if nobody has said another. Returns what was said first.
    #[inline]
    pub(super) fn state(&mut self, index: Index, state: StateOf) -> StateOf {
        match self.rows.get_mut(index) {
            Some(row) => *row.state.get_or_insert(state),
            None => state,
        }
    }

    pub(super) fn forget_before(&mut self, index: Index) {
        self.rows.drop_through(index.saturating_sub(1));
    }
}

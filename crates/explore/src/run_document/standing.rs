//! How nodes stand, and in what they stand otherwise than they did.

use std::collections::BTreeMap;

use squall_core::engine::{NodeAt, NodeState};
use squall_core::ids::{Index, NodeId, Term};
use squall_core::storage::Chain;

use super::{ConfigurationFrom, LogChange, LogEntry, NodeChange, OnDisk, RoleName};

/// What is known of the content of an entry, by its index and term: the operation that it is of,
/// and whether it changes the configuration.
pub type Contents = BTreeMap<(Index, Term), (Option<usize>, bool)>;

/// One node as it was shown last.
#[derive(Debug, Default)]
pub struct Standing {
    shown: Option<Shown>,
    /// Terms and chains of its log, which begins at `first`.
    log: Vec<(Term, Chain)>,
    first: Index,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    state: NodeState,
    role: RoleName,
    term: Term,
    vote: u8,
    commit: Index,
    applied: Index,
    snapshot: Index,
    incarnation: u32,
    configuration: ConfigurationFrom,
    disk: OnDisk,
}

impl Shown {
    fn of(node: &NodeAt<'_>) -> Self {
        let NodeAt { view, durable, .. } = node;
        let number = |vote: Option<NodeId>| vote.map_or(0, |vote| vote.0);
        // The disk may have entries that the node has cut off since, or a log that ends before.
        let most = view
            .last()
            .min(durable.log.last().max(durable.snapshot_index()));
        let is_kept = |index: &Index| {
            let chain = view.chain_at(*index);
            chain.is_some() && chain == durable.chain_at(*index)
        };
        let least = durable.snapshot_index().max(view.first().saturating_sub(1));
        let last = (least..=most).rev().find(is_kept).unwrap_or(0);
        let (index, configuration) = view.configuration;
        Self {
            state: node.state,
            role: view.role.into(),
            term: view.term,
            vote: number(view.hard.vote),
            commit: view.commit,
            applied: view.applied,
            snapshot: view.snapshot.0,
            incarnation: view.incarnation,
            configuration: ConfigurationFrom {
                index,
                configuration,
            },
            disk: OnDisk {
                term: durable.hard.term,
                vote: number(durable.hard.vote),
                snapshot: durable.snapshot_index(),
                last,
                unsynced: node.unsynced,
            },
        }
    }
}

impl Standing {
    /// What has changed since the node was shown last.
    pub fn change(
        &mut self,
        id: NodeId,
        node: &NodeAt<'_>,
        contents: &Contents,
    ) -> Option<NodeChange> {
        let now = Shown::of(node);
        let before = self.shown.replace(now);
        let mut change = NodeChange {
            node: id,
            log: self.log_change(node, contents),
            ..NodeChange::default()
        };
        macro_rules! note {
            ($($field:ident),*) => {$(
                if before.is_none_or(|before| before.$field != now.$field) {
                    change.$field = Some(now.$field);
                }
            )*};
        }
        note!(
            state,
            role,
            term,
            vote,
            commit,
            applied,
            snapshot,
            incarnation,
            configuration,
            disk
        );
        let nothing = NodeChange {
            node: id,
            ..NodeChange::default()
        };
        (change != nothing).then_some(change)
    }

    fn log_change(&mut self, node: &NodeAt<'_>, contents: &Contents) -> Option<LogChange> {
        let view = node.view;
        let first = view.first().max(1);
        let next = view.next().max(first);
        let last_same = self.last_same(view, first, next);
        let from = last_same + 1;
        let old_next = self.first + self.log.len() as Index;
        let is_same = self.first == first && from == next && old_next == next;
        if is_same {
            return None;
        }
        let dropped = first
            .saturating_sub(self.first)
            .min(self.log.len() as Index);
        self.log.drain(..dropped as usize);
        self.first = first;
        self.log.truncate((from - first) as usize);
        let mut entries = Vec::new();
        for index in from..next {
            let Some((term, chain)) = view.entry_at(index) else {
                break;
            };
            self.log.push((term, chain));
            let content = contents.get(&(index, term));
            let (operation, changes) = content.copied().unwrap_or_default();
            entries.push(LogEntry {
                term,
                operation,
                changes,
            });
        }
        Some(LogChange {
            first,
            from,
            entries,
        })
    }

    /// The last index up to which the log is what it was, or the one before its first.
    fn last_same(
        &self,
        view: &squall_core::invariants::NodeView,
        first: Index,
        next: Index,
    ) -> Index {
        let was = |index: Index| {
            let place = index.checked_sub(self.first)?;
            self.log.get(place as usize).copied()
        };
        let old_next = self.first + self.log.len() as Index;
        let last = next.min(old_next);
        let both = (first.max(self.first)..last).rev();
        let mut same = both.filter(|index| was(*index) == view.entry_at(*index));
        same.next().unwrap_or(first - 1)
    }
}

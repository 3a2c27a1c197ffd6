//! What the lockstep engine tells coverage: facts about a node after each step of it, and about
//! all of them when something happens to the world.

use super::world::World;
use crate::coverage::{Facts, Part, Standing};
use crate::ids::{Index, NodeId};
use crate::invariants::NodeView;
use crate::replica::Subject;
use crate::storage::StableState;

impl<S: Subject> World<'_, '_, S> {
    /// Takes down how `node` is, where that is asked for.
    #[inline(always)]
    pub(super) fn look(&mut self, node: NodeId) {
        if self.watch.coverage.is_some() {
            self.look_at(node);
        }
    }

    #[inline(never)]
    fn look_at(&mut self, node: NodeId) {
        let Some(coverage) = self.watch.coverage.as_deref_mut() else {
            return;
        };
        let (views, place) = (&self.views, node.position());
        let durable = self.disks[place].durable();
        let facts = match views[place].up {
            true => {
                let still = self.slots[place].paused_until_us.is_some();
                running(node, &views[place], durable, still)
            }
            false => down(&views[place], durable),
        };
        coverage.look(node, facts, |node: NodeId, index: Index| {
            views[node.position()].term_at(index)
        });
    }

    /// Takes down how all nodes and links are, where that is asked for.
    pub(super) fn look_around(&mut self) {
        if self.watch.coverage.is_some() {
            self.look_at_all();
        }
    }

    #[cold]
    fn look_at_all(&mut self) {
        for place in 0..self.nodes.len() {
            self.look_at(self.nodes[place]);
        }
        let (network, views) = (&self.network, &self.views);
        let Some(coverage) = self.watch.coverage.as_deref_mut() else {
            return;
        };
        coverage.look_around(
            self.healed,
            |from, to| network.is_cut(from.position(), to.position()),
            |node: NodeId, index: Index| views[node.position()].term_at(index),
        );
    }
}

#[inline]
fn running(node: NodeId, view: &NodeView, durable: &StableState, still: bool) -> Facts {
    let (since, configuration) = view.configuration;
    let last = view.last();
    let (last_term, chain) = view.entry_at(last).unwrap_or_default();
    Facts {
        standing: if still { Standing::Still } else { Standing::Up },
        role: view.role,
        transfers: view.transfer.is_some(),
        term: view.term,
        vote: view.hard.vote,
        first: view.first(),
        last,
        last_term,
        commit: view.commit,
        applied: view.applied,
        configuration: since,
        part: match configuration {
            _ if configuration.electors().has(node) => Part::Voter,
            _ if configuration.learners.has(node) => Part::Learner,
            _ => Part::Outside,
        },
        joint: configuration.is_joint(),
        change_pending: view.change_pending(),
        hard_state_is_durable: (durable.hard.term, durable.hard.vote)
            == (view.hard.term, view.hard.vote),
        log_is_durable: durable.holds(last, chain),
        snapshot_is_durable: durable.snapshot_index() == view.snapshot.0,
    }
}

/// What is left of a node is what its disk has.
fn down(view: &NodeView, durable: &StableState) -> Facts {
    let last = durable.usable_last();
    let last_term = durable.log.get(last).map_or(0, |entry| entry.term);
    Facts {
        standing: match view.gone {
            true => Standing::Gone,
            false => Standing::Down,
        },
        term: durable.hard.term,
        vote: durable.hard.vote,
        first: durable.log.first(),
        last,
        last_term,
        commit: durable.commit,
        applied: durable.commit,
        ..Facts::default()
    }
}

//! Election Safety: at most one leader can be elected in a given term (Raft
//! paper, figure 3, section 5.2; TLA+ `ElectionSafety`).

use super::{Property, Scene, Verdict, Violation};
use crate::sometimes::{Counters, Event};
use crate::types::{NodeId, Role, Term};

#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    /// Each term's leader, terms rising.
    leaders: Vec<(Term, NodeId)>,
    /// Terms up to this one may have been forgotten.
    forgotten: Term,
}

/// Terms remembered. Two leaders of a term that lie further apart than so many
/// elections are beyond what any node's clock or the network's delays allow.
const MEMORY: usize = 100_000;

impl ElectionSafety {
    /// Who has been elected in `term`, where that is known.
    pub(super) fn leader_of(&self, term: Term) -> Option<NodeId> {
        let found = self.leaders.binary_search_by_key(&term, |leader| leader.0);
        found.ok().map(|place| self.leaders[place].1)
    }

    /// `id` has lost power, and its disk knows no term after `term`. If it led one, it did so for itself
    /// alone: another's vote is asked for when the term is durable (`AckBeforeDurable` sees to it), and nothing
    /// of what a lone voter did in it is left.
    pub(super) fn lost(&mut self, id: NodeId, term: Term) {
        let later = self.leaders.partition_point(|leader| leader.0 <= term);
        if self.leaders[later..].iter().any(|leader| leader.1 == id) {
            let kept = self.leaders.split_off(later);
            self.leaders
                .extend(kept.into_iter().filter(|leader| leader.1 != id));
        }
    }

    pub(super) fn elected(
        &mut self,
        scene: Scene<'_>,
        id: NodeId,
        term: Term,
        counters: &mut Counters,
    ) -> Verdict {
        match self.leaders.binary_search_by_key(&term, |leader| leader.0) {
            Ok(found) => {
                let (_, other) = self.leaders[found];
                if other != id {
                    let message =
                        format!("{id} became leader of term {term}, which {other} has led");
                    return Err(Violation::by(id, Property::ElectionSafety, message));
                }
            }
            Err(_) if term <= self.forgotten => {}
            Err(place) => {
                counters.hit(Event::LeaderElected);
                if self.leaders.last().is_some_and(|(_, leader)| *leader != id) {
                    counters.hit(Event::LeaderChanged);
                }
                let unaware = |node: &super::NodeView| {
                    node.up && node.role == Role::Leader && node.term < term
                };
                if scene.nodes.iter().any(unaware) {
                    counters.hit(Event::TwoLeadersAtOnce);
                }
                self.leaders.insert(place, (term, id));
                if self.leaders.len() > MEMORY {
                    self.forgotten = self.leaders.remove(0).0;
                }
            }
        }
        Ok(())
    }
}

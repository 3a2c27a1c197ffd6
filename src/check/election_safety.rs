//! Election Safety: at most one leader can be elected in a given term (Raft
//! paper, figure 3, section 5.2; TLA+ `ElectionSafety`).
//!
//! Why there is one: each is elected by a majority, and who votes has its vote on disk (figure 2). So when a
//! node says that it leads, the disks tell whether that can be: the vote is there, or a
//! later term, for news of an election may come late. This finds an election that was not won before a second
//! node wins it.

use super::{Property, Scene, Verdict, Violation};
use crate::sometimes::{Counters, Event};
use crate::types::{NodeId, NodeSet, Role, Term};

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
                won(scene, id, term)?;
                self.leaders.insert(place, (term, id));
                if self.leaders.len() > MEMORY {
                    self.forgotten = self.leaders.remove(0).0;
                }
            }
        }
        Ok(())
    }
}

/// Whether a quorum of the configuration that `id` goes by may have voted for it in `term`. It may vote for itself in the
/// step in which it wins, where no other vote is needed.
fn won(scene: Scene<'_>, id: NodeId, term: Term) -> Verdict {
    let (_, configuration) = scene.node(id).configuration;
    let may_have_voted = |node: &NodeId| {
        let hard = &scene.durable(*node).hard;
        *node == id || hard.term > term || (hard.term == term && hard.vote == Some(id))
    };
    let nodes = (0..scene.disks.len()).map(NodeId::at);
    let voters: NodeSet = nodes.filter(may_have_voted).collect();
    if configuration.is_empty() || configuration.has_quorum_in(voters) {
        return Ok(());
    }
    let voters = voters.and(configuration.electors());
    let message = format!(
        "{id} became leader of term {term}, in which only {voters} can have voted for it; {configuration}"
    );
    Err(Violation::by(id, Property::ElectionSafety, message))
}

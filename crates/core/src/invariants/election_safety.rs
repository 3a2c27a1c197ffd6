//! Election Safety: at most one leader can be elected in a given term (Raft
//! paper, figure 3, section 5.2; TLA+ `ElectionSafety`).
//!
//! Why there is one: each is elected by a majority, and who votes has its vote on disk (figure 2).
//! So when a node says that it leads, the disks tell whether that can be: the vote is there, or a
//! later term, for news of an election may come late. This finds an election that was not won
//! before a second node wins it.
//!
//! Followers believe whoever speaks as their term's leader, for nobody else does (section 5.2:
//! AppendEntries comes from leaders). So what leaders send is sent by who was elected in the term
//! that it is sent in. Of async servers this is not demanded: they tell of an election after what
//! they send because of it.

use super::{ClusterView, NodeView, Verdict, Violation, breach};
use crate::counters::{Counter, Counters};
use crate::ids::{NodeId, NodeSet, Role, Term};
use crate::replica::{Label, MessageKind};

#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    /// Each term's leader, terms rising.
    leaders: Vec<(Term, NodeId)>,
    /// Terms up to this one may have been forgotten.
    forgotten: Term,
    /// Nodes that have lost their disks, and the term on each: they may have voted in any up to
    /// it.
    lost_disks: Vec<(NodeId, Term)>,
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

    /// `from` sends a message. Mostly it is what it seems to be, and then nothing is looked up.
    #[inline(always)]
    pub(super) fn sent(&self, from: NodeId, view: &NodeView, label: &Label) -> Verdict {
        let speaks_as_leader = matches!(
            label.kind,
            MessageKind::Append
                | MessageKind::Heartbeat
                | MessageKind::Snapshot
                | MessageKind::TimeoutNow
        );
        let leads = view.role == Role::Leader && view.term == label.term;
        match speaks_as_leader && !leads {
            true => self.led(from, view, label),
            false => Ok(()),
        }
    }

    /// A message may leave when its sender leads no more, after what it waited for.
    #[cold]
    fn led(&self, from: NodeId, view: &NodeView, label: &Label) -> Verdict {
        let Label { to, kind, term, .. } = *label;
        if term <= self.forgotten || self.leader_of(term) == Some(from) {
            return Ok(());
        }
        let sent = kind;
        let breach = breach::ElectionSafety::SpokeAsLeader {
            to,
            sent,
            term,
            role: view.role,
            reported: view.term,
        };
        Err(Violation::by(from, breach))
    }

    /// `id` has lost power, and its disk knows no term after `term`. If it led one, it did so for
    /// itself alone: another's vote is asked for when the term is durable (`AckBeforeDurable`
    /// sees to it), and nothing of what a lone voter did in it is left.
    pub(super) fn lost(&mut self, id: NodeId, term: Term) {
        let later = self.leaders.partition_point(|leader| leader.0 <= term);
        if self.leaders[later..].iter().any(|leader| leader.1 == id) {
            let kept = self.leaders.split_off(later);
            self.leaders
                .extend(kept.into_iter().filter(|leader| leader.1 != id));
        }
    }

    /// `id` has lost its disk, which had `term` on it.
    pub(super) fn disk_lost(&mut self, id: NodeId, term: Term) {
        self.lost_disks.push((id, term));
    }

    pub(super) fn elected(
        &mut self,
        cluster_view: ClusterView<'_>,
        id: NodeId,
        term: Term,
        counters: &mut Counters,
    ) -> Verdict {
        match self.leaders.binary_search_by_key(&term, |leader| leader.0) {
            Ok(found) => {
                let (_, other) = self.leaders[found];
                if other != id {
                    let breach = breach::ElectionSafety::SecondLeader { term, other };
                    return Err(Violation::by(id, breach));
                }
            }
            Err(_) if term <= self.forgotten => {}
            Err(place) => {
                counters.hit(Counter::LeaderElected);
                if self.leaders.last().is_some_and(|(_, leader)| *leader != id) {
                    counters.hit(Counter::LeaderChanged);
                }
                let unaware = |node: &super::NodeView| {
                    node.up && node.role == Role::Leader && node.term < term
                };
                if cluster_view.nodes.iter().any(unaware) {
                    counters.hit(Counter::TwoLeadersAtOnce);
                }
                self.won(cluster_view, id, term)?;
                self.leaders.insert(place, (term, id));
                if self.leaders.len() > MEMORY {
                    self.forgotten = self.leaders.remove(0).0;
                }
            }
        }
        Ok(())
    }

    /// Whether a quorum of the configuration that `id` goes by may have voted for it in `term`. It
    /// may vote for itself in the step in which it wins, where no other vote is needed.
    fn won(&self, cluster_view: ClusterView<'_>, id: NodeId, term: Term) -> Verdict {
        let (_, configuration) = cluster_view.node(id).configuration;
        let lost = |node: NodeId| {
            let mut disks = self.lost_disks.iter();
            disks.any(|(other, had)| *other == node && *had >= term)
        };
        let may_have_voted = |node: &NodeId| {
            let hard = &cluster_view.durable(*node).hard;
            *node == id
                || hard.term > term
                || (hard.term == term && hard.vote == Some(id))
                || lost(*node)
        };
        let nodes = (0..cluster_view.disks.len()).map(NodeId::at);
        let voters: NodeSet = nodes.filter(may_have_voted).collect();
        if configuration.is_empty() || configuration.has_quorum_in(voters) {
            return Ok(());
        }
        let breach = breach::ElectionSafety::NotElected {
            term,
            voters: voters.and(configuration.electors()),
            configuration,
        };
        Err(Violation::by(id, breach))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::view::tests::log_of;
    use crate::replica::Claim;

    #[test]
    fn who_never_led_a_term_must_not_speak_as_its_leader() {
        let safety = ElectionSafety {
            leaders: vec![(3, NodeId(1))],
            ..ElectionSafety::default()
        };
        let sent = |from: u8, role: Role, kind: MessageKind, term: Term| {
            let label = Label {
                to: NodeId(3),
                kind,
                term,
                claim: Claim::Nothing,
            };
            safety.sent(NodeId(from), &log_of(role, 4, &[]), &label)
        };
        for kind in [
            MessageKind::Append,
            MessageKind::Heartbeat,
            MessageKind::Snapshot,
            MessageKind::TimeoutNow,
        ] {
            sent(2, Role::Leader, kind, 4).unwrap();
            // It has stepped down since.
            sent(1, Role::Follower, kind, 3).unwrap();
            let violation = sent(2, Role::Follower, kind, 3).unwrap_err();
            let breach = breach::ElectionSafety::SpokeAsLeader {
                to: NodeId(3),
                sent: kind,
                term: 3,
                role: Role::Follower,
                reported: 4,
            };
            assert_eq!(violation, Violation::by(NodeId(2), breach));
            sent(1, Role::Candidate, kind, 4).unwrap_err();
        }
        sent(2, Role::Follower, MessageKind::AppendReply, 3).unwrap();
    }
}

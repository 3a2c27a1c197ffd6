//! Liveness after heal: once messages arrive, nodes stay up and clocks behave, a
//! cluster with a majority elects a leader and makes progress (Raft paper,
//! section 5.6). Conditions are checked in the order in which a cluster reaches
//! them, and the first that is not met is the one reported.

use super::breach::Unmet;
use super::{ClusterView, NodeView};
use crate::configuration::Configuration;
use crate::ids::{Index, NodeId, Role};

/// What convergence is measured against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target {
    /// The highest index at which a client was told that its command is applied.
    pub acknowledged: Index,
    /// Whether a command sent after the storm has been answered.
    pub commands: bool,
    /// Whether a read sent after the storm has been answered, where there are reads.
    pub reads: bool,
    /// The newest committed configuration.
    pub configuration: Configuration,
}

/// The first condition of convergence that the cluster does not meet yet; none
/// when it has converged. `participants` are the nodes that were healed; those of
/// them count that are in the configuration.
pub fn unmet(
    cluster_view: ClusterView<'_>,
    participants: &[NodeId],
    target: Target,
) -> Option<Unmet> {
    let is_member = |id: &NodeId| target.configuration.members().has(*id);
    let members: Vec<NodeId> = participants.iter().copied().filter(is_member).collect();
    let node = |id: &NodeId| &cluster_view.nodes[id.position()];
    if let Some(down) = members.iter().find(|id| !node(id).up) {
        return Some(Unmet::Down { node: *down });
    }
    let term = members.iter().map(|id| node(id).term).max().unwrap_or(0);
    let leads = |id: &NodeId| node(id).role == Role::Leader && node(id).term == term;
    let Some(leader) = members.iter().copied().find(leads) else {
        return Some(Unmet::NoLeader { term });
    };
    let head = node(&leader);
    if let Some(id) = members
        .iter()
        .find(|id| node(id).role != Role::Follower && **id != leader)
    {
        return Some(Unmet::NoFollower {
            node: *id,
            role: node(id).role,
            leader,
        });
    }
    if head.last() < target.acknowledged {
        return Some(Unmet::AcknowledgedLost {
            leader,
            last: head.last(),
            acknowledged: target.acknowledged,
        });
    }
    if !target.commands {
        return Some(Unmet::CommandUnanswered { leader, term });
    }
    if !target.reads {
        return Some(Unmet::ReadUnanswered { leader, term });
    }
    if let Some(to) = head.transfer {
        return Some(Unmet::TransferUnfinished { leader, to });
    }
    if target.configuration.is_joint() {
        return Some(Unmet::StillJoint {
            configuration: target.configuration,
        });
    }
    members.iter().find_map(|id| behind(*id, node(id), head))
}

fn behind(id: NodeId, node: &NodeView, head: &NodeView) -> Option<Unmet> {
    let leaders_last = head.last();
    if node.last() != leaders_last {
        return Some(Unmet::LogLength {
            node: id,
            last: node.last(),
            leaders_last,
        });
    }
    if node.chain_at(leaders_last) != head.chain_at(leaders_last) {
        return Some(Unmet::LogDiffers { node: id });
    }
    if node.commit != leaders_last {
        return Some(Unmet::CommitBehind {
            node: id,
            commit: node.commit,
            leaders_last,
        });
    }
    if node.applied != leaders_last {
        return Some(Unmet::AppliedBehind {
            node: id,
            applied: node.applied,
            leaders_last,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Term;
    use crate::invariants::by_hand::{ByHand, voters};

    const TERM: Term = 3;

    /// What goes wrong in a cluster that has converged, and what is unmet then.
    type Case = (fn(&mut ByHand, &mut Target), Unmet);

    /// n1 leads n2 and n3 in term 3, and all have applied two entries.
    fn converged() -> (ByHand, Target) {
        let mut cluster = ByHand::new(3);
        cluster.elect(1, TERM);
        for index in 1..=2 {
            cluster.replicate(&[1, 2, 3], index, TERM);
            for node in 1..=3 {
                cluster.commit(node, index).unwrap();
                cluster.apply(node, index, index).unwrap();
            }
        }
        let target = Target {
            acknowledged: 2,
            commands: true,
            reads: true,
            configuration: voters(&[1, 2, 3]),
        };
        (cluster, target)
    }

    fn lacks(cluster: &ByHand, target: Target) -> Option<Unmet> {
        unmet(cluster.cluster_view(), &[1, 2, 3].map(NodeId), target)
    }

    #[test]
    fn a_cluster_that_has_converged_lacks_nothing() {
        let (mut cluster, mut target) = converged();
        assert_eq!(lacks(&cluster, target), None);
        cluster.nodes[2].up = false;
        target.configuration = voters(&[1, 2]);
        assert_eq!(lacks(&cluster, target), None, "n3 is no member");
    }

    #[test]
    fn the_first_condition_that_is_not_met_is_told() {
        let (leader, node) = (NodeId(1), NodeId(2));
        let cases: [Case; 12] = [
            (
                |cluster, _| cluster.nodes[1].up = false,
                Unmet::Down { node },
            ),
            (
                |cluster, _| cluster.nodes[1].term = 4,
                Unmet::NoLeader { term: 4 },
            ),
            (
                |cluster, _| cluster.nodes[1].role = Role::Candidate,
                Unmet::NoFollower {
                    node,
                    role: Role::Candidate,
                    leader,
                },
            ),
            (
                |_, target| target.acknowledged = 3,
                Unmet::AcknowledgedLost {
                    leader,
                    last: 2,
                    acknowledged: 3,
                },
            ),
            (
                |_, target| target.commands = false,
                Unmet::CommandUnanswered { leader, term: TERM },
            ),
            (
                |_, target| target.reads = false,
                Unmet::ReadUnanswered { leader, term: TERM },
            ),
            (
                |cluster, _| cluster.nodes[0].transfer = Some(NodeId(2)),
                Unmet::TransferUnfinished { leader, to: node },
            ),
            (
                |_, target| target.configuration.outgoing = voters(&[1, 2]).voters,
                Unmet::StillJoint {
                    configuration: Configuration {
                        outgoing: voters(&[1, 2]).voters,
                        ..voters(&[1, 2, 3])
                    },
                },
            ),
            (
                |cluster, _| cluster.append(2, 3, TERM).unwrap(),
                Unmet::LogLength {
                    node,
                    last: 3,
                    leaders_last: 2,
                },
            ),
            (
                |cluster, _| cluster.append(2, 2, 2).unwrap(),
                Unmet::LogDiffers { node },
            ),
            (
                |cluster, _| cluster.nodes[1].commit = 1,
                Unmet::CommitBehind {
                    node,
                    commit: 1,
                    leaders_last: 2,
                },
            ),
            (
                |cluster, _| cluster.nodes[1].applied = 0,
                Unmet::AppliedBehind {
                    node,
                    applied: 0,
                    leaders_last: 2,
                },
            ),
        ];
        for (wrong, expected) in cases {
            let (mut cluster, mut target) = converged();
            wrong(&mut cluster, &mut target);
            assert_eq!(lacks(&cluster, target), Some(expected));
        }
    }
}

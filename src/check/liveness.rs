//! Liveness after heal: once messages arrive, nodes stay up and clocks behave, a
//! cluster with a majority elects a leader and makes progress (Raft paper,
//! section 5.6). Conditions are checked in the order in which a cluster reaches
//! them, and the first that is not met is the one reported.

use super::breach::Unmet;
use super::{NodeView, Scene};
use crate::configuration::Configuration;
use crate::types::{Index, NodeId, Role};

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
pub fn unmet(scene: Scene<'_>, participants: &[NodeId], target: Target) -> Option<Unmet> {
    let is_member = |id: &NodeId| target.configuration.members().has(*id);
    let members: Vec<NodeId> = participants.iter().copied().filter(is_member).collect();
    let node = |id: &NodeId| &scene.nodes[id.position()];
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

//! Liveness after heal: once messages arrive, nodes stay up and clocks behave, a
//! cluster with a majority elects a leader and makes progress (Raft paper,
//! section 5.6). Conditions are checked in the order in which a cluster reaches
//! them, and the first that is not met is the one reported.

use super::{NodeView, Scene};
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
pub fn unmet(scene: Scene<'_>, participants: &[NodeId], target: Target) -> Option<String> {
    let is_member = |id: &NodeId| target.configuration.members().has(*id);
    let members: Vec<NodeId> = participants.iter().copied().filter(is_member).collect();
    let node = |id: &NodeId| &scene.nodes[id.position()];
    if let Some(down) = members.iter().find(|id| !node(id).up) {
        return Some(format!("{down} is not up"));
    }
    let term = members.iter().map(|id| node(id).term).max().unwrap_or(0);
    let leads = |id: &&NodeId| node(id).role == Role::Leader && node(id).term == term;
    let Some(leader) = members.iter().find(leads) else {
        return Some(format!("there is no leader in the highest term, {term}"));
    };
    let head = node(leader);
    if let Some(id) = members
        .iter()
        .find(|id| node(id).role != Role::Follower && *id != leader)
    {
        return Some(format!(
            "{id} is {} beside the leader {leader}",
            article(node(id).role)
        ));
    }
    if head.last() < target.acknowledged {
        return Some(format!(
            "leader {leader}'s log ends at {}, but entry {} was acknowledged",
            head.last(),
            target.acknowledged
        ));
    }
    for (answered, what) in [(target.commands, "command"), (target.reads, "read")] {
        if !answered {
            return Some(format!(
                "no {what} sent after the storm has been answered; {leader} leads term {term}"
            ));
        }
    }
    if let Some(to) = head.transfer {
        return Some(format!(
            "the transfer of leadership from {leader} to {to} has not ended"
        ));
    }
    if target.configuration.is_joint() {
        return Some(format!(
            "the joint configuration has not been left; {}",
            target.configuration
        ));
    }
    let goal = head.last();
    members
        .iter()
        .find_map(|id| behind(*id, node(id), head, goal))
}

fn behind(id: NodeId, node: &NodeView, head: &NodeView, goal: Index) -> Option<String> {
    if node.last() != goal {
        return Some(format!(
            "{id}'s log ends at {}, the leader's at {goal}",
            node.last()
        ));
    }
    if node.chain_at(goal) != head.chain_at(goal) {
        return Some(format!("{id}'s log differs from the leader's"));
    }
    if node.commit != goal {
        return Some(format!(
            "{id} knows {} entries committed, the leader's log ends at {goal}",
            node.commit
        ));
    }
    if node.applied != goal {
        return Some(format!(
            "{id} has applied {} of {goal} entries",
            node.applied
        ));
    }
    None
}

fn article(role: Role) -> &'static str {
    match role {
        Role::Follower => "a follower",
        Role::PreCandidate => "a pre-candidate",
        Role::Candidate => "a candidate",
        Role::Leader => "a leader",
    }
}

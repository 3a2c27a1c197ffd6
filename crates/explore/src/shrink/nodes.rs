//! Fewer nodes: one is taken out, and those after it move up.

use super::trial::Trial;
use squall_core::ids::NodeId;
use squall_core::plan::{Heal, Link, Plan};

/// Takes out the nodes that are not needed.
pub(super) fn remove(trial: &mut Trial<'_>) {
    let mut node = trial.best().cluster.nodes();
    while node > 0 && !trial.is_over() {
        if let Some(plan) = without(trial.best(), NodeId(node)) {
            trial.takes_reseeded(&plan);
        }
        node = (node - 1).min(trial.best().cluster.nodes());
    }
}

/// The plan without the node; none when nobody would be left to vote.
fn without(plan: &Plan, out: NodeId) -> Option<Plan> {
    let mut plan = plan.clone();
    let cluster = &mut plan.cluster;
    let number = out.0;
    let group = if number <= cluster.voters {
        &mut cluster.voters
    } else if number <= cluster.voters + cluster.learners {
        &mut cluster.learners
    } else {
        &mut cluster.spares
    };
    *group -= 1;
    if cluster.voters == 0 {
        return None;
    }
    cluster.clocks.remove(out.position());
    if !plan.raft.priorities.is_empty() {
        plan.raft.priorities.remove(out.position());
    }
    let moved = Moved { out };
    if let Heal::Quorum(members) = &mut plan.heal {
        moved.list(members);
        if members.len() < plan.quorum() {
            plan.heal = Heal::Everyone;
        }
    }
    plan.faults.retain_mut(|fault| fault.without(out));
    if let Some(schedule) = &mut plan.schedule {
        let stays = |link: &mut Link| moved.node(&mut link.from) & moved.node(&mut link.to);
        schedule.links.retain_mut(stays);
        schedule
            .demotions
            .retain_mut(|demotion| stays(&mut demotion.link));
    }
    // Who asked the node that is out asks one of those that are left.
    let last = NodeId(plan.cluster.nodes());
    for asked in plan.script.iter_mut().flatten() {
        for one in &mut asked.tries {
            moved.node(&mut one.node);
            one.node = one.node.min(last);
        }
    }
    Some(plan)
}

/// What becomes of names of nodes when one is out.
#[derive(Clone, Copy)]
struct Moved {
    out: NodeId,
}

impl Moved {
    /// Renames a node; false when it is the one that is out.
    fn node(self, node: &mut NodeId) -> bool {
        let stays = *node != self.out;
        if *node > self.out {
            node.0 -= 1;
        }
        stays
    }

    /// Renames a list of nodes; false when it is empty then.
    fn list(self, nodes: &mut Vec<NodeId>) -> bool {
        nodes.retain_mut(|node| self.node(node));
        !nodes.is_empty()
    }
}

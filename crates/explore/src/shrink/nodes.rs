//! Fewer nodes: one is taken out, and those after it move up.

use super::trial::Trial;
use squall_core::configuration::{Step, Transition};
use squall_core::ids::NodeId;
use squall_core::operator::Admin;
use squall_core::plan::{Fault, Heal, Link, Plan, What, When};

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
    plan.faults.retain_mut(|fault| moved.fault(fault));
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

    /// Renames what a fault is about; false when that is gone.
    fn fault(self, fault: &mut Fault) -> bool {
        let comes = match &mut fault.when {
            When::AtUs(_) => true,
            When::Sync { node, .. }
            | When::Overwrite { node, .. }
            | When::Milestone { node, .. } => self.node(node),
            When::Message { from, to, .. } => self.node(from) & self.node(to),
        };
        comes & self.what(&mut fault.what)
    }

    fn what(self, what: &mut What) -> bool {
        match what {
            What::Crash { node, .. }
            | What::Pause { node, .. }
            | What::SlowNode { node, .. }
            | What::SlowDisk { node, .. }
            | What::FailSync { node }
            | What::FullDisk { node, .. }
            | What::Rot { node, .. }
            | What::Jump { node, .. }
            | What::Drift { node, .. } => self.node(node),
            What::Cut { from, to, .. }
            | What::Trouble { from, to, .. }
            | What::Burst { from, to, .. } => self.list(from) & self.list(to),
            What::Split { side, .. } => self.list(side),
            What::IsolateLeader { bridges, .. } => {
                self.list(bridges);
                true
            }
            What::LoseMessage | What::DuplicateMessage { .. } | What::DelayMessage { .. } => true,
            What::Change { change, .. } => {
                let stays = |step: &mut Step| self.node(&mut step.node);
                change.steps.retain_mut(stays);
                !change.steps.is_empty() || change.transition == Transition::Leave
            }
            What::Ask { node, admin } => {
                let asked = node.as_mut().is_none_or(|node| self.node(node));
                asked & self.admin(admin)
            }
        }
    }

    fn admin(self, admin: &mut Admin) -> bool {
        match admin {
            Admin::TransferLeader { to } => self.node(to),
            Admin::Change(change) => {
                let stays = |step: &mut Step| self.node(&mut step.node);
                change.steps.retain_mut(stays);
                !change.steps.is_empty()
            }
            Admin::Campaign | Admin::RequestSnapshot | Admin::Ping | Admin::Set(_) => true,
        }
    }
}

//! After the storm: who takes part, what is asked of them, and when they have converged.

use super::event::Event;
use super::world::World;
use crate::counters::Counter;
use crate::ids::NodeId;
use crate::invariants::liveness::{self, Target};
use crate::invariants::{ClusterView, Verdict};
use crate::replica::Subject;

impl<S: Subject> World<'_, '_, S> {
    /// The nodes that clients know of: those that have started, and after the storm those that take
    /// part.
    pub(super) fn members(&self) -> Vec<NodeId> {
        let mut members = Vec::new();
        self.members_into(&mut members);
        members
    }

    /// The same, into a list that is there already.
    pub(super) fn members_into(&self, members: &mut Vec<NodeId>) {
        let there = |id: &NodeId| match self.healed {
            true => !self.views[id.position()].gone,
            false => self.slots[id.position()].incarnations > 0,
        };
        let among = match self.healed {
            true => &self.participants,
            false => &self.nodes,
        };
        members.clear();
        members.extend(among.iter().copied().filter(there));
    }

    /// Starts asking for something fresh and looking for convergence.
    pub(super) fn begin_audits(&mut self) {
        let now_us = self.queue.now_us();
        self.queue.push(now_us, Event::Probe);
        self.queue.push(now_us, Event::Operate);
        self.queue.push(now_us, Event::Audit);
    }

    /// Asks for something fresh, and goes on asking until it is answered.
    pub(super) fn probe(&mut self, now_us: u64) -> Verdict {
        if self.clients.is_served() {
            return Ok(());
        }
        let members = self.members();
        if members.is_empty() {
            // A subject that goes by no configuration may have removed all that took part: there
            // is nobody to ask, and the run ends without convergence.
            return Ok(());
        }
        let checks = &mut self.checks;
        let (node, ask) = self.clients.next_probe(now_us, &members, |command, bytes| {
            checks.invoked_in(command, bytes)
        });
        self.queue
            .push(now_us + self.plan.election_us(), Event::Probe);
        self.counters.hit(match ask.reads {
            true => Counter::ReadSent,
            false => Counter::CommandSent,
        });
        self.request(now_us, node, ask)
    }

    /// Looks after joint configurations and removed nodes, every other election time-out.
    pub(super) fn operate(&mut self, now_us: u64) -> Verdict {
        self.queue
            .push(now_us + 2 * self.plan.election_us(), Event::Operate);
        self.stop_removed(now_us);
        self.end_joint(now_us)
    }

    pub(super) fn audit(&mut self, now_us: u64) {
        let (_, configuration) = self.configuration;
        let target = Target {
            acknowledged: self.clients.acknowledged,
            commands: self.clients.fresh_answers > 0,
            reads: self.clients.is_served(),
            configuration,
        };
        let cluster_view = ClusterView {
            nodes: &self.views,
            disks: &self.disks,
        };
        self.unmet = liveness::unmet(cluster_view, &self.members(), target);
        if self.unmet.is_none() {
            self.counters.hit(Counter::Converged);
            self.converged = true;
            // Nothing more is to happen.
            self.queue.clear();
            return;
        }
        self.queue
            .push(now_us + self.plan.cluster.tick_us, Event::Audit);
    }
}

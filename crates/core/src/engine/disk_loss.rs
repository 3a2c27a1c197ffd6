//! Nodes that start again on an empty disk, under their id: as an operator's procedure, which waits
//! until nobody needs what was on the disk, and as a mistake, which does not.

use super::event::Event;
use super::world::World;
use crate::configuration::{Change, Configuration, Member, Step, Transition};
use crate::counters::Counter;
use crate::faults::What;
use crate::ids::{Index, NodeId};
use crate::invariants::{NodeView, Verdict};
use crate::operator::Admin;
use crate::options::Feature;
use crate::replica::Subject;

impl<S: Subject> World<'_, '_, S> {
    /// The node goes down, its disk is lost with all that it had promised, and it starts again, or
    /// when it would have, if it is down already. Nothing happens to one that has never started, or
    /// never will again.
    pub(crate) fn lose_disk(&mut self, now_us: u64, node: NodeId, down_us: u64) {
        if self.has_a_disk_to_lose(node) {
            self.counters.hit(Counter::DiskLost);
            let counts = |one: &Configuration| one.members().has(node);
            if self.configurations_in_play().iter().any(counts) {
                self.members_without_disk.push(node);
            }
            self.wipe(node);
            self.queue
                .push(now_us + down_us.max(1), Event::Boot { node });
        }
    }

    /// The operator of the fault `number` does what is next, and looks again `left` times.
    pub(crate) fn replace_disk(&mut self, now_us: u64, number: usize, left: u32) -> Verdict {
        let What::ReplaceDisk(fault) = &self.plan.faults[number].what else {
            return Ok(());
        };
        let (node, as_learner) = (fault.node, fault.as_learner);
        if self.healed || !self.has_a_disk_to_lose(node) {
            return Ok(());
        }
        if !self.asked.contains(&number) {
            self.asked.push(number);
        }
        let (_, newest) = self.configuration;
        let becomes = match self.wiped_by.contains(&number) {
            false if newest.members().has(node) => Some(Member::Nobody),
            false => {
                if self.is_needed_no_more(node) {
                    self.wiped_by.push(number);
                    self.exchange_disk(now_us, node);
                }
                None
            }
            true if newest.voters.has(node) => {
                self.counters.hit(Counter::DiskReplaced);
                return Ok(());
            }
            true if as_learner && !newest.learners.has(node) => Some(Member::Learner),
            true => Some(Member::Voter),
        };
        if left > 0 {
            let again = Event::AskAgain {
                fault: number as u32,
                left: left - 1,
            };
            let pause_us = 2 * self.plan.election_us();
            self.queue.push(now_us + pause_us, again);
        }
        let Some(becomes) = becomes else {
            return Ok(());
        };
        if becomes != Member::Nobody {
            self.to_stop.remove(node);
        }
        let change = Change {
            steps: vec![Step { node, becomes }],
            transition: self.plainest_transition(),
        };
        self.ask(now_us, None, Admin::Change(change))
    }

    /// How a single node comes or goes.
    pub(super) fn plainest_transition(&self) -> Transition {
        match self.subject.supports().contains(&Feature::SimpleChange) {
            true => Transition::Simple,
            false => Transition::Joint,
        }
    }

    /// Whether the node has started, and may again.
    pub(super) fn has_a_disk_to_lose(&self, node: NodeId) -> bool {
        self.slots[node.position()].incarnations > 0 && !self.views[node.position()].gone
    }

    /// Whether nobody can need what the disk of a node has that is out: every other node that is
    /// there goes by a configuration without it, and will after a restart, so that no election
    /// and no commit that it had a part in is still open. No log holds a later change, which
    /// might take it in again.
    fn is_needed_no_more(&self, node: NodeId) -> bool {
        let (index, newest) = self.configuration;
        let is_out = !newest.members().has(node) && !newest.is_joint();
        let others = self.nodes.iter().copied().filter(|other| *other != node);
        let mut others = others.filter(|other| self.has_a_disk_to_lose(*other));
        is_out
            && others.all(|other| self.has_gone_over(other, index))
            && self.view_of(node).changes_after(index) == 0
    }

    /// Whether a node goes by the committed configuration of the entry at `index`, after a restart
    /// as well, and by none that comes after, and holds no message back. One that is to join, and
    /// was never in, goes by none.
    fn has_gone_over(&self, id: NodeId, index: Index) -> bool {
        let durable = self.disks[id.position()].durable();
        let kept = NodeView::booting(durable, 0);
        let view = self.view_of(id);
        if view.last() == 0 && view.configuration.1.is_empty() && !self.ever_in.has(id) {
            return true;
        }
        let by_log = self.goes_by_log && durable.commit == 0;
        let knows = by_log || durable.commit.max(durable.snapshot_index()) >= index;
        let goes_by_it = !self.is_up(id) || view.configuration.0 >= index;
        self.has_committed(&kept, index)
            && knows
            && goes_by_it
            && self.slots[id.position()].in_flight.is_empty()
            && kept.changes_after(index) == 0
            && view.changes_after(index) == 0
    }

    /// The operator stops a node that is out, gives it an empty disk and starts it. What is on its
    /// way from the node or to it arrives first: it is a new process on a new machine.
    fn exchange_disk(&mut self, now_us: u64, node: NodeId) {
        self.counters.hit(Counter::DiskWiped);
        self.wipe(node);
        self.queue.hasten(|event| match event {
            Event::Arrival { from, to, .. } if *from == node || *to == node => Some(now_us),
            _ => None,
        });
        self.joined.remove(node);
        self.queue.push(now_us + 1, Event::Boot { node });
    }

    fn wipe(&mut self, node: NodeId) {
        let position = node.position();
        if !self.is_up(node) {
            let durable = self.disks[position].durable();
            self.views[position] = NodeView::booting(durable, self.views[position].incarnation);
        }
        self.stop(node, None);
        self.wiped.add(node);
        self.views[position] = NodeView::wiped(self.views[position].incarnation);
    }

    /// What a node with an empty disk is told: those that join later learn the configuration from a
    /// snapshot, where there is one, and so do those that have lost what they began with.
    pub(super) fn first_configuration_of(&self, node: NodeId) -> Configuration {
        let first = self.plan.first_configuration();
        let is_founder = first.members().has(node) && !self.wiped.has(node);
        match is_founder || self.plan.cluster.first_index == 0 {
            true => first,
            false => Configuration::default(),
        }
    }
}

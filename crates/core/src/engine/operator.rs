//! The operator of a run: asks nodes for what the plan says, tries again when a
//! change of the configuration does not come about, starts nodes that are to join,
//! and stops those that have left.

use super::event::Event;
use super::options;
use super::trace::Weight;
use super::world::World;
use crate::configuration::{Change, Configuration, Member, Step, Transition};
use crate::counters::Counter;
use crate::faults::{self, What};
use crate::ids::{Index, NodeId, NodeSet, Role};
use crate::invariants::Verdict;
use crate::operator::{Admin, Setting};
use crate::replica::{Input, Subject};
use squall_world::journal_disk::Loss;

/// Election time-outs after the storm in which all that was on its way arrives.
const SETTLING: u64 = 10;

/// The same for requests that a busy node has not got round to.
const WORKING_OFF: u64 = 100;

impl<S: Subject> World<'_, '_, S> {
    /// The node that an operator takes for the leader: the one of the highest term that runs.
    pub(crate) fn apparent_leader(&self) -> Option<NodeId> {
        let leads = |id: &&NodeId| {
            let view = &self.views[id.position()];
            view.up && view.role == Role::Leader
        };
        let leaders = self.nodes.iter().filter(leads);
        leaders
            .max_by_key(|id| self.views[id.position()].term)
            .copied()
    }

    /// Asks `node`, or whoever leads.
    pub(crate) fn ask(&mut self, now_us: u64, node: Option<NodeId>, admin: Admin) -> Verdict {
        // An operator that does not know the leader asks anyone, and so does one that errs.
        let erring = self.operator_choices.below(8) == 0;
        let leader = self.apparent_leader().filter(|_| !erring);
        let running = self.running();
        let Some(node) = node
            .or(leader)
            .or_else(|| (!running.is_empty()).then(|| *self.operator_choices.pick(&running)))
        else {
            return Ok(());
        };
        if let Admin::TransferLeader { .. } = admin {
            self.counters.hit(Counter::TransferAsked);
        }
        let slot = &self.slots[node.position()];
        if slot.replica.is_none() || slot.paused_until_us.is_some() {
            return Ok(());
        }
        if let Admin::Set(setting) = admin {
            self.counters.hit(options::switched(setting));
        }
        self.answers.disturb(now_us);
        self.step(now_us, node, Input::Admin(admin))
    }

    /// After the storm: where operators have changed check-quorum, every node gets back what the
    /// plan says. A cluster in which it is on here and off there may be without a leader for ever.
    /// And where few voters may be left, all get one priority, for the same reason. Replication
    /// that was stopped goes on.
    pub(super) fn put_back_settings(&mut self, now_us: u64) -> Verdict {
        let plan = self.plan;
        let mut settings = Vec::new();
        if !plan.workload.settings_stay && plan.sets_check_quorum() {
            settings.push(Setting::CheckQuorum(plan.raft.check_quorum));
        }
        if !plan.workload.priorities_stay && plan.ranks_few_voters() {
            settings.push(Setting::Priority(0));
        }
        if plan.stops_replication() {
            settings.push(Setting::MaxInflight(plan.raft.max_inflight_messages));
        }
        for setting in settings {
            for node in self.running() {
                self.ask(now_us, Some(node), Admin::Set(setting))?;
            }
        }
        Ok(())
    }

    fn running(&self) -> Vec<NodeId> {
        let up = |id: &NodeId| self.is_up(*id);
        self.nodes.iter().copied().filter(up).collect()
    }

    /// Asks for the change of the fault `number`, for the first time or again.
    pub(crate) fn ask_for_change(&mut self, now_us: u64, number: usize, left: u32) -> Verdict {
        let What::Change(faults::Change {
            change,
            retries,
            stop_removed,
        }) = &self.plan.faults[number].what
        else {
            return Ok(());
        };
        // Nobody asks again for a node that was stopped for good since.
        let gone =
            |step: &Step| step.becomes != Member::Nobody && self.views[step.node.position()].gone;
        if self.healed
            || has_come_about(change, &self.configuration.1)
            || change.steps.iter().any(gone)
        {
            return Ok(());
        }
        self.counters.hit(match left == *retries {
            true => Counter::ChangeAsked,
            false => Counter::ChangeRetried,
        });
        if !self.asked.contains(&number) {
            self.asked.push(number);
        }
        for step in &change.steps {
            if step.becomes != Member::Nobody {
                self.start_newcomer(step.node)?;
                if !self.configuration.1.members().has(step.node) {
                    self.joined.remove(step.node);
                }
                self.to_stop.remove(step.node);
            } else if *stop_removed {
                self.to_stop.add(step.node);
            }
        }
        if left > 0 {
            let pause_us = 2 * self.plan.election_us();
            let again = Event::AskAgain {
                fault: number as u32,
                left: left - 1,
            };
            self.queue.push(now_us + pause_us, again);
        }
        self.ask(now_us, None, Admin::Change(change.clone()))
    }

    fn start_newcomer(&mut self, node: NodeId) -> Verdict {
        if self.slots[node.position()].incarnations > 0 {
            return Ok(());
        }
        self.counters.hit(Counter::NodeJoined);
        self.boot(node)
    }

    /// A node goes over to a configuration, or learns that the one it goes by is committed.
    /// If it is the newest of those that are, the operator takes note.
    pub(super) fn configured(&mut self, id: NodeId, index: Index, after: Configuration) {
        let (newest, before) = self.configuration;
        let view = &self.views[id.position()];
        self.goes_by_log |= index > view.commit;
        if index <= newest || !self.checks.holds_committed(view, index) {
            return;
        }
        self.configuration = (index, after);
        self.joined = self.joined.with(after.members());
        self.ever_in = self.ever_in.with(after.members());
        self.count_change(&before, &after);
        if self.is_watched() {
            self.tell(
                None,
                Weight::Notable,
                format!("configuration: {after} (entry {index})"),
            );
        }
        let left = before.members().without(after.members());
        for node in left.iter() {
            if self.views[node.position()].role == Role::Leader {
                self.counters.hit(Counter::LeaderRemoved);
            }
        }
        self.past.push((index, after));
        let oldest = self.oldest_snapshot();
        while self.past.len() > 1 && self.past[1].0 <= oldest {
            self.past.remove(0);
        }
        // Who was to join and is not in yet may still get in.
        let never_in = self.to_stop.without(self.joined);
        self.retire_if_unneeded(self.to_stop.without(never_in));
    }

    /// The index of the oldest snapshot among the members.
    fn oldest_snapshot(&self) -> Index {
        let members = self.configuration.1.members();
        let index = |node: NodeId| self.disks[node.position()].durable().snapshot_index();
        members.iter().map(index).min().unwrap_or(0)
    }

    fn count_change(&mut self, before: &Configuration, after: &Configuration) {
        // What a joint configuration will do is counted when it is left.
        if after.is_joint() {
            self.before_joint = Some(*before);
            return;
        }
        let before = self.before_joint.take().unwrap_or(*before);
        for node in before.members().with(after.members()).iter() {
            let part = |configuration: &Configuration| match (
                configuration.voters.has(node),
                configuration.learners.has(node),
            ) {
                (true, _) => Member::Voter,
                (_, true) => Member::Learner,
                _ => Member::Nobody,
            };
            let event = match (part(&before), part(after)) {
                (Member::Learner, Member::Voter) => Counter::LearnerPromoted,
                (Member::Nobody, Member::Voter) => Counter::VoterAdded,
                (Member::Voter, Member::Learner) => Counter::VoterDemoted,
                (Member::Nobody, Member::Learner) => Counter::LearnerAdded,
                (Member::Voter, Member::Nobody) => Counter::VoterRemoved,
                (Member::Learner, Member::Nobody) => Counter::LearnerRemoved,
                _ => continue,
            };
            self.counters.hit(event);
        }
    }

    /// Stops for good, at the end of this step, those of `nodes` that are out and that nobody
    /// can need any more. A node that restarts may go by an older configuration until it
    /// learns what is committed, and must find a quorum of that one too.
    fn retire_if_unneeded(&mut self, nodes: NodeSet) {
        let (_, newest) = self.configuration;
        for node in nodes.without(newest.members()).iter() {
            let usable = |id: &NodeId| {
                *id != node && !self.views[id.position()].gone && !self.retiring.contains(id)
            };
            let others: NodeSet = self.nodes.iter().copied().filter(usable).collect();
            let spared = |one: &Configuration| one.has_quorum_in(others);
            if self.configurations_in_play().iter().all(spared) {
                self.to_stop.remove(node);
                self.retiring.push(node);
            }
        }
    }

    /// Stops the nodes that are to be stopped for good.
    pub(super) fn stop_retired(&mut self, now_us: u64) {
        for node in std::mem::take(&mut self.retiring) {
            self.counters.hit(Counter::NodeRetired);
            self.crash(now_us, node, Loss::All, None);
        }
    }

    /// Every configuration that some member may go by, now or after a restart.
    pub(super) fn configurations_in_play(&self) -> Vec<Configuration> {
        let mut all: Vec<Configuration> = self.past.iter().map(|(_, past)| *past).collect();
        for id in self.configuration.1.members().iter() {
            let (_, configuration) = self.views[id.position()].configuration;
            if !configuration.is_empty() && !all.contains(&configuration) {
                all.push(configuration);
            }
        }
        all
    }

    /// After the storm, when all that was on its way has arrived: removed nodes are stopped, for
    /// they may not know that they are out and would stand for election for ever (dissertation,
    /// section 4.2.3). No change that is still under way is waited for, since such elections
    /// may be what it waits for itself.
    pub(super) fn stop_removed(&mut self, now_us: u64) {
        let settled_us = self.plan.heal_us + SETTLING * self.plan.election_us();
        if now_us < settled_us {
            return;
        }
        let (_, newest) = self.configuration;
        let patient = now_us < self.plan.heal_us + WORKING_OFF * self.plan.election_us();
        let awaited = match patient || self.changes_under_way() {
            true => self.awaited(),
            false => NodeSet::default(),
        };
        let wanted = newest.members().with(awaited);
        let running = |id: &NodeId| self.is_up(*id) && !wanted.has(*id);
        let out: NodeSet = self.nodes.iter().copied().filter(running).collect();
        match self.is_known_to_a_quorum() {
            true => {
                self.to_stop = self.to_stop.without(out);
                self.retiring.extend(out.iter());
            }
            false => self.retire_if_unneeded(out),
        }
        self.stop_retired(now_us);
    }

    /// Whether so many members have it on their disks that the newest configuration is committed
    /// that they can elect a leader by it, who tells the others. Then nobody needs one from
    /// before, whoever restarts.
    fn is_known_to_a_quorum(&self) -> bool {
        let (index, newest) = self.configuration;
        let knows = |id: &NodeId| {
            let durable = self.disks[id.position()].durable();
            self.is_up(*id) && durable.commit.max(durable.snapshot_index()) >= index
        };
        newest.has_quorum_in(newest.members().iter().filter(knows).collect())
    }

    /// The nodes that are to be members by changes that were asked for and have not come about.
    fn awaited(&self) -> NodeSet {
        let mut asked = self.asked_changes();
        asked.retain(|change| !has_come_about(change, &self.configuration.1));
        let steps = asked.iter().flat_map(|change| &change.steps);
        let joins = |step: &&Step| step.becomes != Member::Nobody;
        steps.filter(joins).map(|step| step.node).collect()
    }

    /// Every change that operators have asked for; of those that replace a disk, the one that takes
    /// the node out, and when it is wiped those that take it in.
    pub(super) fn asked_changes(&self) -> Vec<Change> {
        let transition = self.plainest_transition();
        let mut all = Vec::new();
        for number in &self.asked {
            match &self.plan.faults[*number].what {
                What::Change(faults::Change { change, .. }) => all.push(change.clone()),
                What::ReplaceDisk(replacement) => {
                    let is_wiped = self.wiped_by.contains(number);
                    all.extend(replacement.changes(is_wiped, transition));
                }
                _ => {}
            }
        }
        all
    }

    /// Whether a member's log holds a change that it has still to apply.
    fn changes_under_way(&self) -> bool {
        let mut members = self.configuration.1.members().iter();
        members.any(|id| self.views[id.position()].change_unapplied())
    }

    /// After the storm: an operator ends a joint configuration that lasts until it is told to
    /// go. One that is to be left by its leader is the leader's task.
    pub(super) fn end_joint(&mut self, now_us: u64) -> Verdict {
        let (_, configuration) = self.configuration;
        if !configuration.is_joint() || configuration.auto_leave {
            return Ok(());
        }
        let leave = Change {
            steps: Vec::new(),
            transition: Transition::Leave,
        };
        self.ask(now_us, None, Admin::Change(leave))
    }
}

/// Whether the configuration is what the change was to bring about.
fn has_come_about(change: &Change, configuration: &Configuration) -> bool {
    let as_asked = |step: &Step| match step.becomes {
        Member::Voter => configuration.voters.has(step.node),
        Member::Learner => configuration.learners.has(step.node),
        Member::Nobody => !configuration.members().has(step.node),
    };
    match change.transition {
        Transition::Leave => !configuration.is_joint(),
        _ => change.steps.iter().all(as_asked),
    }
}

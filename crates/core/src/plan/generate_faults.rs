//! From a seed to a plan's faults: how many of each kind, when each strikes, whom and for how long.

use super::generate::Draw;
use super::hazard::KeptClearOf;
use super::{Fault, FaultKind, Heal, Milestone, Plan, Profile, What, When};
use crate::ids::NodeId;
use crate::operator::Setting;
use crate::replica::MessageKind;
use squall_world::rng::Choices;

impl Draw<'_> {
    pub(super) fn faults(&mut self, plan: &Plan) -> Vec<Fault> {
        let mut faults = Vec::new();
        let voters = || (1..=plan.cluster.voters).map(NodeId);
        // Rot is for good, so it stays on a minority that the heal does not need.
        self.may_rot = match &plan.heal {
            Heal::Everyone => voters().collect(),
            Heal::Quorum(kept) => voters().filter(|node| !kept.contains(node)).collect(),
        };
        self.choices.shuffle(&mut self.may_rot);
        // With group commit, those that are left must be of both groups: who is healed is.
        let spare = match plan.raft.group_commit && plan.heal == Heal::Everyone {
            true => 0,
            false => voters().count() - plan.quorum(),
        };
        self.may_rot.truncate(spare);
        for (kind, mix) in &self.profile.faults {
            if !self.percent(mix.percent) {
                continue;
            }
            let count = self.range(mix.count);
            if kind.is_supported(self.supports) {
                kind.draw_some(count, self, plan, &mut faults);
            }
        }
        faults
    }

    /// Adds a fault to the others: when it strikes is drawn.
    pub(crate) fn add(&mut self, what: What, plan: &Plan, so_far: &mut Vec<Fault>) {
        let when = self.when(&what, plan);
        let mut fault = Fault { when, what };
        if self.seldom(self.profile.cluster_percent) {
            self.join(&mut fault, so_far, plan);
        }
        so_far.push(fault);
    }

    /// Lets a fault that strikes at a time do so close to one of those that are drawn already, and
    /// be about the same node half of the time: troubles come together, and what one of them
    /// leads to is what another one meets.
    fn join(&mut self, fault: &mut Fault, others: &[Fault], plan: &Plan) {
        let When::AtUs(at_us) = &mut fault.when else {
            return;
        };
        let at_time = |other: &&Fault| matches!(other.when, When::AtUs(_));
        let others: Vec<&Fault> = others.iter().filter(at_time).collect();
        if others.is_empty() {
            return;
        }
        let other = *self.choices.pick(&others);
        let apart_us = self.choices.skewed(1, 2 * plan.election_us());
        if let When::AtUs(other_us) = other.when {
            let near_us = match self.choices.below(2) {
                0 => other_us + apart_us,
                _ => other_us.saturating_sub(apart_us),
            };
            *at_us = near_us.min(plan.heal_us.saturating_sub(1));
        }
        if fault.what.is_free() && self.choices.below(2) == 0 {
            let [own, theirs] = [&fault.what, &other.what].map(|what| {
                let mut what = what.clone();
                what.nodes()
                    .into_iter()
                    .map(|node| *node)
                    .collect::<Vec<_>>()
            });
            if !own.is_empty() && !theirs.is_empty() {
                let (own, theirs) = (*self.choices.pick(&own), *self.choices.pick(&theirs));
                fault.rename(|node| match node {
                    _ if node == own => theirs,
                    _ if node == theirs => own,
                    _ => node,
                });
            }
        }
    }

    /// One node or two.
    pub(crate) fn bridges(&mut self, plan: &Plan) -> Vec<NodeId> {
        let mut nodes = plan.nodes();
        self.choices.shuffle(&mut nodes);
        nodes.truncate(self.choices.between(1, 2) as usize);
        nodes.sort();
        nodes
    }

    /// How long a fault lasts: a blink, or long enough for an election or a few.
    pub(crate) fn span(&mut self, tick_us: u64, election_us: u64) -> u64 {
        match self.choices.below(3) {
            0 => self.choices.skewed(tick_us / 2, 8 * election_us),
            _ => self.choices.between(election_us / 2, 6 * election_us),
        }
    }

    /// How late a message is: by little, or so much that its sender may have stood for election
    /// again since.
    pub(crate) fn lateness(&mut self, election_us: u64) -> u64 {
        match self.choices.below(2) {
            0 => self.choices.skewed(1, 10 * election_us),
            _ => self.choices.between(election_us, 10 * election_us),
        }
    }

    pub(crate) fn node(&mut self, plan: &Plan) -> NodeId {
        NodeId(self.choices.between(1, plan.cluster.nodes().into()) as u8)
    }

    /// Some nodes, but not all.
    pub(crate) fn some_nodes(&mut self, plan: &Plan) -> Vec<NodeId> {
        let mut nodes = plan.nodes();
        self.choices.shuffle(&mut nodes);
        let count = self.choices.between(1, nodes.len() as u64 - 1);
        nodes.truncate(count as usize);
        nodes.sort();
        nodes
    }

    /// Links from some nodes to some others.
    pub(crate) fn links(&mut self, plan: &Plan) -> (Vec<NodeId>, Vec<NodeId>) {
        let from = self.some_nodes(plan);
        let others: Vec<NodeId> = plan
            .nodes()
            .into_iter()
            .filter(|node| !from.contains(node))
            .collect();
        match self.choices.below(3) {
            0 => (from, vec![*self.choices.pick(&others)]),
            1 => (others, from),
            _ => (from, others),
        }
    }

    pub(crate) fn setting(&mut self, plan: &Plan) -> Setting {
        let on = self.choices.below(2) == 0;
        match self.choices.below(7) {
            0 => Setting::BatchAppend(on && self.clear_of.may_batch(plan)),
            1 => Setting::SkipBroadcastCommit(on),
            // Reads by lease are promised nothing without it.
            2 => Setting::CheckQuorum(on || plan.raft.lease_reads),
            3 if !plan.raft.priorities.is_empty() => {
                Setting::Priority(self.choices.below(4) as i64)
            }
            6 if plan.raft.group_commit => Setting::GroupCommit(on),
            3 | 4 => Setting::MaxInflight(self.choices.skewed(0, 16) as u32),
            _ => Setting::MaxCommittedSize(self.choices.skewed(0, 4096)),
        }
    }

    /// A kind of message that this run will send.
    fn message_kind(&mut self, plan: &Plan) -> MessageKind {
        let sent = |kind: &MessageKind| match kind {
            MessageKind::PreVote | MessageKind::PreVoteReply => plan.raft.pre_vote,
            MessageKind::TimeoutNow => self.profile.faults.contains_key(&FaultKind::Transfer),
            _ => true,
        };
        let kinds: Vec<MessageKind> = MessageKind::ALL.into_iter().filter(sent).collect();
        *self.choices.pick(&kinds)
    }

    /// A milestone of a node that the fault is about, mostly.
    fn milestone(&mut self, what: &What, plan: &Plan) -> When {
        let about: Vec<NodeId> = what.clone().nodes().into_iter().map(|node| *node).collect();
        let node = match about.is_empty() || self.choices.below(4) == 0 {
            true => self.node(plan),
            false => *self.choices.pick(&about),
        };
        let changes = plan.cluster.nodes() > plan.cluster.voters;
        let comes = |milestone: &Milestone| changes || *milestone != Milestone::Configured;
        let milestones: Vec<Milestone> = Milestone::ALL.into_iter().filter(comes).collect();
        When::Milestone {
            node,
            milestone: *self.choices.pick(&milestones),
            nth: self.choices.skewed(1, 4) as u32,
        }
    }

    fn when(&mut self, what: &What, plan: &Plan) -> When {
        let on_message = what.on_message().is_some();
        if !on_message && !self.percent(self.profile.ordinal_percent) {
            return When::AtUs(self.choices.below(plan.heal_us.max(1)));
        }
        let node = match what.at_syncs_of() {
            Some(node) => node,
            None => self.node(plan),
        };
        if !on_message && self.seldom(self.profile.milestone_percent) {
            return self.milestone(what, plan);
        }
        if what.at_overwrites() && self.percent(self.profile.overwrite_percent) {
            return When::Overwrite {
                node,
                nth: self.choices.skewed(1, 4) as u32,
            };
        }
        if !on_message && (plan.nodes().len() == 1 || self.choices.below(2) == 0) {
            return When::Sync {
                node,
                nth: self.choices.skewed(1, 100) as u32,
            };
        }
        let mut others = plan.nodes();
        others.retain(|other| *other != node);
        When::Message {
            from: node,
            to: *self.choices.pick(&others),
            kind: self.message_kind(plan),
            nth: self.choices.skewed(1, 60) as u32,
        }
    }
}

/// Draws a fault of the kind for `plan` from `seed`, as `profile` has faults strike. None where the
/// plan can have no such fault.
pub fn draw_fault(kind: FaultKind, seed: u64, profile: &Profile, plan: &Plan) -> Option<Fault> {
    let mut draw = Draw {
        profile,
        supports: crate::options::Feature::ALL,
        clear_of: KeptClearOf::default(),
        choices: Choices::labelled(seed, "fault", 0),
        may_rot: plan.nodes(),
    };
    let mut faults = Vec::new();
    kind.draw_some(1, &mut draw, plan, &mut faults);
    faults.pop()
}

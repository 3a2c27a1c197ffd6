//! How an operator's changes of the configuration are drawn: a script that makes
//! sense if each change comes about before the next, at times that often leave it
//! no time to.

use super::generate::Draw;
use super::{Fault, Plan, What, When};
use crate::configuration::{Change, Configuration, Member, Step, Transition};
use crate::faults;
use crate::ids::{NodeId, NodeSet};
use crate::options::Feature;

impl Draw<'_> {
    /// `count` changes, one after the other.
    pub(crate) fn changes(&mut self, plan: &Plan, count: u64) -> Vec<Fault> {
        if plan.nodes().len() == 1 {
            return Vec::new();
        }
        // Only plans with nodes that may join are meant to change; but of a subject that lacks
        // either of these, any.
        let by_snapshot = [Feature::LaterFirstTerm, Feature::Snapshots];
        let is_meant_to = plan.cluster.nodes() > plan.cluster.voters;
        if !is_meant_to && by_snapshot.iter().all(|one| self.supports.contains(one)) {
            return Vec::new();
        }
        let mut times: Vec<u64> = (0..count)
            .map(|_| self.choices.below(plan.heal_us.max(1)))
            .collect();
        times.sort_unstable();
        // Back to back: the next is asked for right after the one before.
        for place in 1..times.len() {
            if self.choices.below(3) == 0 {
                times[place] = times[place - 1] + self.choices.skewed(1, plan.cluster.tick_us);
            }
        }
        let removals = self.clear_of.removals(plan);
        let mut script = Script::new(plan, removals);
        let mut faults = Vec::new();
        for at_us in times {
            if let Some(what) = self.change(plan, &mut script) {
                let when = match self.percent(self.profile.ordinal_percent / 4) {
                    true => When::Sync {
                        node: self.node(plan),
                        nth: self.choices.skewed(1, 60) as u32,
                    },
                    false => When::AtUs(at_us),
                };
                faults.push(Fault { when, what });
            }
        }
        faults
    }

    /// Whether one more disk may be replaced: there are others that go on meanwhile, who comes back
    /// learns the configuration from a snapshot, and no known issue keeps so many voters from
    /// leaving.
    pub(crate) fn may_replace_disk(&self, plan: &Plan, so_far: &[Fault]) -> bool {
        let leaves = |step: &&Step| step.becomes != Member::Voter;
        let removals = |fault: &Fault| match &fault.what {
            What::Change(change) => change.change.steps.iter().filter(leaves).count(),
            What::ReplaceDisk(_) => 1,
            _ => 0,
        };
        let removals: usize = so_far.iter().map(removals).sum();
        plan.cluster.voters >= 3
            && plan.cluster.first_index > 0
            && !plan.raft.group_commit
            && removals < self.clear_of.removals(plan)
    }

    /// What the subject supports.
    pub(crate) fn supports(&self) -> &[Feature] {
        self.supports
    }

    fn change(&mut self, plan: &Plan, script: &mut Script) -> Option<What> {
        let supports = self.supports;
        let has = |feature| supports.contains(&feature);
        let now = script.configuration;
        // Group commit may wait for a node in a configuration that has not been left everywhere.
        let stop_removed = self.choices.below(2) == 0 && !plan.raft.group_commit;
        let change = if now.is_joint() && has(Feature::ExplicitLeave) && self.choices.below(4) > 0 {
            Change {
                steps: Vec::new(),
                transition: Transition::Leave,
            }
        } else {
            let joint = has(Feature::JointChange)
                && (!has(Feature::SimpleChange) || self.choices.below(2) == 0);
            let most = match joint {
                true => self.choices.between(1, 4),
                false => 1,
            };
            let mut steps: Vec<Step> = Vec::new();
            for _ in 0..most {
                let step = self.step(plan, script, stop_removed)?;
                if steps.iter().all(|other| other.node != step.node) {
                    steps.push(step);
                }
            }
            let explicit = has(Feature::ExplicitLeave) && self.choices.below(2) == 0;
            let transition = match (joint, explicit) {
                (false, _) => Transition::Simple,
                (true, true) => Transition::JointExplicit,
                (true, false) => Transition::Joint,
            };
            Change { steps, transition }
        };
        // A change that does not fit is asked for all the same, now and then.
        let demotes = |step: &&Step| step.becomes != Member::Voter;
        let removals = change.steps.iter().filter(demotes).count();
        if removals > script.removals {
            return None;
        }
        script.removals -= removals;
        let fits = now.after(&change);
        if fits.is_err() && self.choices.below(4) > 0 {
            return None;
        }
        if let Ok(after) = fits {
            script.follow(after, &change, stop_removed);
        }
        let retries = self.choices.below(6) as u32;
        Some(What::from(faults::Change {
            change,
            retries,
            stop_removed,
        }))
    }

    /// What is to become of one node, whatever it is now.
    fn step(&mut self, plan: &Plan, script: &Script, stop_removed: bool) -> Option<Step> {
        let learners = self.supports.contains(&Feature::Learners);
        let demotes = self.supports.contains(&Feature::Demotion);
        let now = script.configuration;
        let anyone: Vec<NodeId> = plan
            .nodes()
            .into_iter()
            .filter(|node| !script.stopped.has(*node))
            .collect();
        let outside: Vec<NodeId> = anyone
            .iter()
            .copied()
            .filter(|node| !now.members().has(*node))
            .collect();
        let draw = self.choices.below(6);
        if draw < 3 && !outside.is_empty() {
            return Some(Step {
                node: *self.choices.pick(&outside),
                becomes: match learners && draw == 0 {
                    true => Member::Learner,
                    false => Member::Voter,
                },
            });
        }
        let members: Vec<NodeId> = now.members().iter().collect();
        let node = *self.choices.pick(&members);
        let leaves = now.voters.len() > 1 || !now.voters.has(node);
        let becomes = match draw {
            // A lone node that is stopped would leave its cluster for good.
            _ if !leaves => Member::Voter,
            4 if learners && (demotes || now.learners.has(node)) => match now.learners.has(node) {
                true => Member::Voter,
                false => Member::Learner,
            },
            _ if stop_removed && now.voters.len() <= 2 => Member::Voter,
            _ => Member::Nobody,
        };
        Some(Step { node, becomes })
    }
}

/// The state that the changes so far lead to, if each comes about.
pub struct Script {
    /// The configuration in force.
    pub configuration: Configuration,
    /// Nodes that are stopped for good.
    pub stopped: NodeSet,
    /// How many voters may yet be removed or demoted.
    pub removals: usize,
}

impl Script {
    /// The state at a plan's start.
    pub fn new(plan: &Plan, removals: usize) -> Self {
        Self {
            configuration: plan.first_configuration(),
            stopped: NodeSet::default(),
            removals,
        }
    }

    /// One more change comes about, and `after` is the configuration that it leads to.
    pub fn follow(&mut self, after: Configuration, change: &Change, stop_removed: bool) {
        self.configuration = match after.auto_leave {
            true => Configuration {
                outgoing: NodeSet::default(),
                learners: after.learners.with(after.learners_next),
                learners_next: NodeSet::default(),
                auto_leave: false,
                ..after
            },
            false => after,
        };
        for step in &change.steps {
            if step.becomes == Member::Nobody && stop_removed {
                self.stopped.add(step.node);
            }
        }
    }
}

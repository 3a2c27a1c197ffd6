//! Scripts of membership changes. What is drawn is a list of wishes; a plan makes of them the
//! changes that make sense one after the other, so that a list stays a script whatever is left out
//! of it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::SBoxedStrategy;
use squall_core::faults;

use super::Count;
use super::faults::STORM_US;
use squall_core::configuration::{Change, Configuration, Member, Step, Transition};
use squall_core::ids::{NodeId, NodeSet};
use squall_core::options::Feature;
use squall_core::plan::{Fault, MAX_NODES, Plan, Script, What, When};

/// A strategy for scripts of membership changes. Made by [`changes`].
#[derive(Clone, Debug)]
pub struct Changes {
    count: Count,
}

/// So many changes of the membership: simple and joint ones, voters and learners, retried or not.
pub fn changes(count: impl Into<Count>) -> Changes {
    Changes {
        count: count.into(),
    }
}

/// What a script is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) learners: u8,
    pub(super) spares: u8,
    /// Who joins follows the whole log, and learns the configuration from no snapshot.
    pub(super) joins_by_log: bool,
    wishes: Vec<Wish>,
}

/// One change that an operator would like.
#[derive(Clone, Debug)]
struct Wish {
    at_us: u64,
    who: Vec<(NodeId, Member)>,
    joint: bool,
    explicit: bool,
    retries: u32,
    stop_removed: bool,
}

impl Changes {
    pub(super) fn sboxed(self) -> SBoxedStrategy<Wishes> {
        let becomes = prop_oneof![
            Just(Member::Voter),
            Just(Member::Learner),
            Just(Member::Nobody)
        ];
        let who = vec(((1..=MAX_NODES).prop_map(NodeId), becomes), 1..4);
        let wish = (0..STORM_US, who, any::<[bool; 3]>(), 0..4u32);
        let wish = wish.prop_map(
            |(at_us, who, [joint, explicit, stop_removed], retries)| Wish {
                at_us,
                who,
                joint,
                explicit,
                retries,
                stop_removed,
            },
        );
        (0..3u8, 1..4u8, any::<bool>(), vec(wish, self.count))
            .prop_map(|(learners, spares, joins_by_log, wishes)| Wishes {
                learners,
                spares,
                joins_by_log,
                wishes,
            })
            .sboxed()
    }
}

impl Wishes {
    /// The changes, fitted to the plan: each makes sense if those before it have come about.
    pub(super) fn faults(&self, plan: &Plan, supports: &[Feature]) -> Vec<Fault> {
        let has = |feature| supports.contains(&feature);
        let ways = has(Feature::SimpleChange) || has(Feature::JointChange);
        if plan.nodes().len() == 1 || !ways {
            return Vec::new();
        }
        let mut wishes: Vec<&Wish> = self.wishes.iter().collect();
        wishes.sort_by_key(|wish| wish.at_us);
        // Never fewer than two voters are left.
        let removals = usize::from(plan.cluster.voters).saturating_sub(2);
        let mut script = Script::new(plan, removals);
        let mut faults = Vec::new();
        for wish in wishes {
            let now = script.configuration;
            let change = match now.is_joint() {
                true => Change {
                    steps: Vec::new(),
                    transition: Transition::Leave,
                },
                false => wish.change(plan, &script, supports),
            };
            let demotes = |step: &&Step| step.becomes != Member::Voter && now.voters.has(step.node);
            let removals = change.steps.iter().filter(demotes).count();
            let idle = change.steps.is_empty() && !now.is_joint();
            let Ok(after) = now.after(&change) else {
                continue;
            };
            if idle || removals > script.removals {
                continue;
            }
            script.removals -= removals;
            script.follow(after, &change, wish.stop_removed);
            faults.push(Fault {
                when: When::AtUs(wish.at_us),
                what: What::Change(faults::Change {
                    change,
                    retries: wish.retries,
                    stop_removed: wish.stop_removed,
                }),
            });
        }
        faults
    }
}

impl Wish {
    fn change(&self, plan: &Plan, script: &Script, supports: &[Feature]) -> Change {
        let has = |feature| supports.contains(&feature);
        let joint = has(Feature::JointChange) && (self.joint || !has(Feature::SimpleChange));
        let count = plan.cluster.nodes();
        let mut steps: Vec<Step> = Vec::new();
        for (node, becomes) in &self.who {
            let node = NodeId((node.0 - 1) % count + 1);
            let becomes = match becomes {
                Member::Learner if !has(Feature::Learners) => Member::Voter,
                other => *other,
            };
            let now = script.configuration;
            let demotion = becomes == Member::Learner && now.voters.has(node);
            let same = becomes == role(&now, node);
            let free = !script.stopped.has(node) && steps.iter().all(|step| step.node != node);
            if !same && free && (!demotion || has(Feature::Demotion)) {
                steps.push(Step { node, becomes });
            }
        }
        if !joint {
            steps.truncate(1);
        }
        let explicit = self.explicit && has(Feature::ExplicitLeave);
        let transition = match (joint, explicit) {
            (false, _) => Transition::Simple,
            (true, true) => Transition::JointExplicit,
            (true, false) => Transition::Joint,
        };
        Change { steps, transition }
    }
}

fn role(now: &Configuration, node: NodeId) -> Member {
    let in_either = |set: NodeSet| set.has(node);
    match (in_either(now.voters), in_either(now.learners)) {
        (true, _) => Member::Voter,
        (_, true) => Member::Learner,
        _ => Member::Nobody,
    }
}

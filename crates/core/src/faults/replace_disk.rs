//! An operator replaces the disk of a node.

use serde::{Deserialize, Serialize};

use super::definition::{Cost, Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong};
use super::{Fault, FaultKind};
use crate::configuration::{self, Member, Step, Transition};
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::options::Feature;
use crate::plan::{Draw, Impossible, Plan, at_most, check};
use crate::replica::Subject;

/// An operator replaces the disk of a node, step by step: the node leaves; when every other node
/// goes by that, the node starts again on an empty disk; and it joins again, as a voter whatever it
/// was. Raft survives this (dissertation, section 4.4, on how a server that failed for good is
/// replaced), where [`super::LoseDisk`] is the same in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceDisk {
    /// Which node.
    pub node: NodeId,
    /// It joins as a learner, and becomes a voter after that (dissertation, section 4.2.1).
    pub as_learner: bool,
    /// How often the operator looks again and asks for what is next, every other election
    /// time-out.
    pub retries: u32,
}

impl ReplaceDisk {
    /// The changes of the configuration that it takes, before the node is wiped or after that.
    pub(crate) fn changes(
        &self,
        is_wiped: bool,
        transition: Transition,
    ) -> Vec<configuration::Change> {
        let learner = self.as_learner.then_some(Member::Learner);
        let becomes = match is_wiped {
            false => [Some(Member::Nobody), None],
            true => [learner, Some(Member::Voter)],
        };
        let change = |becomes| configuration::Change {
            steps: vec![Step {
                node: self.node,
                becomes,
            }],
            transition,
        };
        becomes.into_iter().flatten().map(change).collect()
    }
}

impl Definition for ReplaceDisk {
    fn about(_: FaultKind) -> &'static str {
        "an operator replaces a node's disk: the node leaves, is wiped, and joins again, as a voter or as a learner first"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::ReplaceDisk
    }

    fn words(&self) -> String {
        let node = self.node;
        let how = match self.as_learner {
            true => ", as a learner first",
            false => "",
        };
        format!(
            "an operator replaces {node}'s disk: {node} is to leave, be wiped, and join again{how}"
        )
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            nodes: vec![&mut self.node],
            ..Parts::default()
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: true,
            is_prompt: false,
            keeps_in_touch: true,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.node(self.node)?;
        at_most(limits.field("retries"), self.retries.into(), 1_000)?;
        let first = limits.plan.cluster.first_index;
        check(
            first > 0,
            "cluster.first_index",
            first,
            "at least 1 where a disk is replaced: an empty node that is told the first configuration takes itself for a founder",
        )
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        let learns = draw.supports().contains(&Feature::Learners);
        Self {
            node: drawn.node,
            as_learner: learns && draw.choices.below(2) == 0,
            retries: draw.choices.between(5, 40) as u32,
        }
    }

    fn draw_some(
        kind: FaultKind,
        count: u64,
        draw: &mut Draw<'_>,
        plan: &Plan,
        so_far: &mut Vec<Fault>,
    ) {
        for _ in 0..count {
            if draw.may_replace_disk(plan, so_far) {
                let drawn = Drawn::new(draw, plan);
                let what = Self::draw(kind, draw, plan, drawn);
                draw.add(what.into(), plan, so_far);
            }
        }
    }

    fn is_supported(_: FaultKind, supports: &[Feature]) -> bool {
        let ways = [Feature::SimpleChange, Feature::JointChange];
        ways.iter().any(|way| supports.contains(way)) && supports.contains(&Feature::Snapshots)
    }

    fn asks_for(&self, feature: Feature, _: &Plan) -> bool {
        match feature {
            Feature::Learners => self.as_learner,
            Feature::Snapshots => true,
            _ => false,
        }
    }

    fn is_free(&self) -> bool {
        false
    }

    fn fit(&mut self, plan: &Plan) -> bool {
        self.node.0 = (self.node.0 - 1) % plan.cluster.nodes() + 1;
        plan.cluster.first_index > 0
    }

    fn cost(&self) -> Cost {
        Cost {
            asks: self.retries.saturating_add(1),
            ..Cost::default()
        }
    }

    fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        if self.as_learner {
            all.push(Self {
                as_learner: false,
                ..self.clone()
            });
        }
        if self.retries > 0 {
            all.extend([0, self.retries / 2].map(|retries| Self {
                retries,
                ..self.clone()
            }));
        }
        all
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        number: usize,
    ) -> Verdict<Lasts> {
        world.replace_disk(now_us, number, self.retries)?;
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "replace-disk",
            usage: "replace-disk NODE [learner]",
            about: "in a cluster with spares: an operator has the node leave, wipes it when every other node goes by that, and has it join again, as a learner first if so asked",
            act: replace_disk,
        }]
    }

    fn command(&self) -> Option<String> {
        let learner = match self.as_learner {
            true => " learner",
            false => "",
        };
        let usual = self.retries == STORY_RETRIES;
        usual.then(|| format!("replace-disk {}{learner}", self.node))
    }
}

/// How often the operator of a story looks again.
const STORY_RETRIES: u32 = 20;

fn replace_disk(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let as_learner = match words.next_word() {
        None => false,
        Some("learner") => true,
        Some(word) => return Err(format!("\"{word}\" is no way to join again")),
    };
    let retries = STORY_RETRIES;
    stage.strikes(
        ReplaceDisk {
            node,
            as_learner,
            retries,
        }
        .into(),
    );
    Ok(())
}

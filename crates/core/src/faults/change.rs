//! An operator changes who is in the cluster.

use serde::{Deserialize, Serialize};

use super::definition::{Cost, Definition, Drawn, Lasts, Lease, Limits, Parts, moves_up};
use super::story::{Command, Stage, Words, Wrong, node};
use super::{Fault, FaultKind};
use crate::configuration::{self, Member, Step, Transition};
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::options::Feature;
use crate::plan::{Draw, Impossible, MAX_NODES, Plan, at_most, check};
use crate::replica::Subject;

/// An operator asks the leader for a change of the configuration. Nodes that are to join start
/// with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The change.
    pub change: configuration::Change,
    /// How often it is asked for again while it has not come about, every other election
    /// time-out.
    pub retries: u32,
    /// Nodes that it removes are stopped for good as soon as they are out; otherwise they run
    /// on.
    pub stop_removed: bool,
}

impl Definition for Change {
    fn about(_: FaultKind) -> &'static str {
        "an operator changes who is in the cluster: simple or joint, voters and learners, with retries"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Change
    }

    fn words(&self) -> String {
        let mut words = format!("an operator asks for {}", self.change);
        if self.retries > 0 {
            words.push_str(&format!(", up to {} times", self.retries + 1));
        }
        if self.stop_removed {
            words.push_str("; who leaves is stopped");
        }
        words
    }

    fn parts(&mut self) -> Parts<'_> {
        let steps = self.change.steps.iter_mut();
        Parts {
            nodes: steps.map(|step| &mut step.node).collect(),
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
        at_most(limits.field("retries"), self.retries.into(), 1_000)?;
        let steps = self.change.steps.len();
        let most = 2 * usize::from(MAX_NODES);
        check(
            steps <= most,
            limits.field("change.steps"),
            format!("a list of {steps}"),
            format!("a list of at most {most}"),
        )?;
        for step in &self.change.steps {
            limits.node(step.node)?;
        }
        let (legal, value, word) = match self.change.transition {
            Transition::Simple => (
                steps == 1,
                format!("a list of {steps}"),
                "a list of 1 for a simple change",
            ),
            Transition::Leave => (
                steps == 0,
                format!("a list of {steps}"),
                "empty to leave a joint configuration",
            ),
            Transition::Joint | Transition::JointExplicit => {
                (steps >= 1, "empty".to_owned(), "a list of at least 1")
            }
        };
        check(legal, limits.field("change.steps"), value, word)
    }

    fn draw(_: FaultKind, _: &mut Draw<'_>, _: &Plan, _: Drawn) -> Self {
        unreachable!("changes follow one another: all are drawn at once")
    }

    fn draw_some(
        _: FaultKind,
        count: u64,
        draw: &mut Draw<'_>,
        plan: &Plan,
        so_far: &mut Vec<Fault>,
    ) {
        let changes = draw.changes(plan, count);
        so_far.extend(changes);
    }

    fn is_supported(_: FaultKind, supports: &[Feature]) -> bool {
        let ways = [Feature::SimpleChange, Feature::JointChange];
        ways.iter().any(|way| supports.contains(way))
    }

    fn asks_for(&self, feature: Feature, plan: &Plan) -> bool {
        let Self { change, .. } = self;
        let mut learns = change
            .steps
            .iter()
            .filter(|step| step.becomes == Member::Learner);
        match feature {
            Feature::SimpleChange => change.transition == Transition::Simple,
            Feature::JointChange => change.transition == Transition::Joint,
            Feature::ExplicitLeave => matches!(
                change.transition,
                Transition::JointExplicit | Transition::Leave
            ),
            // A node that is no learner may be a voter by then.
            Feature::Demotion => {
                let learners = plan.first_configuration().learners;
                learns.any(|step| step.node.0 <= plan.cluster.voters && !learners.has(step.node))
            }
            Feature::Learners => learns.next().is_some(),
            _ => false,
        }
    }

    fn is_free(&self) -> bool {
        false
    }

    fn cost(&self) -> Cost {
        Cost {
            asks: self.retries.saturating_add(1),
            ..Cost::default()
        }
    }

    fn simpler(&self) -> Vec<Self> {
        let Self {
            change,
            retries,
            stop_removed,
        } = self;
        let mut all = Vec::new();
        for place in (0..change.steps.len()).filter(|_| change.steps.len() > 1) {
            let mut fewer = self.clone();
            fewer.change.steps.remove(place);
            all.push(fewer);
        }
        if change.steps.len() == 1 && change.transition != Transition::Simple {
            let mut simple = self.clone();
            simple.change.transition = Transition::Simple;
            all.push(simple);
        }
        if *retries > 0 {
            all.extend([0, retries / 2].map(|retries| Self {
                retries,
                ..self.clone()
            }));
        }
        if *stop_removed {
            all.push(Self {
                stop_removed: false,
                ..self.clone()
            });
        }
        all
    }

    fn without(&mut self, out: NodeId) -> bool {
        let stays = |step: &mut Step| moves_up(&mut step.node, out);
        self.change.steps.retain_mut(stays);
        !self.change.steps.is_empty() || self.change.transition == Transition::Leave
    }

    // Changes follow one another, and make sense together only.
    fn fit(&mut self, _: &Plan) -> bool {
        false
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        number: usize,
    ) -> Verdict<Lasts> {
        world.ask_for_change(now_us, number, self.retries)?;
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[
            Command {
                name: "change",
                usage: "change [joint|explicit] NODE=voter|learner|out ...",
                about: "an operator asks the leader for a change of the configuration; spare nodes that are to join start",
                act: change,
            },
            Command {
                name: "leave-joint",
                usage: "leave-joint",
                about: "an operator asks the leader to leave a joint configuration that was entered with explicit",
                act: leave,
            },
        ]
    }

    fn command(&self) -> Option<String> {
        if self.retries > 0 || self.stop_removed {
            return None;
        }
        let how = match self.change.transition {
            Transition::Simple => "change",
            Transition::Joint => "change joint",
            Transition::JointExplicit => "change explicit",
            Transition::Leave => return Some("leave-joint".to_owned()),
        };
        let steps = self.change.steps.iter().map(|step| {
            let becomes = match step.becomes {
                Member::Voter => "voter",
                Member::Learner => "learner",
                Member::Nobody => "out",
            };
            format!(" {}={becomes}", step.node)
        });
        Some(format!("{how}{}", steps.collect::<String>()))
    }
}

fn change(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let mut transition = Transition::Simple;
    let mut steps = Vec::new();
    while let Some(word) = words.next_word() {
        match word.split_once('=') {
            Some((id, becomes)) => steps.push(Step {
                node: node(id)?,
                becomes: match becomes {
                    "voter" => Member::Voter,
                    "learner" => Member::Learner,
                    "out" => Member::Nobody,
                    _ => return Err(format!("\"{becomes}\" is nothing that a node becomes")),
                },
            }),
            None if steps.is_empty() && word == "joint" => transition = Transition::Joint,
            None if steps.is_empty() && word == "explicit" => {
                transition = Transition::JointExplicit;
            }
            None => return Err(format!("\"{word}\" is no step of a change")),
        }
    }
    if steps.is_empty() {
        return Err("who becomes what is missing".to_owned());
    }
    asks(stage, configuration::Change { steps, transition });
    Ok(())
}

fn leave(stage: &mut dyn Stage, _: &mut Words<'_>) -> Result<(), Wrong> {
    let change = configuration::Change {
        steps: Vec::new(),
        transition: Transition::Leave,
    };
    asks(stage, change);
    Ok(())
}

fn asks(stage: &mut dyn Stage, change: configuration::Change) {
    let change = Change {
        change,
        retries: 0,
        stop_removed: false,
    };
    stage.strikes(change.into());
}

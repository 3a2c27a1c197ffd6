//! A sync fails.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong};
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;

/// The node's next sync, or the one that triggers this fault, fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailSync {
    /// Which node.
    pub node: NodeId,
}

impl Definition for FailSync {
    fn about(_: FaultKind) -> &'static str {
        "a sync fails, once, and what it covered is lost for good"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::FailSync
    }

    fn words(&self) -> String {
        format!("a sync of {} fails", self.node)
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
            is_prompt: true,
            keeps_in_touch: true,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.node(self.node)
    }

    fn draw(_: FaultKind, _: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        Self { node: drawn.node }
    }

    fn strike<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        world.slots[self.node.position()].fail_next += 1;
        Ok(Lasts::NoLonger)
    }

    fn at_syncs_of(&self) -> Option<NodeId> {
        Some(self.node)
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "fail-sync",
            usage: "fail-sync NODE",
            about: "the node's next sync fails",
            act: fail,
        }]
    }

    fn command(&self) -> Option<String> {
        Some(format!("fail-sync {}", self.node))
    }
}

fn fail(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    stage.strikes(FailSync { node }.into());
    Ok(())
}

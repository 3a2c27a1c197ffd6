//! A node stands still.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong, time_words};
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;

/// The node stands still, as in a long garbage collection or a frozen virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Which node.
    pub node: NodeId,
    /// How long, in microseconds.
    pub for_us: u64,
}

impl Definition for Pause {
    fn about(_: FaultKind) -> &'static str {
        "a node is paused, as by a long garbage collection, and misses its ticks"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Pause
    }

    fn words(&self) -> String {
        format!("{} is paused for {}", self.node, seconds(self.for_us))
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            lasts_us: Some(&mut self.for_us),
            nodes: vec![&mut self.node],
            ..Parts::default()
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: false,
            is_prompt: false,
            keeps_in_touch: false,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.node(self.node)?;
        limits.time("for_us", self.for_us)
    }

    fn draw(_: FaultKind, _: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        Self {
            node: drawn.node,
            for_us: drawn.for_us,
        }
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        _: usize,
    ) -> Verdict<Lasts> {
        // The node goes on by itself, at the end of the last of its pauses.
        world.pause(now_us, self.node, self.for_us);
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[
            Command {
                name: "pause",
                usage: "pause NODE [for=TIME]",
                about: "the node is paused",
                act: pause,
            },
            Command {
                name: "resume",
                usage: "resume NODE",
                about: "it resumes",
                act: resume,
            },
        ]
    }

    fn command(&self) -> Option<String> {
        Some(format!(
            "pause {} for={}",
            self.node,
            time_words(self.for_us)
        ))
    }
}

fn pause(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let for_us = words.time_option("for")?;
    stage.begins(for_us, Pause { node, for_us: 0 }.into());
    Ok(())
}

fn resume(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let whose = words.node()?;
    stage.end_some(
        |what| matches!(what, super::What::Pause(Pause { node, .. }) if *node == whose),
        || format!("{whose} is not paused"),
    )
}

//! A node's disk refuses writes.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong, time_words};
use crate::counters::Counter;
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;

/// The node's disk has no room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullDisk {
    /// Which node.
    pub node: NodeId,
    /// How long, in microseconds.
    pub for_us: u64,
}

impl Definition for FullDisk {
    fn about(_: FaultKind) -> &'static str {
        "a node's disk refuses writes; the next sync fails"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::FullDisk
    }

    fn words(&self) -> String {
        format!(
            "the disk of {} is full for {}",
            self.node,
            seconds(self.for_us)
        )
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
            keeps_time: true,
            is_prompt: true,
            keeps_in_touch: true,
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

    fn strike<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        world.disks[self.node.position()].fill_up();
        world.slots[self.node.position()].files.fill_up();
        world.counters.hit(Counter::DiskFull);
        Ok(Lasts::ForUs(self.for_us))
    }

    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) {
        world.disks[self.node.position()].free_up();
        world.slots[self.node.position()].files.free_up();
    }

    fn commands() -> &'static [Command] {
        &[
            Command {
                name: "fill-disk",
                usage: "fill-disk NODE [for=TIME]",
                about: "the node's disk has no room",
                act: fill,
            },
            Command {
                name: "free-disk",
                usage: "free-disk NODE",
                about: "it has room again",
                act: free,
            },
        ]
    }

    fn command(&self) -> Option<String> {
        Some(format!(
            "fill-disk {} for={}",
            self.node,
            time_words(self.for_us)
        ))
    }
}

fn fill(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let for_us = words.time_option("for")?;
    stage.begins(for_us, FullDisk { node, for_us: 0 }.into());
    Ok(())
}

fn free(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let whose = words.node()?;
    stage.end_some(
        |what| matches!(what, super::What::FullDisk(FullDisk { node, .. }) if *node == whose),
        || format!("the disk of {whose} is not full"),
    )
}

//! Syncs of a node take long.

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

/// Syncs on the node take this long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowDisk {
    /// Which node.
    pub node: NodeId,
    /// Microseconds a sync takes at least.
    pub sync_us: u64,
    /// How long this lasts, in microseconds.
    pub for_us: u64,
}

impl Definition for SlowDisk {
    fn about(_: FaultKind) -> &'static str {
        "syncs of a node take long"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::SlowDisk
    }

    fn words(&self) -> String {
        let (sync, span) = (seconds(self.sync_us), seconds(self.for_us));
        match self.for_us {
            0 => format!("a sync of {} that begins then takes {sync}", self.node),
            _ => format!("syncs of {} take {sync} for {span}", self.node),
        }
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            lasts_us: Some(&mut self.for_us),
            spans_us: vec![&mut self.sync_us],
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
        limits.time("sync_us", self.sync_us)?;
        limits.time("for_us", self.for_us)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        Self {
            node: drawn.node,
            sync_us: draw
                .choices
                .skewed(drawn.tick_us / 2, 4 * drawn.election_us),
            for_us: drawn.for_us,
        }
    }

    fn strike<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        world.slots[self.node.position()].slow_us.push(self.sync_us);
        world.counters.hit(Counter::DiskSlow);
        Ok(Lasts::ForUs(self.for_us))
    }

    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) {
        let slow_us = &mut world.slots[self.node.position()].slow_us;
        if let Some(place) = slow_us.iter().position(|us| *us == self.sync_us) {
            slow_us.remove(place);
        }
    }

    fn at_syncs_of(&self) -> Option<NodeId> {
        Some(self.node)
    }

    fn commands() -> &'static [Command] {
        &[
            Command {
                name: "slow-disk",
                usage: "slow-disk NODE TIME [for=TIME]",
                about: "each sync of the node takes so long, from its next on",
                act: slow,
            },
            Command {
                name: "fast-disk",
                usage: "fast-disk NODE",
                about: "its syncs are as fast as ever again",
                act: fast,
            },
        ]
    }

    fn command(&self) -> Option<String> {
        let (sync, span) = (time_words(self.sync_us), time_words(self.for_us));
        Some(format!("slow-disk {} {sync} for={span}", self.node))
    }
}

fn slow(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let slow = SlowDisk {
        node: words.node()?,
        sync_us: words.time_us()?,
        for_us: 0,
    };
    stage.begins(words.time_option("for")?, slow.into());
    Ok(())
}

fn fast(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let whose = words.node()?;
    stage.end_some(
        |what| matches!(what, super::What::SlowDisk(SlowDisk { node, .. }) if *node == whose),
        || format!("the disk of {whose} is not slow"),
    )
}

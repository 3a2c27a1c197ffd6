//! A node loses its disk, and comes back empty under its id.

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

/// The node goes down, its volume is lost, and it starts again under its id, on an empty disk: a
/// mistake of operators. Raft does not survive this for a voter (Raft paper, figure 2: what is
/// persistent is never lost); [`super::ReplaceDisk`] is how it is done safely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoseDisk {
    /// Which node.
    pub node: NodeId,
    /// How long it stays down, in microseconds.
    pub down_us: u64,
}

impl Definition for LoseDisk {
    fn about(_: FaultKind) -> &'static str {
        "a node's volume is lost and the node comes back empty, under its id: no library survives that for a voter"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::LoseDisk
    }

    fn words(&self) -> String {
        let Self { node, down_us } = self;
        let later = seconds(*down_us);
        format!("{node}'s disk is lost, and {node} comes back empty {later} later")
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            lasts_us: Some(&mut self.down_us),
            nodes: vec![&mut self.node],
            ..Parts::default()
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: true,
            is_prompt: true,
            keeps_in_touch: false,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.node(self.node)?;
        limits.time("down_us", self.down_us)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        Self {
            node: drawn.node,
            down_us: draw.span(drawn.tick_us, drawn.election_us),
        }
    }

    fn at_syncs_of(&self) -> Option<NodeId> {
        Some(self.node)
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        _: usize,
    ) -> Verdict<Lasts> {
        // A boot ends it.
        world.lose_disk(now_us, self.node, self.down_us);
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "lose-disk",
            usage: "lose-disk NODE [for=TIME]",
            about: "the node goes down and its disk is lost; it starts after that time, on an empty disk",
            act: lose_disk,
        }]
    }

    fn command(&self) -> Option<String> {
        let Self { node, down_us } = self;
        Some(format!("lose-disk {node} for={}", time_words(*down_us)))
    }
}

fn lose_disk(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let down_us = words.time_option("for")?.unwrap_or(1);
    stage.strikes(LoseDisk { node, down_us }.into());
    Ok(())
}

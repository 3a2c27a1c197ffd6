//! Messages to and from a node take longer.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use crate::counters::Counter;
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;

/// Every message to or from the node takes longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowNode {
    /// Which node.
    pub node: NodeId,
    /// How much longer, in microseconds.
    pub extra_us: u64,
    /// How long this lasts, in microseconds.
    pub for_us: u64,
}

impl Definition for SlowNode {
    fn about(_: FaultKind) -> &'static str {
        "every message to and from a node takes longer"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::SlowNode
    }

    fn words(&self) -> String {
        let (node, extra) = (self.node, seconds(self.extra_us));
        let span = seconds(self.for_us);
        format!("messages to and from {node} take {extra} longer for {span}")
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            lasts_us: Some(&mut self.for_us),
            spans_us: vec![&mut self.extra_us],
            nodes: vec![&mut self.node],
            ..Parts::default()
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: true,
            is_prompt: false,
            keeps_in_touch: false,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.node(self.node)?;
        limits.time("extra_us", self.extra_us)?;
        limits.time("for_us", self.for_us)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        Self {
            node: drawn.node,
            extra_us: draw.choices.skewed(drawn.tick_us / 2, drawn.election_us),
            for_us: drawn.for_us,
        }
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn strike<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        world.network.slow_down(self.node.position(), self.extra_us);
        world.counters.hit(Counter::NodeSlow);
        Ok(Lasts::ForUs(self.for_us))
    }

    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) {
        world.network.speed_up(self.node.position(), self.extra_us);
    }
}

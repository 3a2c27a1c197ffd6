//! Nothing gets through between two sides.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, NodeList, Parts, fit_list};
use super::story::{nodes_words, time_words};
use crate::engine::World;
use crate::ids::{NodeId, node_list};
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan, check};
use crate::replica::Subject;
use crate::text::seconds;

/// Nothing gets through between these nodes and all others, either way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// One side.
    pub side: Vec<NodeId>,
    /// How long, in microseconds.
    pub for_us: u64,
}

impl Definition for Split {
    fn about(_: FaultKind) -> &'static str {
        "nothing gets through between two sides, either way"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Split
    }

    fn words(&self) -> String {
        let (side, span) = (node_list(&self.side), seconds(self.for_us));
        format!("{side} cut off from all others, both ways, for {span}")
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            lasts_us: Some(&mut self.for_us),
            lists: vec![NodeList::some(&mut self.side)],
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
        limits.nodes("side", &self.side)?;
        let all = limits
            .plan
            .nodes()
            .iter()
            .all(|node| self.side.contains(node));
        check(
            !all,
            limits.field("side"),
            "all nodes",
            "some nodes, and not all",
        )?;
        limits.time("for_us", self.for_us)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, plan: &Plan, drawn: Drawn) -> Self {
        Self {
            side: draw.some_nodes(plan),
            for_us: drawn.for_us,
        }
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn fit(&mut self, plan: &Plan) -> bool {
        let count = plan.cluster.nodes();
        fit_list(&mut self.side, count);
        if self.side.len() == usize::from(count) {
            self.side.pop();
        }
        !self.side.is_empty()
    }

    fn strike<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        let others = world.others(&self.side);
        world.each_way(&self.side, &others, |world, from, to| world.cut(from, to));
        Ok(Lasts::ForUs(self.for_us))
    }

    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) {
        let others = world.others(&self.side);
        let mend = |world: &mut World<'_, '_, S>, from, to| world.network.mend(from, to);
        world.each_way(&self.side, &others, mend);
    }

    fn command(&self) -> Option<String> {
        let (side, span) = (nodes_words(&self.side), time_words(self.for_us));
        Some(format!("cut {side} for={span}"))
    }
}

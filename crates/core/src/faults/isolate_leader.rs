//! A leader is cut off.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, NodeList, Parts, fit_list};
use crate::engine::World;
use crate::ids::{NodeId, node_list};
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;

/// Nothing gets through between whoever leads then and all others, either way. Clients still
/// reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsolateLeader {
    /// How long, in microseconds.
    pub for_us: u64,
    /// These nodes still hear it, and all others too: a partial partition (Alfatafta et al.,
    /// "Toward a generic fault tolerance technique for partial network partitioning", OSDI 2020).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bridges: Vec<NodeId>,
}

impl Definition for IsolateLeader {
    fn about(_: FaultKind) -> &'static str {
        "nothing gets through between whoever leads then and all other nodes, or all but a few, while clients still reach it"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::IsolateLeader
    }

    fn words(&self) -> String {
        let span = seconds(self.for_us);
        let but = match self.bridges.is_empty() {
            true => String::new(),
            false => format!(" but {}", node_list(&self.bridges)),
        };
        format!("whoever leads cut off from all others{but}, both ways, for {span}")
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            lasts_us: Some(&mut self.for_us),
            lists: vec![NodeList::any(&mut self.bridges)],
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
        if !self.bridges.is_empty() {
            limits.nodes("bridges", &self.bridges)?;
        }
        limits.time("for_us", self.for_us)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, plan: &Plan, drawn: Drawn) -> Self {
        let bridges = match draw.seldom(draw.profile.bridge_percent) {
            true => draw.bridges(plan),
            false => Vec::new(),
        };
        Self {
            for_us: drawn.for_us,
            bridges,
        }
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn fit(&mut self, plan: &Plan) -> bool {
        fit_list(&mut self.bridges, plan.cluster.nodes());
        true
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        _: u64,
        number: usize,
    ) -> Verdict<Lasts> {
        if let Some(leader) = world.apparent_leader() {
            world.isolated.push((number, leader));
            let others = world.others(&self.bridges);
            world.each_way(&[leader], &others, |world, from, to| world.cut(from, to));
        }
        Ok(Lasts::ForUs(self.for_us))
    }

    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, number: usize) {
        let mut strikes = world.isolated.iter();
        if let Some(place) = strikes.position(|(fault, _)| *fault == number) {
            let (_, leader) = world.isolated.swap_remove(place);
            let others = world.others(&self.bridges);
            let mend = |world: &mut World<'_, '_, S>, from, to| world.network.mend(from, to);
            world.each_way(&[leader], &others, mend);
        }
    }
}

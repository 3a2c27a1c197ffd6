//! Messages are lost, duplicated, reordered or late more often.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{
    Cost, Definition, Drawn, Lasts, Lease, Limits, NodeList, Parts, fit_links,
};
use crate::counters::Counter;
use crate::engine::World;
use crate::ids::{NodeId, node_list};
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan, rates_are_legal};
use crate::replica::Subject;
use crate::text::seconds;
use squall_world::network::LinkDegradation;

/// Messages from these nodes to those are lost, duplicated, reordered or late more often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// From any of these,
    pub from: Vec<NodeId>,
    /// to any of those.
    pub to: Vec<NodeId>,
    /// How often.
    pub trouble: LinkDegradation,
    /// How long, in microseconds.
    pub for_us: u64,
}

impl Definition for Trouble {
    fn about(_: FaultKind) -> &'static str {
        "for a while, messages on some links are lost, duplicated, reordered or very late"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Trouble
    }

    fn words(&self) -> String {
        let (from, to) = (node_list(&self.from), node_list(&self.to));
        let (worse, span) = (worse(&self.trouble), seconds(self.for_us));
        format!("from {from} to {to} {worse} for {span}")
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            lasts_us: Some(&mut self.for_us),
            lists: vec![NodeList::some(&mut self.from), NodeList::some(&mut self.to)],
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
        limits.links(&self.from, &self.to)?;
        limits.time("for_us", self.for_us)?;
        rates_are_legal("trouble", &self.trouble)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, plan: &Plan, drawn: Drawn) -> Self {
        let (from, to) = draw.links(plan);
        let mut ppm = || match draw.choices.below(3) {
            0 => 0,
            1 => draw.choices.skewed(1_000, 600_000) as u32,
            _ => draw.choices.between(1_000, 600_000) as u32,
        };
        let trouble = LinkDegradation {
            loss_ppm: ppm(),
            duplicate_ppm: ppm(),
            reorder_ppm: ppm(),
            tail_ppm: ppm(),
            tail_max_us: 10 * drawn.election_us,
        };
        Self {
            from,
            to,
            trouble,
            for_us: drawn.for_us,
        }
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn fit(&mut self, plan: &Plan) -> bool {
        fit_links(&mut self.from, &mut self.to, plan)
    }

    fn cost(&self) -> Cost {
        Cost {
            tail_us: self.trouble.tail_max_us,
            on_links: true,
            ..Cost::default()
        }
    }

    fn simpler(&self) -> Vec<Self> {
        let milder = milder(&self.trouble).into_iter();
        milder
            .map(|trouble| Self {
                trouble,
                ..self.clone()
            })
            .collect()
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        _: u64,
        number: usize,
    ) -> Verdict<Lasts> {
        let mut links = Vec::new();
        world.each_link(&self.from, &self.to, |_, from, to| links.push((from, to)));
        world.network.trouble(number as u64, links, self.trouble);
        world.counters.hit(Counter::NetworkTrouble);
        Ok(Lasts::ForUs(self.for_us))
    }

    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, number: usize) {
        world.network.end_trouble(number as u64);
    }
}

/// What trouble adds, in words.
fn worse(trouble: &LinkDegradation) -> String {
    let late = format!("late by up to {}", seconds(trouble.tail_max_us));
    let parts: Vec<String> = [
        (trouble.loss_ppm, "lost"),
        (trouble.duplicate_ppm, "duplicated"),
        (trouble.reorder_ppm, "reordered"),
        (trouble.tail_ppm, late.as_str()),
    ]
    .iter()
    .filter(|(ppm, _)| *ppm > 0)
    .map(|(ppm, what)| format!("{}.{} % more are {what}", ppm / 10_000, ppm / 1_000 % 10))
    .collect();
    match parts.is_empty() {
        true => "nothing gets worse".to_owned(),
        false => parts.join(", "),
    }
}

/// Trouble without one of its parts.
fn milder(trouble: &LinkDegradation) -> Vec<LinkDegradation> {
    let without = [
        LinkDegradation {
            loss_ppm: 0,
            ..*trouble
        },
        LinkDegradation {
            duplicate_ppm: 0,
            ..*trouble
        },
        LinkDegradation {
            reorder_ppm: 0,
            ..*trouble
        },
        LinkDegradation {
            tail_ppm: 0,
            tail_max_us: 0,
            ..*trouble
        },
    ];
    without.into_iter().filter(|less| less != trouble).collect()
}

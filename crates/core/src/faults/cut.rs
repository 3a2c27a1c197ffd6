//! Nothing gets through one way.

use serde::{Deserialize, Serialize};

use super::definition::{Definition, Drawn, Lasts, Lease, Limits, NodeList, Parts, fit_links};
use super::story::{Command, Stage, Words, Wrong, nodes_words, time_words};
use super::{FaultKind, Split};
use crate::engine::World;
use crate::ids::{NodeId, node_list};
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;

/// Nothing gets through from these nodes to those.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// From any of these,
    pub from: Vec<NodeId>,
    /// to any of those.
    pub to: Vec<NodeId>,
    /// How long, in microseconds.
    pub for_us: u64,
}

impl Definition for Cut {
    fn about(_: FaultKind) -> &'static str {
        "nothing gets through from some nodes to others, one way"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Cut
    }

    fn words(&self) -> String {
        let (from, to) = (node_list(&self.from), node_list(&self.to));
        format!(
            "nothing gets from {from} to {to} for {}",
            seconds(self.for_us)
        )
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
            is_prompt: true,
            keeps_in_touch: false,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.links(&self.from, &self.to)?;
        limits.time("for_us", self.for_us)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, plan: &Plan, drawn: Drawn) -> Self {
        let (from, to) = draw.links(plan);
        Self {
            from,
            to,
            for_us: drawn.for_us,
        }
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn fit(&mut self, plan: &Plan) -> bool {
        fit_links(&mut self.from, &mut self.to, plan)
    }

    fn strike<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        world.each_link(&self.from, &self.to, |world, from, to| world.cut(from, to));
        Ok(Lasts::ForUs(self.for_us))
    }

    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) {
        let mend = |world: &mut World<'_, '_, S>, from, to| world.network.mend(from, to);
        world.each_link(&self.from, &self.to, mend);
    }

    fn commands() -> &'static [Command] {
        &[
            Command {
                name: "cut",
                usage: "cut NODES -> NODES [for=TIME] | cut NODES <-> NODES [for=TIME] | cut NODES [for=TIME]",
                about: "nothing gets through, one way, both ways, or between these nodes and all others; e.g. cut n1,n2 -> n3",
                act: cut,
            },
            Command {
                name: "mend",
                usage: "mend",
                about: "all cuts are over",
                act: mend,
            },
        ]
    }

    fn command(&self) -> Option<String> {
        let (from, to) = (nodes_words(&self.from), nodes_words(&self.to));
        let span = time_words(self.for_us);
        Some(format!("cut {from} -> {to} for={span}"))
    }
}

fn cut(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let side = words.nodes()?;
    let mut for_us = words.time_option("for")?;
    let arrow = match for_us {
        Some(_) => None,
        None => words.next_word(),
    };
    let cut = |from: &[NodeId], to: &[NodeId]| Cut {
        from: from.to_vec(),
        to: to.to_vec(),
        for_us: 0,
    };
    match arrow {
        None => stage.begins(for_us, Split { side, for_us: 0 }.into()),
        Some(arrow @ ("->" | "<->")) => {
            let others = words.nodes()?;
            for_us = words.time_option("for")?;
            stage.begins(for_us, cut(&side, &others).into());
            if arrow == "<->" {
                stage.begins(for_us, cut(&others, &side).into());
            }
        }
        Some(word) => return Err(format!("\"{word}\" stands where -> or <-> should")),
    }
    Ok(())
}

fn mend(stage: &mut dyn Stage, _: &mut Words<'_>) -> Result<(), Wrong> {
    stage.end_some(
        |what| matches!(what, super::What::Cut(_) | super::What::Split(_)),
        || "nothing is cut".to_owned(),
    )
}

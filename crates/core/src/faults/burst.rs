//! Messages are held back and arrive at once.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, NodeList, Parts, fit_links};
use super::story::{Command, Stage, Words, Wrong, needed_time, nodes_words, time_words};
use crate::counters::Counter;
use crate::engine::World;
use crate::ids::{NodeId, node_list};
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;

/// Messages from these nodes to those are held back, and then arrive all at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// From any of these,
    pub from: Vec<NodeId>,
    /// to any of those.
    pub to: Vec<NodeId>,
    /// How long they are held, in microseconds.
    pub for_us: u64,
}

impl Definition for Burst {
    fn about(_: FaultKind) -> &'static str {
        "messages on some links are held back, then arrive all at once"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Burst
    }

    fn words(&self) -> String {
        let (from, to) = (node_list(&self.from), node_list(&self.to));
        let span = seconds(self.for_us);
        format!("messages from {from} to {to} are held for {span} and arrive at once")
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

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        _: usize,
    ) -> Verdict<Lasts> {
        // The network has the time at which it lets go.
        let until_us = now_us + self.for_us;
        world.each_link(&self.from, &self.to, |world, from, to| {
            world.counters.hit(Counter::LinkHeldBack);
            world.network.stall(from, to, until_us);
        });
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "hold",
            usage: "hold NODES -> NODES for=TIME",
            about: "messages are held back, and arrive all at once",
            act: hold,
        }]
    }

    fn command(&self) -> Option<String> {
        let (from, to) = (nodes_words(&self.from), nodes_words(&self.to));
        let span = time_words(self.for_us);
        Some(format!("hold {from} -> {to} for={span}"))
    }
}

fn hold(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let from = words.nodes()?;
    match words.word("->")? {
        "->" => {}
        word => return Err(format!("\"{word}\" stands where -> should")),
    }
    let to = words.nodes()?;
    let for_us = needed_time(words, "for")?;
    stage.strikes(Burst { from, to, for_us }.into());
    Ok(())
}

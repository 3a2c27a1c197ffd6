//! A node's clock jumps.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::smaller::smaller;
use super::story::{Command, Stage, Words, Wrong, time_us, time_words};
use crate::counters::Counter;
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;

/// The node's clock jumps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jump {
    /// Which node.
    pub node: NodeId,
    /// How far, in microseconds; backwards if negative.
    pub by_us: i64,
}

impl Definition for Jump {
    fn about(_: FaultKind) -> &'static str {
        "a node's clock jumps, forwards or backwards"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Jump
    }

    fn words(&self) -> String {
        let direction = if self.by_us < 0 { "back" } else { "forward" };
        let by = seconds(self.by_us.unsigned_abs());
        format!("the clock of {} jumps {direction} by {by}", self.node)
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
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
        limits.time("by_us", self.by_us.unsigned_abs())
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        let by_us = draw.choices.skewed(1, 4 * drawn.election_us) as i64;
        let back = draw.choices.below(2) == 0;
        Self {
            node: drawn.node,
            by_us: if back { -by_us } else { by_us },
        }
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        _: usize,
    ) -> Verdict<Lasts> {
        let slot = &mut world.slots[self.node.position()];
        slot.clock.jump(now_us, self.by_us);
        world.counters.hit(Counter::ClockJumped);
        world.set_timer(self.node);
        Ok(Lasts::NoLonger)
    }

    fn simpler(&self) -> Vec<Self> {
        let shorter = smaller(self.by_us.unsigned_abs(), 0).into_iter();
        shorter
            .map(|less| Self {
                by_us: self.by_us.signum() * less as i64,
                ..self.clone()
            })
            .collect()
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "jump",
            usage: "jump NODE +TIME|-TIME",
            about: "the node's clock jumps",
            act: jump,
        }]
    }

    fn command(&self) -> Option<String> {
        let sign = if self.by_us < 0 { '-' } else { '+' };
        let by = time_words(self.by_us.unsigned_abs());
        Some(format!("jump {} {sign}{by}", self.node))
    }
}

fn jump(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let word = words.word("a time")?;
    let (sign, time) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
        (Some(time), _) => (1, time),
        (_, Some(time)) => (-1, time),
        _ => return Err(format!("\"{word}\" has no sign")),
    };
    let by_us = sign * i64::try_from(time_us(time)?).map_err(|_| "that is too far".to_owned())?;
    stage.strikes(Jump { node, by_us }.into());
    Ok(())
}

//! A node's clock runs fast or slow.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Cost, Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::smaller::smaller;
use super::story::{Command, Stage, Words, Wrong, time_words};
use crate::counters::Counter;
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan, drift_is_legal};
use crate::replica::Subject;
use crate::text::seconds;

/// The node's clock runs at another speed for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Which node.
    pub node: NodeId,
    /// Microseconds it gains a second; loses, if negative.
    pub ppm: i32,
    /// How long, in microseconds.
    pub for_us: u64,
}

impl Definition for Drift {
    fn about(_: FaultKind) -> &'static str {
        "a node's clock runs fast or slow for a while"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Drift
    }

    fn words(&self) -> String {
        let how = if self.ppm < 0 { "slow" } else { "fast" };
        let (ppm, span) = (self.ppm.unsigned_abs(), seconds(self.for_us));
        format!("the clock of {} runs {ppm} ppm {how} for {span}", self.node)
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
            keeps_time: false,
            is_prompt: false,
            keeps_in_touch: false,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.node(self.node)?;
        drift_is_legal(&limits.field("ppm"), self.ppm)?;
        limits.time("for_us", self.for_us)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        let ppm = draw.choices.skewed(1_000, 500_000) as i32;
        let slow = draw.choices.below(2) == 0;
        Self {
            node: drawn.node,
            ppm: if slow { -ppm } else { ppm },
            for_us: drawn.for_us,
        }
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        _: usize,
    ) -> Verdict<Lasts> {
        let slot = &mut world.slots[self.node.position()];
        slot.clock.set_drift(now_us, self.ppm);
        world.counters.hit(Counter::ClockDrifted);
        world.set_timer(self.node);
        Ok(Lasts::ForUs(self.for_us))
    }

    fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, now_us: u64, _: usize) {
        let slot = &mut world.slots[self.node.position()];
        slot.clock.set_drift(now_us, slot.drift_ppm);
        world.set_timer(self.node);
    }

    fn cost(&self) -> Cost {
        Cost {
            drift_ppm: self.ppm,
            ..Cost::default()
        }
    }

    fn simpler(&self) -> Vec<Self> {
        let slighter = smaller(self.ppm.unsigned_abs().into(), 0).into_iter();
        slighter
            .map(|less| Self {
                ppm: self.ppm.signum() * less as i32,
                ..self.clone()
            })
            .collect()
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "drift",
            usage: "drift NODE PPM for=TIME",
            about: "the node's clock gains so many microseconds a second, or loses them",
            act: drift,
        }]
    }

    fn command(&self) -> Option<String> {
        let span = time_words(self.for_us);
        Some(format!("drift {} {} for={span}", self.node, self.ppm))
    }
}

fn drift(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let drift = Drift {
        node: words.node()?,
        ppm: words.number("number of ppm")?,
        for_us: 0,
    };
    stage.begins(words.time_option("for")?, drift.into());
    Ok(())
}

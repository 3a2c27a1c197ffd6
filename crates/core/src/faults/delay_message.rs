//! A message is late.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong, needed_time};
use crate::engine::World;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;
use squall_world::network::MessageFault;

/// The message that triggers this fault is late, and later ones arrive before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelayMessage {
    /// How late, in microseconds.
    pub by_us: u64,
}

impl Definition for DelayMessage {
    fn about(_: FaultKind) -> &'static str {
        "the nth message of a kind on a link is late and reordered"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::DelayMessage
    }

    fn words(&self) -> String {
        format!("it is {} late", seconds(self.by_us))
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            spans_us: vec![&mut self.by_us],
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
        limits.time("what", self.by_us)?;
        limits.on_message()
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        Self {
            by_us: draw.lateness(drawn.election_us),
        }
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn on_message(&self) -> Option<MessageFault> {
        Some(MessageFault::Delay { by_us: self.by_us })
    }

    fn strike<S: Subject>(&self, _: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        // The network has done it as the message was sent.
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "delay",
            usage: "delay KIND NODE -> NODE by=TIME",
            about: "the next message of that kind on that link is late, and later ones arrive before it",
            act: delay,
        }]
    }
}

fn delay(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let kind = words.kind()?;
    let link = words.link()?;
    let by_us = needed_time(words, "by")?;
    stage.next_message(link, kind, DelayMessage { by_us }.into())
}

//! A message arrives twice.

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

/// The message that triggers this fault arrives a second time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateMessage {
    /// How much later, in microseconds.
    pub after_us: u64,
}

impl Definition for DuplicateMessage {
    fn about(_: FaultKind) -> &'static str {
        "the nth message of a kind on a link arrives twice"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::DuplicateMessage
    }

    fn words(&self) -> String {
        format!("it arrives again {} later", seconds(self.after_us))
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            spans_us: vec![&mut self.after_us],
            ..Parts::default()
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: true,
            is_prompt: false,
            keeps_in_touch: true,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.time("what", self.after_us)?;
        limits.on_message()
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        Self {
            after_us: draw.lateness(drawn.election_us),
        }
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn on_message(&self) -> Option<MessageFault> {
        Some(MessageFault::Duplicate {
            after_us: self.after_us,
        })
    }

    fn strike<S: Subject>(&self, _: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        // The network has done it as the message was sent.
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "duplicate",
            usage: "duplicate KIND NODE -> NODE after=TIME",
            about: "the next message of that kind on that link arrives a second time",
            act: duplicate,
        }]
    }
}

fn duplicate(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let kind = words.kind()?;
    let link = words.link()?;
    let after_us = needed_time(words, "after")?;
    stage.next_message(link, kind, DuplicateMessage { after_us }.into())
}

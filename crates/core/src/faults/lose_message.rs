//! A message is lost.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong};
use crate::engine::World;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use squall_world::network::MessageFault;

/// The message that triggers this fault is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoseMessage {}

impl Definition for LoseMessage {
    fn about(_: FaultKind) -> &'static str {
        "the nth message of a kind on a link is lost"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::LoseMessage
    }

    fn words(&self) -> String {
        "it is lost".to_owned()
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts::default()
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: true,
            is_prompt: true,
            keeps_in_touch: false,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.on_message()
    }

    fn draw(_: FaultKind, _: &mut Draw<'_>, _: &Plan, _: Drawn) -> Self {
        Self {}
    }

    fn needs_peers(_: FaultKind) -> bool {
        true
    }

    fn on_message(&self) -> Option<MessageFault> {
        Some(MessageFault::Lose)
    }

    fn strike<S: Subject>(&self, _: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        // The network has done it as the message was sent.
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "lose",
            usage: "lose KIND NODE -> NODE, e.g. lose vote-reply n1 -> n2",
            about: "the next message of that kind on that link is lost",
            act: lose,
        }]
    }
}

fn lose(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let kind = words.kind()?;
    let link = words.link()?;
    stage.next_message(link, kind, LoseMessage {}.into())
}

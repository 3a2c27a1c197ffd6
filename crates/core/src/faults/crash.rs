//! A node loses power.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong, time_words};
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::text::seconds;
use squall_world::journal_disk::Loss;

/// The node loses power and all that is not durable, and starts again later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Which node.
    pub node: NodeId,
    /// What becomes of its unsynced writes.
    pub loss: LossMode,
    /// How long it stays down, in microseconds.
    pub down_us: u64,
}

/// What a crash does to writes that no completed sync covers: [`Loss`], as plans write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossMode {
    /// All are lost.
    LoseAll,
    /// The oldest few are kept.
    KeepPrefix,
    /// Any may be kept.
    KeepSubset,
    /// The oldest few are kept, and the next is half written.
    Tear,
}

impl LossMode {
    /// All modes.
    pub const ALL: [LossMode; 4] = [
        LossMode::LoseAll,
        LossMode::KeepPrefix,
        LossMode::KeepSubset,
        LossMode::Tear,
    ];
}

impl From<LossMode> for Loss {
    fn from(mode: LossMode) -> Self {
        match mode {
            LossMode::LoseAll => Loss::All,
            LossMode::KeepPrefix => Loss::Prefix,
            LossMode::KeepSubset => Loss::Subset,
            LossMode::Tear => Loss::Tear,
        }
    }
}

impl LossMode {
    /// The word that commands of stories have for it.
    fn word(self) -> &'static str {
        match self {
            LossMode::LoseAll => "lose-all",
            LossMode::KeepPrefix => "keep-prefix",
            LossMode::KeepSubset => "keep-subset",
            LossMode::Tear => "tear",
        }
    }
}

impl fmt::Display for LossMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LossMode::LoseAll => "loses all unsynced writes",
            LossMode::KeepPrefix => "keeps the oldest few of its unsynced writes",
            LossMode::KeepSubset => "keeps some of its unsynced writes, each journal for itself",
            LossMode::Tear => "keeps the oldest few of its unsynced writes and tears the next",
        })
    }
}

impl Definition for Crash {
    fn about(_: FaultKind) -> &'static str {
        "a node loses power: unsynced writes are all lost, or a prefix, a subset or a torn record survives; it restarts later"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Crash
    }

    fn words(&self) -> String {
        let Self {
            node,
            loss,
            down_us,
        } = self;
        format!(
            "{node} crashes, {loss}, and restarts {} later",
            seconds(*down_us)
        )
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            lasts_us: Some(&mut self.down_us),
            nodes: vec![&mut self.node],
            ..Parts::default()
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            keeps_time: true,
            is_prompt: true,
            keeps_in_touch: true,
        }
    }

    fn validate(&self, limits: &Limits<'_>) -> Result<(), Impossible> {
        limits.node(self.node)?;
        limits.time("down_us", self.down_us)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, drawn: Drawn) -> Self {
        Self {
            node: drawn.node,
            loss: *draw.choices.pick(&LossMode::ALL),
            down_us: draw.span(drawn.tick_us, drawn.election_us),
        }
    }

    fn at_syncs_of(&self) -> Option<NodeId> {
        Some(self.node)
    }

    fn at_overwrites(&self) -> bool {
        true
    }

    fn simpler(&self) -> Vec<Self> {
        match self.loss {
            LossMode::LoseAll => Vec::new(),
            _ => vec![Self {
                loss: LossMode::LoseAll,
                ..self.clone()
            }],
        }
    }

    fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        _: usize,
    ) -> Verdict<Lasts> {
        // A boot ends it.
        world.crash(now_us, self.node, self.loss.into(), Some(self.down_us));
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[
            Command {
                name: "crash",
                usage: "crash NODE [lose-all|keep-prefix|keep-subset|tear] [for=TIME]",
                about: "the node loses power, and its disk all that is not synced (or less); it starts after that time, or with start",
                act: crash,
            },
            Command {
                name: "start",
                usage: "start NODE",
                about: "a crashed node starts on what its disk kept",
                act: start,
            },
        ]
    }

    fn command(&self) -> Option<String> {
        let (node, loss) = (self.node, self.loss.word());
        Some(format!(
            "crash {node} {loss} for={}",
            time_words(self.down_us)
        ))
    }
}

fn crash(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let mut for_us = words.time_option("for")?;
    let mut loss = LossMode::LoseAll;
    if for_us.is_none()
        && let Some(word) = words.next_word()
    {
        let named = LossMode::ALL.into_iter().find(|mode| mode.word() == word);
        loss = named.ok_or_else(|| format!("\"{word}\" is no way to lose writes"))?;
    }
    for_us = for_us.or(words.time_option("for")?);
    let down_us = 0;
    stage.begins(
        for_us,
        Crash {
            node,
            loss,
            down_us,
        }
        .into(),
    );
    Ok(())
}

fn start(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let whose = words.node()?;
    stage.end_some(
        |what| matches!(what, super::What::Crash(Crash { node, .. }) if *node == whose),
        || format!("{whose} has not crashed"),
    )
}

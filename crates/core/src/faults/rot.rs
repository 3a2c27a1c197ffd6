//! A durable record rots.

use serde::{Deserialize, Serialize};

use super::definition::{Definition, Drawn, Lasts, Lease, Limits, Parts};
use super::story::{Command, Stage, Words, Wrong};
use super::{Fault, FaultKind};
use crate::counters::Counter;
use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use crate::storage::Journal;

/// A durable record on the node's disk rots. The node cannot start from it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rot {
    /// Which node.
    pub node: NodeId,
    /// In which of its journals.
    pub journal: JournalName,
}

/// One of a node's journals: [`Journal`], as plans write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JournalName {
    /// Hard states.
    HardState,
    /// Entries.
    Log,
    /// Snapshots.
    Snapshot,
}

impl From<JournalName> for Journal {
    fn from(name: JournalName) -> Self {
        match name {
            JournalName::HardState => Journal::HardState,
            JournalName::Log => Journal::Log,
            JournalName::Snapshot => Journal::Snapshot,
        }
    }
}

impl JournalName {
    /// All journals.
    pub const ALL: [JournalName; 3] = [
        JournalName::HardState,
        JournalName::Log,
        JournalName::Snapshot,
    ];

    /// The word that commands of stories have for it.
    fn word(self) -> &'static str {
        match self {
            JournalName::HardState => "hard-state",
            JournalName::Log => "log",
            JournalName::Snapshot => "snapshot",
        }
    }
}

impl Definition for Rot {
    fn about(_: FaultKind) -> &'static str {
        "a durable record no longer matches its checksum at the next boot: the node is gone (on a minority only)"
    }

    fn kind(&self) -> FaultKind {
        FaultKind::Rot
    }

    fn words(&self) -> String {
        let journal = Journal::from(self.journal);
        format!("a record of {}'s {journal} journal rots", self.node)
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
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
        limits.node(self.node)
    }

    fn draw(_: FaultKind, draw: &mut Draw<'_>, _: &Plan, _: Drawn) -> Self {
        Self::of_some_node(draw)
    }

    // Only those that the heal does not need may rot, and there may be none.
    fn draw_some(
        _: FaultKind,
        count: u64,
        draw: &mut Draw<'_>,
        plan: &Plan,
        so_far: &mut Vec<Fault>,
    ) {
        for _ in 0..count {
            if !draw.may_rot.is_empty() {
                let rot = Self::of_some_node(draw);
                draw.add(rot.into(), plan, so_far);
            }
        }
    }

    fn is_free(&self) -> bool {
        false
    }

    fn takes_for_good(&self) -> Option<NodeId> {
        Some(self.node)
    }

    // Those who join have no disk that a majority counts on.
    fn fit(&mut self, plan: &Plan) -> bool {
        self.node.0 = (self.node.0 - 1) % plan.cluster.voters + 1;
        true
    }

    fn strike<S: Subject>(&self, world: &mut World<'_, '_, S>, _: u64, _: usize) -> Verdict<Lasts> {
        world.disks[self.node.position()].rot(Journal::from(self.journal) as usize);
        world.counters.hit(Counter::RecordRotted);
        Ok(Lasts::NoLonger)
    }

    fn commands() -> &'static [Command] {
        &[Command {
            name: "rot",
            usage: "rot NODE hard-state|log|snapshot",
            about: "a durable record in that journal of the node is damaged",
            act: rot,
        }]
    }

    fn command(&self) -> Option<String> {
        Some(format!("rot {} {}", self.node, self.journal.word()))
    }
}

impl Rot {
    fn of_some_node(draw: &mut Draw<'_>) -> Self {
        Self {
            node: *draw.choices.pick(&draw.may_rot),
            journal: *draw.choices.pick(&JournalName::ALL),
        }
    }
}

fn rot(stage: &mut dyn Stage, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let word = words.word("a journal")?;
    let named = JournalName::ALL
        .into_iter()
        .find(|name| name.word() == word);
    let journal = named.ok_or_else(|| format!("\"{word}\" is no journal"))?;
    stage.strikes(Rot { node, journal }.into());
    Ok(())
}

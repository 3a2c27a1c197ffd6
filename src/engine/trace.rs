//! What happens in a run, in words. No line is made unless someone reads it.

use std::fmt;

use crate::replica::Observation;
use crate::stable::Record;
use crate::types::{NodeId, seconds};

/// One event in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in simulated microseconds.
    pub time_us: u64,
    /// In or after which step.
    pub step: u64,
    /// At which node, if at one.
    pub node: Option<NodeId>,
    /// How much it matters.
    pub weight: Weight,
    /// What happened.
    pub text: String,
}

/// How much a line matters to someone who reads a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Goes on all the time: ticks, heartbeats, syncs.
    Routine,
    /// Changes something, or may.
    Notable,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node.map_or(String::new(), |node| node.to_string());
        write!(
            f,
            "{:>14}  step {:<7} {:3} {}",
            seconds(self.time_us),
            self.step,
            node,
            self.text
        )
    }
}

pub(super) fn observation(seen: &Observation) -> String {
    match seen {
        Observation::Started {
            term,
            vote,
            last,
            commit,
            applied,
            ..
        } => {
            let vote = vote.map_or(String::new(), |vote| format!(", vote {vote}"));
            format!(
                "starts with term {term}{vote}, log to {last}, commit {commit}, applied {applied}"
            )
        }
        Observation::Role { role, term } => format!("is {role} in term {term}"),
        Observation::Committed { index } => format!("knows {index} committed"),
        Observation::Applied { index, .. } => format!("applies {index}"),
        Observation::Installed { index, .. } => format!("installs the snapshot at {index}"),
        Observation::SnapshotTaken { index } => format!("takes a snapshot at {index}"),
        Observation::Configured {
            index,
            configuration,
        } => format!("goes by {configuration} from entry {index} on"),
        Observation::ReadConfirmed { index } => format!("may serve a read from {index} on"),
        Observation::Transfer { to: Some(to) } => format!("hands leadership over to {to}"),
        Observation::Transfer { to: None } => "hands leadership over no longer".to_owned(),
        Observation::Did(doing) => format!("did: {doing:?}"),
    }
}

pub(super) fn record(written: &Record) -> String {
    match written {
        Record::HardState(hard) => {
            let vote = hard.vote.map_or("none".to_owned(), |vote| vote.to_string());
            format!("writes term {}, vote {vote}", hard.term)
        }
        Record::Commit { index } => format!("writes commit {index}"),
        Record::Entry { index, entry } => {
            format!(
                "writes entry {index} of term {} ({} bytes)",
                entry.term,
                entry.data.len()
            )
        }
        Record::LogReset { next } => format!("empties its log, to go on at {next}"),
        Record::LogCompact { through } => format!("compacts its log through {through}"),
        Record::Snapshot(snapshot) => {
            format!(
                "writes a snapshot at {} of term {}",
                snapshot.index, snapshot.term
            )
        }
    }
}

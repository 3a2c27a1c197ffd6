//! Faults in words, for people who read a failure.

use std::fmt;

use super::{Fault, LossMode, What, When};
use crate::ids::node_list;
use crate::text::seconds;
use squall_world::network::LinkDegradation;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.when, self.what)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::AtUs(at_us) => write!(f, "at {}", seconds(*at_us)),
            When::Sync { node, nth } => write!(f, "at {node}'s sync no. {nth}"),
            When::Overwrite { node, nth } => {
                write!(
                    f,
                    "at {node}'s sync no. {nth} of those that overwrite entries"
                )
            }
            When::Milestone {
                node,
                milestone,
                nth,
            } => write!(f, "at {node}'s {} no. {nth}", milestone.words()),
            When::Message {
                from,
                to,
                kind,
                nth,
            } => {
                write!(f, "at {} no. {nth} from {from} to {to}", kind.words())
            }
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

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |us: &u64| seconds(*us);
        match self {
            What::Crash {
                node,
                loss,
                down_us,
            } => {
                write!(
                    f,
                    "{node} crashes, {loss}, and restarts {} later",
                    span(down_us)
                )
            }
            What::Pause { node, for_us } => write!(f, "{node} stands still for {}", span(for_us)),
            What::Cut { from, to, for_us } => write!(
                f,
                "nothing gets from {} to {} for {}",
                node_list(from),
                node_list(to),
                span(for_us)
            ),
            What::Split { side, for_us } => write!(
                f,
                "{} cut off from all others, both ways, for {}",
                node_list(side),
                span(for_us)
            ),
            What::IsolateLeader { for_us, bridges } if bridges.is_empty() => write!(
                f,
                "whoever leads cut off from all others, both ways, for {}",
                span(for_us)
            ),
            What::IsolateLeader { for_us, bridges } => write!(
                f,
                "whoever leads cut off from all others but {}, both ways, for {}",
                node_list(bridges),
                span(for_us)
            ),
            What::Trouble {
                from,
                to,
                trouble,
                for_us,
            } => write!(
                f,
                "from {} to {} {} for {}",
                node_list(from),
                node_list(to),
                worse(trouble),
                span(for_us)
            ),
            What::Burst { from, to, for_us } => write!(
                f,
                "messages from {} to {} are held for {} and arrive at once",
                node_list(from),
                node_list(to),
                span(for_us)
            ),
            What::SlowNode {
                node,
                extra_us,
                for_us,
            } => write!(
                f,
                "messages to and from {node} take {} longer for {}",
                span(extra_us),
                span(for_us)
            ),
            What::LoseMessage => write!(f, "it is lost"),
            What::DuplicateMessage { after_us } => {
                write!(f, "it arrives again {} later", span(after_us))
            }
            What::DelayMessage { by_us } => write!(f, "it is {} late", span(by_us)),
            What::SlowDisk {
                node,
                sync_us,
                for_us,
            } => write!(
                f,
                "syncs of {node} take {} for {}",
                span(sync_us),
                span(for_us)
            ),
            What::FailSync { node } => write!(f, "a sync of {node} fails"),
            What::FullDisk { node, for_us } => {
                write!(f, "the disk of {node} is full for {}", span(for_us))
            }
            What::Rot { node, journal } => {
                let journal = crate::storage::Journal::from(*journal);
                write!(f, "a record of {node}'s {journal} journal rots")
            }
            What::Jump { node, by_us } => {
                let direction = if *by_us < 0 { "back" } else { "forward" };
                let by = seconds(by_us.unsigned_abs());
                write!(f, "the clock of {node} jumps {direction} by {by}")
            }
            What::Drift { node, ppm, for_us } => write!(
                f,
                "the clock of {node} runs {} ppm {} for {}",
                ppm.unsigned_abs(),
                if *ppm < 0 { "slow" } else { "fast" },
                span(for_us)
            ),
            What::Change {
                change,
                retries,
                stop_removed,
            } => {
                write!(f, "an operator asks for {change}")?;
                if *retries > 0 {
                    write!(f, ", up to {} times", retries + 1)?;
                }
                match *stop_removed {
                    true => write!(f, "; who leaves is stopped"),
                    false => Ok(()),
                }
            }
            What::Ask { node, admin } => match node {
                Some(node) => write!(f, "an operator asks {node} {admin}"),
                None => write!(f, "an operator asks the leader {admin}"),
            },
        }
    }
}

/// What trouble adds, in words.
fn worse(trouble: &LinkDegradation) -> String {
    let late = format!("late by up to {}", seconds(trouble.tail_max_us));
    let parts: Vec<String> = [
        (trouble.loss_ppm, "lost"),
        (trouble.duplicate_ppm, "doubled"),
        (trouble.reorder_ppm, "overtaken"),
        (trouble.tail_ppm, late.as_str()),
    ]
    .iter()
    .filter(|(ppm, _)| *ppm > 0)
    .map(|(ppm, what)| format!("{}.{} % more are {what}", ppm / 10_000, ppm / 1_000 % 10))
    .collect();
    match parts.is_empty() {
        true => "nothing gets worse".to_owned(),
        false => parts.join(", "),
    }
}

//! How logs may come to differ where they must not.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::ids::{Index, NodeId, Term};

/// How log matching was broken, by a node that writes or acknowledges an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum LogMatching {
    /// It wrote an entry behind another log than the one that was written with that index and term
    /// before.
    Differs {
        /// The entry.
        index: Index,
        /// Its term.
        term: Term,
        /// Who wrote it first.
        other: NodeId,
    },
    /// It wrote an entry that leaves a hole in its log.
    Hole {
        /// The entry.
        index: Index,
        /// Where its log ended.
        last: Index,
    },
    /// It acknowledged to the leader of a term what that leader does not have.
    NotTheLeaders {
        /// The entry.
        index: Index,
        /// The leader.
        to: NodeId,
        /// The term.
        term: Term,
        /// Where the leader's log ends, if that is before the entry; none when there is another
        /// entry.
        ends_at: Option<Index>,
    },
}

impl Rule for LogMatching {
    const ABOUT: &'static str = "two entries with the same index and term have the same log up to them, and a log has no hole";
    const SOURCE: &'static str = "Raft paper, figure 3 and section 5.3; TLA+ `LogMatching`";
}

impl Way for LogMatching {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Differs { index, term, other } => write!(
                f,
                "{who} wrote entry {index} of term {term}, but its log up to it differs from the one {other} wrote with that index and term"
            ),
            Self::Hole { index, last } => write!(
                f,
                "{who} wrote entry {index} though its log ends at {last}: that leaves a hole"
            ),
            Self::NotTheLeaders {
                index,
                to,
                term,
                ends_at,
            } => {
                write!(
                    f,
                    "{who} acknowledged entry {index} to {to}, the leader of term {term}, whose log "
                )?;
                match ends_at {
                    Some(last) => write!(f, "ends at {last}"),
                    None => f.write_str("differs from its own there"),
                }
            }
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::Differs { .. } => "Raft paper, figure 3 and section 5.3; TLA+ `LogMatching`",
            Self::Hole { .. } => "Raft paper, section 5.3 (the consistency check)",
            Self::NotTheLeaders { .. } => {
                "Raft paper, figure 2 (`matchIndex`) and section 5.3 (the consistency check)"
            }
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::Differs { index, term, other } => {
                Mentions::default().entry(*index).term(*term).node(*other)
            }
            Self::Hole { index, last } => Mentions::default().entry(*index).entry(*last),
            Self::NotTheLeaders {
                index,
                to,
                term,
                ends_at,
            } => Mentions::default()
                .entry(*index)
                .entry(ends_at.unwrap_or(*index))
                .node(*to)
                .term(*term),
        }
    }

    fn ask_first(&self) -> Option<&'static str> {
        match self {
            Self::NotTheLeaders { .. } => Some(
                "does Claim::Appended go no further than what the leader's appends of this term have covered? A follower's log may end beyond that",
            ),
            Self::Hole { .. } => {
                Some("does it write every entry, and a LogReset before those after a snapshot?")
            }
            Self::Differs { .. } => None,
        }
    }
}

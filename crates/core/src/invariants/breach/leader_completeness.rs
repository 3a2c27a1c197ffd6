//! How a leader may come to lack what is committed.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::ids::{Index, Term};

/// How leader completeness was broken, by a leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum LeaderCompleteness {
    /// It was elected without a committed entry.
    Lacks {
        /// The term that it leads.
        term: Term,
        /// The entry.
        index: Index,
        /// Where its log ends, if that is before the entry; none when there is another entry.
        ends_at: Option<Index>,
    },
    /// It committed an entry of an earlier term by counting copies.
    CountedCopies {
        /// The term that it leads.
        term: Term,
        /// The entry.
        index: Index,
        /// The entry's term.
        entry_term: Term,
    },
}

impl Rule for LeaderCompleteness {
    const ABOUT: &'static str = "a new leader's log holds every entry known to be committed";
    const SOURCE: &'static str = "Raft paper, figure 3 and section 5.4; TLA+ `LeaderCompleteness`";
}

impl Way for LeaderCompleteness {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Lacks {
                term,
                index,
                ends_at,
            } => {
                write!(
                    f,
                    "{who} became leader of term {term} without the committed entry {index}: its log "
                )?;
                match ends_at {
                    Some(last) => write!(f, "ends at {last}"),
                    None => f.write_str("differs there"),
                }
            }
            Self::CountedCopies {
                term,
                index,
                entry_term,
            } => write!(
                f,
                "leader {who} of term {term} committed entry {index} of term {entry_term} by counting copies, before any of its own term"
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::Lacks { .. } => "Raft paper, figure 3 and section 5.4; TLA+ `LeaderCompleteness`",
            Self::CountedCopies { .. } => "Raft paper, section 5.4.2 and figure 8",
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::Lacks {
                term,
                index,
                ends_at,
            } => Mentions::default()
                .term(*term)
                .entry(*index)
                .entry(ends_at.unwrap_or(*index)),
            Self::CountedCopies {
                term,
                index,
                entry_term,
            } => Mentions::default()
                .term(*term)
                .entry(*index)
                .term(*entry_term),
        }
    }
}

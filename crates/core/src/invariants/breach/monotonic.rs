//! What may go back that must not.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::ids::{Index, NodeId, Term};

/// How a node went back, or restarted with less than its disk kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Monotonic {
    /// Its term went back.
    TermWentBack {
        /// What it was.
        before: Term,
        /// What it is.
        after: Term,
    },
    /// Its commit index went back.
    CommitWentBack {
        /// What it was.
        before: Index,
        /// What it is.
        after: Index,
    },
    /// Its applied index went back.
    AppliedWentBack {
        /// What it was.
        before: Index,
        /// What it is.
        after: Index,
    },
    /// It wrote an earlier term over a later one.
    WrittenTermWentBack {
        /// What was written.
        before: Term,
        /// What it wrote.
        after: Term,
    },
    /// It wrote another vote within a term.
    VoteChanged {
        /// The term.
        term: Term,
        /// For whom its vote was.
        before: NodeId,
        /// For whom it is.
        after: Option<NodeId>,
    },
    /// It dropped entries that follow the snapshot that it installs.
    DroppedEntries {
        /// The last entry in the snapshot.
        snapshot: Index,
        /// The first entry that it dropped.
        first: Index,
        /// The last one.
        last: Index,
    },
    /// It restarted with an earlier term than its disk kept.
    RestartedWithTerm {
        /// The term that it shows.
        term: Term,
        /// The one on its disk.
        durable: Term,
    },
    /// It restarted with a shorter log than its disk kept.
    RestartedWithLog {
        /// Where the log ends that it shows.
        last: Index,
        /// Where the one on its disk does.
        durable: Index,
    },
    /// It restarted with a lower commit index than its disk kept.
    RestartedWithCommit {
        /// The one that it shows.
        commit: Index,
        /// The one on its disk.
        durable: Index,
    },
    /// It restarted with a lower applied index than that of the snapshot on its disk.
    RestartedWithApplied {
        /// The one that it shows.
        applied: Index,
        /// The snapshot's.
        durable: Index,
    },
    /// It restarted with another vote than its disk kept of that term.
    RestartedWithVote {
        /// The term.
        term: Term,
        /// For whom the vote is that it shows.
        vote: Option<NodeId>,
        /// For whom the one on its disk is.
        durable: NodeId,
    },
    /// It restarted with an entry that it had not written.
    RestartedWithEntry {
        /// The entry.
        index: Index,
    },
}

impl Rule for Monotonic {
    const ABOUT: &'static str = "term, vote within a term, commit and applied index never go back; a restart misses nothing durable, and a snapshot takes away nothing that follows it";
    const SOURCE: &'static str = "Raft paper, figure 2; dissertation, section 3.8";
}

impl Way for Monotonic {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::TermWentBack { before, after } => {
                write!(f, "{who}'s term went back from {before} to {after}")
            }
            Self::CommitWentBack { before, after } => {
                write!(f, "{who}'s commit index went back from {before} to {after}")
            }
            Self::AppliedWentBack { before, after } => {
                write!(
                    f,
                    "{who}'s applied index went back from {before} to {after}"
                )
            }
            Self::WrittenTermWentBack { before, after } => {
                write!(f, "{who}'s written term went back from {before} to {after}")
            }
            Self::VoteChanged {
                term,
                before,
                after,
            } => {
                write!(f, "{who}'s vote in term {term} changed from {before} to ")?;
                match after {
                    Some(vote) => write!(f, "{vote}"),
                    None => f.write_str("nobody"),
                }
            }
            Self::DroppedEntries {
                snapshot,
                first,
                last,
            } => write!(
                f,
                "{who} drops its entries from {first} to {last}, which follow the snapshot at {snapshot} that it installs"
            ),
            Self::RestartedWithTerm { term, durable } => write!(
                f,
                "{who} restarted with term {term}, though {durable} had been synced"
            ),
            Self::RestartedWithLog { last, durable } => write!(
                f,
                "{who} restarted with a log up to {last}, though {durable} had been synced"
            ),
            Self::RestartedWithCommit { commit, durable } => write!(
                f,
                "{who} restarted with commit index {commit}, though {durable} had been synced"
            ),
            Self::RestartedWithApplied { applied, durable } => write!(
                f,
                "{who} restarted with applied index {applied}, though {durable} had been synced"
            ),
            Self::RestartedWithVote {
                term,
                vote,
                durable,
            } => {
                write!(f, "{who} restarted with ")?;
                match vote {
                    Some(vote) => write!(f, "one for {vote}")?,
                    None => f.write_str("none")?,
                }
                write!(
                    f,
                    " as its vote in term {term}, though one for {durable} had been synced"
                )
            }
            Self::RestartedWithEntry { index } => write!(
                f,
                "{who} restarted with an entry {index} that it had not written"
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::TermWentBack { .. } | Self::WrittenTermWentBack { .. } => {
                "Raft paper, figure 2 (`currentTerm` increases monotonically) and section 5.1"
            }
            Self::CommitWentBack { .. } => {
                "Raft paper, figure 2 (`commitIndex` increases monotonically)"
            }
            Self::AppliedWentBack { .. } => {
                "Raft paper, figure 2 (`lastApplied` increases monotonically)"
            }
            Self::VoteChanged { .. } => "Raft paper, figure 2 (`votedFor`) and section 5.2",
            Self::DroppedEntries { .. } => {
                "Raft paper, figure 13, step 6 (the entries that follow the snapshot are retained)"
            }
            Self::RestartedWithTerm { .. }
            | Self::RestartedWithLog { .. }
            | Self::RestartedWithVote { .. }
            | Self::RestartedWithEntry { .. } => {
                "Raft paper, figure 2 (persistent state on all servers); dissertation, section 3.8"
            }
            Self::RestartedWithCommit { .. } => {
                "dissertation, section 3.8 (what is stored of the commit index is there again)"
            }
            Self::RestartedWithApplied { .. } => {
                "Raft paper, section 7 (a snapshot's last entry is applied); dissertation, section 3.8"
            }
        }
    }

    fn ask_first(&self) -> Option<&'static str> {
        match self {
            Self::RestartedWithTerm { .. }
            | Self::RestartedWithLog { .. }
            | Self::RestartedWithCommit { .. }
            | Self::RestartedWithApplied { .. }
            | Self::RestartedWithVote { .. }
            | Self::RestartedWithEntry { .. } => Some(
                "does boot hand all of what Recovered::recover returns to the library: term, vote, log, snapshot, commit index? Of a server: is each file synced before it says synced, its directory after a create or a rename, and is all of it read again?",
            ),
            Self::TermWentBack { .. }
            | Self::WrittenTermWentBack { .. }
            | Self::VoteChanged { .. } => {
                Some("does boot hand the term and the vote of Start::state to the library?")
            }
            Self::AppliedWentBack { .. } => {
                Some("does it apply each entry once, and begin after the snapshot of Start?")
            }
            Self::CommitWentBack { .. } | Self::DroppedEntries { .. } => None,
        }
    }

    fn mentions(&self) -> Mentions {
        match *self {
            Self::TermWentBack { before, after } | Self::WrittenTermWentBack { before, after } => {
                Mentions::default().term(before).term(after)
            }
            Self::CommitWentBack { before, after } | Self::AppliedWentBack { before, after } => {
                Mentions::default().entry(before).entry(after)
            }
            Self::VoteChanged {
                term,
                before,
                after,
            } => Mentions::default()
                .term(term)
                .node(before)
                .node(after.unwrap_or(before)),
            Self::DroppedEntries {
                snapshot,
                first,
                last,
            } => Mentions::default().entry(snapshot).entry(first).entry(last),
            Self::RestartedWithTerm { term, durable } => {
                Mentions::default().term(term).term(durable)
            }
            Self::RestartedWithLog {
                last: shown,
                durable,
            }
            | Self::RestartedWithCommit {
                commit: shown,
                durable,
            }
            | Self::RestartedWithApplied {
                applied: shown,
                durable,
            } => Mentions::default().entry(shown).entry(durable),
            Self::RestartedWithVote {
                term,
                vote,
                durable,
            } => Mentions::default()
                .term(term)
                .node(durable)
                .node(vote.unwrap_or(durable)),
            Self::RestartedWithEntry { index } => Mentions::default().entry(index),
        }
    }
}

//! What a message may promise that is not durable.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::ids::{Index, NodeId, Term};
use crate::replica::MessageKind;

/// How a node broke that a message leaves only after what it promises is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum AckBeforeDurable {
    /// The message is of a term that is not durable.
    TermNotDurable {
        /// To whom it was sent.
        to: NodeId,
        /// What was sent.
        sent: MessageKind,
        /// The message's term.
        term: Term,
        /// The term that is durable.
        durable: Term,
    },
    /// The message is a vote that is not durable.
    VoteNotDurable {
        /// To whom it was sent.
        to: NodeId,
        /// What was sent.
        sent: MessageKind,
        /// The term of the vote.
        term: Term,
        /// For whom it is.
        candidate: NodeId,
    },
    /// The message acknowledges entries that are not durable.
    LogNotDurable {
        /// To whom it was sent.
        to: NodeId,
        /// What was sent.
        sent: MessageKind,
        /// The message's term.
        term: Term,
        /// The last entry that it acknowledges.
        index: Index,
        /// The last entry that is durable.
        durable: Index,
    },
}

impl Rule for AckBeforeDurable {
    const ABOUT: &'static str = "a vote, an append reply or any message of a term leaves only after what it promises is durable";
    const SOURCE: &'static str = "Raft paper, figure 2 (\"updated on stable storage before responding to RPCs\"); dissertation, section 3.8";
}

impl Way for AckBeforeDurable {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        let (Self::TermNotDurable { to, sent, .. }
        | Self::VoteNotDurable { to, sent, .. }
        | Self::LogNotDurable { to, sent, .. }) = self;
        write!(
            f,
            "{who} sent {to} {} that promises its ",
            sent.with_article()
        )?;
        match self {
            Self::TermNotDurable { term, durable, .. } => {
                write!(f, "term {term} (durable: term {durable})")?;
            }
            Self::VoteNotDurable {
                term, candidate, ..
            } => write!(f, "vote for {candidate} in term {term}")?,
            Self::LogNotDurable { index, durable, .. } if durable >= index => {
                write!(
                    f,
                    "log up to {index} (durable: another log, up to {durable})"
                )?;
            }
            Self::LogNotDurable { index, durable, .. } => {
                write!(f, "log up to {index} (durable: up to {durable})")?;
            }
        }
        f.write_str(", which is not durable")
    }

    fn source(&self) -> &'static str {
        match self {
            Self::TermNotDurable { .. } => {
                "Raft paper, figure 2 (`currentTerm` is updated on stable storage before responding to RPCs); dissertation, section 3.8"
            }
            Self::VoteNotDurable { .. } => {
                "Raft paper, figure 2 (`votedFor` is updated on stable storage before responding to RPCs); dissertation, section 3.8"
            }
            Self::LogNotDurable { .. } => {
                "Raft paper, figure 2 (`log[]` is updated on stable storage before responding to RPCs); dissertation, section 3.8"
            }
        }
    }

    fn ask_first(&self) -> Option<&'static str> {
        Some(match self {
            Self::LogNotDurable { .. } => {
                "does it write the entries, and wait for the sync, before it sends what acknowledges them?"
            }
            _ => {
                "does it write Record::HardState, and wait for the sync, before it sends what carries the term or the vote?"
            }
        })
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::TermNotDurable {
                to, term, durable, ..
            } => Mentions::default().node(*to).term(*term).term(*durable),
            Self::VoteNotDurable {
                to,
                term,
                candidate,
                ..
            } => Mentions::default().node(*to).term(*term).node(*candidate),
            Self::LogNotDurable {
                to, index, durable, ..
            } => Mentions::default().node(*to).entry(*index).entry(*durable),
        }
    }
}

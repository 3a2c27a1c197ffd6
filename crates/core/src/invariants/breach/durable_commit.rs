//! How an entry may come to be committed and not durable, or not to stay so.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::configuration::Configuration;
use crate::ids::{Index, NodeSet, Term};

/// How durable commit was broken, by the node that first knows an entry to be committed, or by one
/// that had the entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum DurableCommit {
    /// The entry is not in its own log.
    NotInLog {
        /// The entry.
        index: Index,
    },
    /// The entry is durable on no quorum.
    NoQuorum {
        /// The entry.
        index: Index,
        /// On whose disk it is durable.
        holders: NodeSet,
        /// The configuration that the node goes by.
        configuration: Configuration,
    },
    /// The entry is on no disk as an entry.
    NoEntry {
        /// The entry.
        index: Index,
    },
    /// The node had the entry, which is known to be committed, and wrote another in its place, of
    /// a term whose leader must have had the entry.
    WrittenOver {
        /// The entry.
        index: Index,
        /// The term of what the node wrote.
        term: Term,
    },
}

impl Rule for DurableCommit {
    const ABOUT: &'static str = "when an entry is first known to be committed, it is durable on a quorum, and nobody who has it writes another in its place";
    const SOURCE: &'static str =
        "Raft paper, sections 5.3, 5.4.3 and 5.6; dissertation, section 10.2.1";
}

impl Way for DurableCommit {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NotInLog { index } => {
                write!(f, "{who} committed entry {index}, which is not in its log")
            }
            Self::NoQuorum {
                index,
                holders,
                configuration,
            } => {
                write!(f, "{who} committed entry {index}, which is durable ")?;
                match holders.is_empty() {
                    true => f.write_str("nowhere")?,
                    false => write!(f, "on {holders} only")?,
                }
                write!(f, "; {configuration}")
            }
            Self::NoEntry { index } => write!(
                f,
                "{who} committed entry {index}, which no disk holds as an entry"
            ),
            Self::WrittenOver { index, term } => write!(
                f,
                "{who} wrote an entry of term {term} over the committed entry {index}"
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::NotInLog { .. } => "Raft paper, section 5.3 (what is committed is in the log)",
            Self::NoQuorum { .. } => {
                "Raft paper, sections 5.3, 5.6 and 6; dissertation, section 10.2.1"
            }
            Self::NoEntry { .. } => {
                "Raft paper, sections 5.3 and 5.6 (an entry is durable before it is committed)"
            }
            Self::WrittenOver { .. } => {
                "Raft paper, sections 5.3 and 5.4.3 (no later leader is without a committed entry)"
            }
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::NotInLog { index } | Self::NoEntry { index } => Mentions::default().entry(*index),
            Self::NoQuorum {
                index,
                holders,
                configuration,
            } => Mentions::default()
                .entry(*index)
                .nodes(*holders)
                .configuration(configuration),
            Self::WrittenOver { index, term } => Mentions::default().entry(*index).term(*term),
        }
    }
}

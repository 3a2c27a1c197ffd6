//! How a client may be left without an answer.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::ids::{ClientName, Index, Term};

/// How a node left a client without an answer that nothing kept it from giving. Clients ask again,
/// here or elsewhere, so mostly nobody misses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Answered {
    /// A leader stayed in office with a quorum while nothing went wrong, and did not answer.
    NotByLeader {
        /// The client.
        client: u32,
        /// Which of its operations.
        sequence: u64,
        /// The operation is a read around the log.
        reads: bool,
        /// The term that the leader leads.
        term: Term,
        /// How many election time-outs it had.
        elections: u64,
    },
    /// A node that had taken a command applied it, and did not say so to the client.
    NotWhenApplied {
        /// The client.
        client: u32,
        /// Which of its operations.
        sequence: u64,
        /// The entry that the command became.
        index: Index,
    },
}

const SOURCE: &str = "Raft paper, sections 5.3 and 8 (the leader answers once the entry is applied); dissertation, sections 6.3 and 6.4";

impl Rule for Answered {
    const ABOUT: &'static str = "while nothing goes wrong, a leader answers what it is asked, and who has taken a command and applies it answers";
    const SOURCE: &'static str = SOURCE;
}

impl Way for Answered {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NotByLeader {
                client,
                sequence,
                reads,
                term,
                elections,
            } => {
                let client = ClientName(*client);
                let what = if *reads { "read" } else { "command" };
                write!(
                    f,
                    "leader {who} of term {term} did not answer {client}'s operation {sequence}, a {what}, in {elections} election time-outs in which nothing went wrong"
                )
            }
            Self::NotWhenApplied {
                client,
                sequence,
                index,
            } => {
                let client = ClientName(*client);
                write!(
                    f,
                    "{who} took {client}'s operation {sequence}, applied it as entry {index}, and did not answer"
                )
            }
        }
    }

    fn source(&self) -> &'static str {
        SOURCE
    }

    fn ask_first(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotByLeader { reads: true, .. } => {
                "does the library drop reads without a word, as one does that has committed nothing in its term? Then the driver refuses them"
            }
            Self::NotByLeader { .. } => {
                "does the driver refuse what the library does not take, and answer what it applies?"
            }
            Self::NotWhenApplied { .. } => {
                "does the driver forget who waits when its node leads no more? An entry may be committed all the same"
            }
        })
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::NotByLeader { term, .. } => Mentions::default().term(*term),
            Self::NotWhenApplied { index, .. } => Mentions::default().entry(*index),
        }
    }
}

//! How a read around the log may be served without what makes it safe.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::configuration::Configuration;
use crate::ids::{Index, NodeSet, Term};

/// How a node broke the rules of reads by ReadIndex, whether or not the value that it answered
/// happens to be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum ReadIndex {
    /// A leader served a read that no quorum has confirmed: since the read was asked, too few
    /// nodes have taken in a message that the leader sent after that, and said so.
    Unconfirmed {
        /// The term that it leads.
        term: Term,
        /// The nodes that have.
        heard: NodeSet,
        /// The configuration that the leader goes by.
        configuration: Configuration,
    },
    /// The state that it was served from lacks what was committed before the read was asked.
    Behind {
        /// The last entry that the state shows.
        index: Index,
        /// The last one that was committed.
        committed: Index,
    },
}

const CONFIRMED: &str = "dissertation, section 6.4, steps 2 and 3";

impl Rule for ReadIndex {
    const ABOUT: &'static str = "a read around the log shows all that was committed when it was asked, and a leader serves it after a quorum has confirmed that it still leads";
    const SOURCE: &'static str = "dissertation, section 6.4";
}

impl Way for ReadIndex {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Unconfirmed {
                term,
                heard,
                configuration,
            } => {
                write!(
                    f,
                    "leader {who} of term {term} served a read that no quorum of {configuration} has confirmed: since it was asked, "
                )?;
                match heard.is_empty() {
                    true => f.write_str("nobody has answered anything that the leader sent"),
                    false => write!(f, "only {heard} answered what the leader sent"),
                }
            }
            Self::Behind { index, committed } => write!(
                f,
                "{who} served a read from the state after entry {index}, though entry {committed} was committed before it was asked"
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::Unconfirmed { .. } => CONFIRMED,
            Self::Behind { .. } => "dissertation, section 6.4, steps 1 to 4",
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::Unconfirmed { term, .. } => Mentions::default().term(*term),
            Self::Behind { index, committed } => {
                Mentions::default().entry(*index).entry(*committed)
            }
        }
    }
}

//! How clients may come to see what no service does.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::history::{Asked, AskedInWords};
use crate::ids::Index;
use crate::service::{Answer, Part};
use crate::text::seconds;
use squall_linearizability::models::{KeyValueInput, KeyValueOutput};
use squall_linearizability::{Ending, Excerpt, Operation};

/// How linearizability was broken, by the node that answered, or by the cluster when the run was
/// over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Linearizability {
    /// No order of the operations explains the answers.
    NoOrder {
        /// What the operations are on.
        part: Part,
        /// Those that have no place in any order.
        stuck: Vec<Asked>,
    },
    /// A read was answered by a state that was over when the read was asked.
    Stale {
        /// The last entry that the state shows.
        index: Index,
        /// The last one that a client had been told of before.
        floor: Index,
    },
    /// No order of the operations explains what a key-value server answered.
    NoOrderOnServer {
        /// How far an order goes.
        excerpt: Excerpt<String, KeyValueInput, KeyValueOutput>,
    },
    /// The answer of a machine of a user's own is not what the committed log gives.
    OtherThanLog {
        /// What was asked and told.
        asked: AskedInWords,
        /// What the log gives; none when the command is not in it.
        right: Option<String>,
    },
    /// The model of a machine of a user's own explains no order of the operations.
    NotByModel {
        /// Those that have no place in any order.
        stuck: Vec<AskedInWords>,
    },
}

impl Rule for Linearizability {
    const ABOUT: &'static str = "what clients see is explained by operations that take effect one at a time, each between its invocation and its answer";
    const SOURCE: &'static str =
        "Herlihy and Wing, TOPLAS 1990; dissertation, sections 6.3 and 6.4";
}

impl Way for Linearizability {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NoOrder { part, stuck } => {
                write!(
                    f,
                    "{who} answered what no order of the operations on {part} explains: "
                )?;
                for (place, asked) in stuck.iter().enumerate() {
                    f.write_str(if place > 0 { "; " } else { "" })?;
                    write!(f, "{asked}")?;
                }
                Ok(())
            }
            Self::Stale { index, floor } => write!(
                f,
                "{who} answered a read by the state after entry {index}, though a client had been told of entry {floor} before it was asked"
            ),
            Self::NoOrderOnServer { excerpt } => no_order_on_server(excerpt, f),
            Self::OtherThanLog { asked, right } => {
                write!(f, "{who} answered {asked}; ")?;
                match right {
                    Some(right) => write!(f, "the committed log gives {right}"),
                    None => f.write_str("the committed log does not have it"),
                }
            }
            Self::NotByModel { stuck } => {
                write!(
                    f,
                    "{who} answered what by the model no order of the operations explains: "
                )?;
                for (place, asked) in stuck.iter().enumerate() {
                    f.write_str(if place > 0 { "; " } else { "" })?;
                    write!(f, "{asked}")?;
                }
                Ok(())
            }
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::NoOrder { .. } | Self::NoOrderOnServer { .. } | Self::NotByModel { .. } => {
                "Herlihy and Wing, TOPLAS 1990; dissertation, section 6.3"
            }
            Self::OtherThanLog { .. } => {
                "Raft paper, section 2 (one order, one state) and dissertation, section 6.3"
            }
            Self::Stale { .. } => "dissertation, section 6.4 (the read index)",
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::NoOrder { part, stuck } => {
                let mut mentions = Mentions::default();
                if let Part::Key(key) = part {
                    mentions = mentions.key(*key);
                }
                for asked in stuck {
                    mentions.keys.extend(asked.operation.key());
                    mentions.locks.extend(asked.operation.lock());
                }
                mentions
            }
            Self::Stale { index, floor } => Mentions::default().entry(*index).entry(*floor),
            Self::NoOrderOnServer { .. } | Self::OtherThanLog { .. } | Self::NotByModel { .. } => {
                Mentions::default()
            }
        }
    }
}

/// How far an order of what a server answered goes, and what cannot come next in it.
fn no_order_on_server(
    excerpt: &Excerpt<String, KeyValueInput, KeyValueOutput>,
    f: &mut Formatter<'_>,
) -> Result {
    f.write_str("servers answered what no order of the operations")?;
    if let Some(key) = &excerpt.key {
        write!(f, " on {key}")?;
    }
    f.write_str(" explains: ")?;
    for (place, told) in excerpt.stuck.iter().enumerate() {
        f.write_str(if place > 0 { "; " } else { "" })?;
        operation(&told.operation, f)?;
    }
    match excerpt.prefix.last() {
        Some(told) => {
            f.write_str("; the last that can come before: ")?;
            operation(&told.operation, f)
        }
        None => f.write_str("; nothing can come before"),
    }
}

/// `client 3's get k1 (0.164001 s to 0.170101 s): "5.12"`.
fn operation(asked: &Operation<KeyValueInput, KeyValueOutput>, f: &mut Formatter<'_>) -> Result {
    write!(f, "client {}'s ", asked.client)?;
    match &asked.input {
        KeyValueInput::Get { key } => write!(f, "get {key}")?,
        KeyValueInput::Put { key, value } => write!(f, "put {key} {value}")?,
        // Clients of servers ask for nothing else.
        other => write!(f, "{other:?}")?,
    }
    let invoked = seconds(asked.invoked);
    match &asked.ending {
        Ending::Ok { output, at } => {
            write!(f, " ({invoked} to {}): ", seconds(*at))?;
            match output {
                KeyValueOutput::Value(Some(value)) => f.write_str(value),
                KeyValueOutput::Value(None) => f.write_str("nothing"),
                KeyValueOutput::Done => f.write_str("done"),
                other => write!(f, "{other:?}"),
            }
        }
        _ => write!(f, " (from {invoked}), never answered"),
    }
}

/// How it was broken that a command applies once, by the node that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum ExactlyOnce {
    /// The answer is what comes of it when each copy of a retried command applies.
    Repeated {
        /// The answer.
        answer: Answer,
        /// What comes of it when a command applies once.
        right: Answer,
    },
    /// The same of an answer of a machine of a user's own.
    RepeatedOnMachine {
        /// What was asked and told.
        asked: AskedInWords,
        /// What comes of it when a command applies once.
        right: String,
    },
}

impl Rule for ExactlyOnce {
    const ABOUT: &'static str = "a command that a client sent again applies once";
    const SOURCE: &'static str = "dissertation, section 6.3";
}

impl Way for ExactlyOnce {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Repeated { answer, right } => write!(
                f,
                "{who} answered \"{answer}\" where a retried command applied once gives \"{right}\": it applied more than once"
            ),
            Self::RepeatedOnMachine { asked, right } => write!(
                f,
                "{who} answered {asked}; applied once it gives {right}: it applied more than once"
            ),
        }
    }

    fn source(&self) -> &'static str {
        "dissertation, section 6.3"
    }

    fn mentions(&self) -> Mentions {
        Mentions::default()
    }
}

//! How a run may come to unwind.

use std::fmt::{self, Display, Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};

/// What panicked, or did not run at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum NoPanic {
    /// The node panicked, or a task of some node.
    Panicked {
        /// What it said, and where.
        panic: Panic,
    },
    /// A task unwound without a panic.
    Unwound,
    /// The test around the run panicked.
    TestPanicked {
        /// What it said, and where; none when it unwound without a panic.
        panic: Option<Panic>,
    },
    /// The test never ran its simulation.
    TestRanNothing,
}

/// A panic: what was said, and where. Two are equal if that is, whatever was printed before.
#[derive(Clone, Debug, Serialize)]
pub struct Panic {
    /// Its message, in one line.
    pub message: String,
    /// Where it came from, if that is known.
    pub place: Option<Place>,
    /// The newest lines that the process had printed on standard error in this run, where the node
    /// lives in one of its own. They are no part of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub printed: Option<String>,
}

impl PartialEq for Panic {
    fn eq(&self, other: &Self) -> bool {
        (&self.message, &self.place) == (&other.message, &other.place)
    }
}

impl Eq for Panic {}

/// A place in a source file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file's name without its folders: where a registry lies differs by machine.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The column, counted from 1.
    pub column: u32,
}

impl Place {
    /// Whether both are in one line. Which column of it a panic comes from says little: one line
    /// may be one statement of several columns.
    pub fn same_line(&self, other: &Self) -> bool {
        (&self.file, self.line) == (&other.file, other.line)
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Display for Panic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        Ok(())
    }
}

impl NoPanic {
    /// The panic, where it was one.
    pub fn panic(&self) -> Option<&Panic> {
        match self {
            Self::Panicked { panic } => Some(panic),
            Self::TestPanicked { panic } => panic.as_ref(),
            Self::Unwound | Self::TestRanNothing => None,
        }
    }
}

impl Rule for NoPanic {
    const ABOUT: &'static str = "the implementation does not panic on what its contract allows";
    const SOURCE: &'static str = "common sense";
}

impl Way for NoPanic {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Panicked { panic } => match who.0 {
                Some(node) => write!(f, "{node} panicked: {panic}"),
                None => write!(f, "{panic}"),
            },
            Self::Unwound => f.write_str("it unwound"),
            Self::TestPanicked { panic } => {
                f.write_str("the test panicked: ")?;
                match panic {
                    Some(panic) => write!(f, "{panic}"),
                    None => f.write_str("it unwound"),
                }
            }
            Self::TestRanNothing => f.write_str(
                "the test does not run its simulation: it is to call `run` or `run_until`",
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::Panicked { .. }
            | Self::Unwound
            | Self::TestPanicked { .. }
            | Self::TestRanNothing => "common sense",
        }
    }

    fn mentions(&self) -> Mentions {
        Mentions::default()
    }
}

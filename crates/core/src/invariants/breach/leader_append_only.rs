//! How a leader may treat its own log.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::ids::{Index, Term};

/// How a leader broke that it only appends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum LeaderAppendOnly {
    /// It wrote where its log had an entry.
    Overwrote {
        /// The term that it leads.
        term: Term,
        /// Where it wrote.
        index: Index,
        /// Where its log ended.
        last: Index,
    },
}

impl Rule for LeaderAppendOnly {
    const ABOUT: &'static str = "a leader never overwrites or cuts off its own log";
    const SOURCE: &'static str = "Raft paper, figure 3 and section 5.3";
}

impl Way for LeaderAppendOnly {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        let Self::Overwrote { term, index, last } = self;
        write!(
            f,
            "{who}, leader of term {term}, overwrote its log from index {index}; it went on to {last}"
        )
    }

    fn source(&self) -> &'static str {
        let Self::Overwrote { .. } = self;
        "Raft paper, figure 3 and section 5.3"
    }

    fn mentions(&self) -> Mentions {
        let Self::Overwrote { term, index, last } = self;
        Mentions::default().term(*term).entry(*index).entry(*last)
    }
}

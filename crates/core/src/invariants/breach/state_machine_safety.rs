//! How nodes may come to apply what others do not.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::ids::Index;

/// How state machine safety was broken, by a node that commits, applies, installs or answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum StateMachineSafety {
    /// It holds more committed than its log has.
    CommittedBeyondLog {
        /// Up to where.
        index: Index,
        /// Where its log ends.
        last: Index,
    },
    /// It committed another entry than the one that was committed at that index before.
    CommittedOther {
        /// The index.
        index: Index,
    },
    /// It applied an entry that is not committed, as far as it knows.
    AppliedUncommitted {
        /// The entry.
        index: Index,
        /// Up to where it knows the log to be committed.
        committed: Index,
    },
    /// It applied an entry after another one than the one before it.
    AppliedOutOfOrder {
        /// The entry.
        index: Index,
        /// The one that it had applied last.
        before: Index,
    },
    /// It applied an entry, and is in another state than the node that applied it first.
    OtherState {
        /// The entry.
        index: Index,
    },
    /// It told a client that an entry is applied, and has not applied it.
    AnsweredUnapplied {
        /// The entry.
        index: Index,
        /// The last one that it has applied.
        applied: Index,
    },
    /// It installed a snapshot of more than is committed.
    InstalledUncommitted {
        /// The last entry in the snapshot.
        index: Index,
        /// Up to where the log is committed.
        committed: Index,
    },
    /// It is in another state by a snapshot than the node that applied the snapshot's last entry
    /// first.
    OtherStateBySnapshot {
        /// The last entry in the snapshot.
        index: Index,
    },
}

impl Rule for StateMachineSafety {
    const ABOUT: &'static str = "nodes commit and apply the same entry at an index, in order, and reach the same state; nothing uncommitted is applied";
    const SOURCE: &'static str =
        "Raft paper, figure 3 and section 5.4.3; TLA+ `StateMachineSafety`";
}

impl Way for StateMachineSafety {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::CommittedBeyondLog { index, last } => write!(
                f,
                "{who} holds {index} entries committed, but its log ends at {last}"
            ),
            Self::CommittedOther { index } => write!(
                f,
                "{who} committed an entry {index} that differs from the one committed there before"
            ),
            Self::AppliedUncommitted { index, committed } => write!(
                f,
                "{who} applied entry {index}, but it knows only {committed} committed"
            ),
            Self::AppliedOutOfOrder { index, before } => {
                write!(f, "{who} applied entry {index} right after entry {before}")
            }
            Self::OtherState { index } => write!(
                f,
                "{who} is in another state after entry {index} than the node that applied it first"
            ),
            Self::AnsweredUnapplied { index, applied } => write!(
                f,
                "{who} answered a client that entry {index} is applied, but has applied only {applied}"
            ),
            Self::InstalledUncommitted { index, committed } => write!(
                f,
                "{who} installed a snapshot of {index} entries, but only {committed} are committed"
            ),
            Self::OtherStateBySnapshot { index } => write!(
                f,
                "{who} is in another state after the snapshot at {index} than the node that applied that entry first"
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::CommittedBeyondLog { .. } => {
                "Raft paper, figure 2 (a follower's `commitIndex` is at most the index of its last new entry)"
            }
            Self::CommittedOther { .. } => {
                "Raft paper, figure 3 and section 5.4.3; TLA+ `StateMachineSafety`"
            }
            Self::AppliedUncommitted { .. } => {
                "Raft paper, figure 2 (entries are applied up to `commitIndex`) and section 5.3"
            }
            Self::AppliedOutOfOrder { .. } => {
                "Raft paper, section 5.3 (entries are applied in log order)"
            }
            Self::OtherState { .. } => "Raft paper, figure 3 and section 2 (one order, one state)",
            Self::AnsweredUnapplied { .. } => {
                "Raft paper, figure 2 (a leader responds after the entry is applied) and section 5.3"
            }
            Self::InstalledUncommitted { .. } => {
                "Raft paper, section 7 (snapshots cover committed entries)"
            }
            Self::OtherStateBySnapshot { .. } => {
                "Raft paper, figure 3 and section 7 (a snapshot is the state after its last entry)"
            }
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::CommittedBeyondLog { index, last } => {
                Mentions::default().entry(*index).entry(*last)
            }
            Self::AppliedOutOfOrder { index, before } => {
                Mentions::default().entry(*index).entry(*before)
            }
            Self::CommittedOther { index }
            | Self::AppliedUncommitted { index, .. }
            | Self::OtherState { index }
            | Self::AnsweredUnapplied { index, .. }
            | Self::InstalledUncommitted { index, .. }
            | Self::OtherStateBySnapshot { index } => Mentions::default().entry(*index),
        }
    }
}

//! How nodes may come to apply what others do not.

use std::fmt::{Display, Formatter, Result};

use serde::{Serialize, Serializer};

use super::{Mentions, Rule, Way, Who};
use crate::ids::{Index, NodeId};

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
    /// It applied an entry, and is in another state than a node that applied it too.
    OtherState {
        /// The entry.
        index: Index,
        /// What the two nodes are in.
        states: States,
    },
    /// It is in another state after an entry than the committed log gives, applied to a state
    /// machine of the harness's own.
    NotTheLogs {
        /// The entry.
        index: Index,
        /// Its state.
        here: StateOf,
        /// What the log gives.
        #[serde(serialize_with = "hexadecimal")]
        right: u64,
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
    /// It is in another state by a snapshot than a node that applied the snapshot's last entry.
    OtherStateBySnapshot {
        /// The last entry in the snapshot.
        index: Index,
        /// What the two nodes are in.
        states: States,
    },
}

/// The states of two nodes that should be in the same, and whose is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct States {
    /// That of the node whose state is wrong, as far as that can be told.
    pub wrong: StateOf,
    /// That of the other.
    pub other: StateOf,
    /// What the committed log gives, applied to a state machine of the harness's own; none where
    /// the harness has none.
    #[serde(serialize_with = "hexadecimal_if_any")]
    pub right: Option<u64>,
}

/// The state that a node is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StateOf {
    /// The node.
    pub node: NodeId,
    /// How often it had restarted.
    pub incarnation: u32,
    /// The hash of the state, as the node reports it.
    #[serde(serialize_with = "hexadecimal")]
    pub state: u64,
}

impl Display for StateOf {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self {
            node,
            incarnation,
            state,
        } = self;
        write!(f, "{node} (incarnation {incarnation}) in {state:016x}")
    }
}

// A number of 64 bits is more than many readers of JSON hold.
fn hexadecimal<S: Serializer>(state: &u64, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{state:016x}"))
}

fn hexadecimal_if_any<S: Serializer>(
    state: &Option<u64>,
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    match state {
        Some(state) => hexadecimal(state, to),
        None => to.serialize_none(),
    }
}

impl States {
    fn words(&self, f: &mut Formatter<'_>) -> Result {
        let Self {
            wrong,
            other,
            right,
        } = self;
        write!(f, "{wrong}, {other}; ")?;
        match right {
            Some(right) if *right == other.state => {
                write!(f, "the log gives what {} has", other.node)
            }
            Some(right) => write!(f, "the log gives {right:016x}"),
            None => f.write_str("which of them is wrong, the log does not tell"),
        }
    }
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
            Self::OtherState { index, states } => {
                let other = states.other.node;
                write!(
                    f,
                    "{who} is in another state after entry {index} than {other}: "
                )?;
                states.words(f)
            }
            Self::NotTheLogs { index, here, right } => write!(
                f,
                "{who} is in another state after entry {index} than the log gives: {here}; the log gives {right:016x}"
            ),
            Self::AnsweredUnapplied { index, applied } => write!(
                f,
                "{who} answered a client that entry {index} is applied, but has applied only {applied}"
            ),
            Self::InstalledUncommitted { index, committed } => write!(
                f,
                "{who} installed a snapshot of {index} entries, but only {committed} are committed"
            ),
            Self::OtherStateBySnapshot { index, states } => {
                let other = states.other.node;
                write!(
                    f,
                    "{who} is in another state after the snapshot at {index} than {other} after that entry: "
                )?;
                states.words(f)
            }
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
            Self::OtherState { .. } | Self::NotTheLogs { .. } => {
                "Raft paper, figure 3 and section 2 (one order, one state)"
            }
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
            | Self::NotTheLogs { index, .. }
            | Self::AnsweredUnapplied { index, .. }
            | Self::InstalledUncommitted { index, .. } => Mentions::default().entry(*index),
            Self::OtherState { index, states } | Self::OtherStateBySnapshot { index, states } => {
                let nodes = [states.wrong.node, states.other.node];
                let both = nodes.into_iter().collect();
                Mentions::default().entry(*index).nodes(both)
            }
        }
    }

    fn ask_first(&self) -> Option<&'static str> {
        match self {
            Self::CommittedBeyondLog { .. } => {
                Some("does it write every entry before it reports Observation::Committed?")
            }
            Self::AppliedUncommitted { .. } => {
                Some("does it report Observation::Committed before it applies?")
            }
            Self::AppliedOutOfOrder { .. } => Some(
                "does it apply every committed entry once, those too that carry no command, and begin after the snapshot of Start?",
            ),
            Self::OtherState { .. }
            | Self::OtherStateBySnapshot { .. }
            | Self::NotTheLogs { .. } => Some(
                "does it apply each entry to the state machine once, and is the state machine deterministic?",
            ),
            Self::AnsweredUnapplied { .. } => {
                Some("does it report Observation::Applied before it answers?")
            }
            Self::CommittedOther { .. } | Self::InstalledUncommitted { .. } => None,
        }
    }
}

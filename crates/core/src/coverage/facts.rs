//! What coverage is told of a node.

use crate::ids::{Index, NodeId, Role, Term};

/// One node at one moment, as its harness sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether it runs.
    pub standing: Standing,
    /// Its role; a follower while it is down.
    pub role: Role,
    /// Whether it hands leadership over.
    pub transfers: bool,
    /// Its term.
    pub term: Term,
    /// Its vote in that term.
    pub vote: Option<NodeId>,
    /// The first index of its log; entries before it are in a snapshot.
    pub first: Index,
    /// The last index of its log.
    pub last: Index,
    /// The term of its last entry.
    pub last_term: Term,
    /// How far it knows the log to be committed.
    pub commit: Index,
    /// How far it has applied the log.
    pub applied: Index,
    /// The index that its configuration comes from.
    pub configuration: Index,
    /// Its part in that configuration.
    pub part: Part,
    /// Whether that is a joint configuration.
    pub joint: bool,
    /// Whether its log holds a change that it does not know to be committed.
    pub change_pending: bool,
    /// Whether its term and vote are durable.
    pub hard_state_is_durable: bool,
    /// Whether its whole log is durable.
    pub log_is_durable: bool,
    /// Whether its newest snapshot is durable.
    pub snapshot_is_durable: bool,
}

impl Facts {
    /// Whether it leads.
    #[inline]
    pub fn leads(&self) -> bool {
        self.role == Role::Leader
    }
}

/// Whether a node runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It is down, or has not started yet.
    #[default]
    Down,
    /// It runs.
    Up,
    /// It stands still.
    Still,
    /// It is down for good.
    Gone,
}

/// A node's part in a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// It is not in it.
    #[default]
    Outside,
    /// It votes.
    Voter,
    /// It learns.
    Learner,
}

/// Which links of a node are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// None.
    #[default]
    Nowhere,
    /// Some, one way or both.
    Somewhere,
    /// All, both ways.
    Off,
}

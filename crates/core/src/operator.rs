//! What an operator asks of a node. Plain data; knows no Raft library.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::configuration::Change;
use crate::ids::NodeId;

/// An operator's request. A node may decline it, and says nothing either way:
/// what came of it shows in roles, configurations and snapshots.
///
/// Not `#[non_exhaustive]`: a driver that cannot carry out a new request is to be found by the
/// compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Admin {
    /// Change who is in the cluster.
    Change(Change),
    /// Hand leadership over (dissertation, section 3.10).
    TransferLeader {
        /// To whom.
        to: NodeId,
    },
    /// Stand for election at once.
    Campaign,
    /// Ask the leader for a snapshot.
    RequestSnapshot,
    /// Send heartbeats at once.
    Ping,
    /// Change a setting while running.
    Set(Setting),
}

/// A setting that can be changed while a node runs.
///
/// Not `#[non_exhaustive]`, as [`Admin`] is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Setting {
    /// `RaftOptions::batch_append`.
    BatchAppend(bool),
    /// `RaftOptions::skip_broadcast_commit`.
    SkipBroadcastCommit(bool),
    /// `RaftOptions::check_quorum`.
    CheckQuorum(bool),
    /// The node's election priority.
    Priority(i64),
    /// `RaftOptions::max_inflight_messages` towards every peer; 0 stops replication to them.
    MaxInflight(u32),
    /// `RaftOptions::max_committed_size_per_ready`.
    MaxCommittedSize(u64),
    /// `RaftOptions::group_commit`.
    GroupCommit(bool),
}

impl fmt::Display for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Admin::Change(change) => write!(f, "for {change}"),
            Admin::TransferLeader { to } => write!(f, "to hand leadership to {to}"),
            Admin::Campaign => f.write_str("to stand for election"),
            Admin::RequestSnapshot => f.write_str("to get a snapshot from its leader"),
            Admin::Ping => f.write_str("to send heartbeats"),
            Admin::Set(setting) => write!(f, "to set {setting:?}"),
        }
    }
}

//! What a cluster may lack that is to converge.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Mentions;
use crate::configuration::Configuration;
use crate::ids::{Index, NodeId, Role, Term};

/// A condition of convergence that a cluster does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Unmet {
    /// A member is not up.
    Down {
        /// The node.
        node: NodeId,
    },
    /// Nobody leads the highest term.
    NoLeader {
        /// That term.
        term: Term,
    },
    /// A member does not follow.
    NoFollower {
        /// The node.
        node: NodeId,
        /// What it is.
        role: Role,
        /// Who leads.
        leader: NodeId,
    },
    /// The leader lacks what was acknowledged.
    AcknowledgedLost {
        /// The leader.
        leader: NodeId,
        /// Where its log ends.
        last: Index,
        /// The last entry that a client was told of.
        acknowledged: Index,
    },
    /// No command that was sent after the storm has been answered.
    CommandUnanswered {
        /// Who leads.
        leader: NodeId,
        /// In which term.
        term: Term,
    },
    /// No read that was sent after the storm has been answered.
    ReadUnanswered {
        /// Who leads.
        leader: NodeId,
        /// In which term.
        term: Term,
    },
    /// Leadership is still being handed over.
    TransferUnfinished {
        /// By whom.
        leader: NodeId,
        /// To whom.
        to: NodeId,
    },
    /// The joint configuration has not been left.
    StillJoint {
        /// That configuration.
        configuration: Configuration,
    },
    /// A member's log has another length than the leader's.
    LogLength {
        /// Which member.
        node: NodeId,
        /// Where its log ends.
        last: Index,
        /// Where the leader's does.
        leaders_last: Index,
    },
    /// A member's log differs from the leader's.
    LogDiffers {
        /// Which member.
        node: NodeId,
    },
    /// A member does not know all to be committed.
    CommitBehind {
        /// Which member.
        node: NodeId,
        /// Its commit index.
        commit: Index,
        /// Where the leader's log ends.
        leaders_last: Index,
    },
    /// A member has not applied all.
    AppliedBehind {
        /// Which member.
        node: NodeId,
        /// Its applied index.
        applied: Index,
        /// Where the leader's log ends.
        leaders_last: Index,
    },
    /// A server ends again and again, with an error of its own, when it is started.
    ServerEnds {
        /// The node.
        node: NodeId,
        /// How often in the run.
        times: u64,
        /// The error of the last time.
        why: String,
    },
    /// None of the servers leads.
    NobodyLeads,
    /// Clients of servers get no answer to what they ask after the storm.
    ClientsUnanswered {
        /// How many.
        clients: u64,
    },
    /// A server is down, or its log or what it has applied is not the leader's.
    ServerBehind {
        /// The node.
        node: NodeId,
    },
}

impl Display for Unmet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down { node } => write!(f, "{node} is not up"),
            Self::NoLeader { term } => {
                write!(f, "there is no leader in the highest term, {term}")
            }
            Self::NoFollower { node, role, leader } => {
                write!(f, "{node} is a {role} beside the leader {leader}")
            }
            Self::AcknowledgedLost {
                leader,
                last,
                acknowledged,
            } => write!(
                f,
                "leader {leader}'s log ends at {last}, but entry {acknowledged} was acknowledged"
            ),
            Self::CommandUnanswered { leader, term } => write!(
                f,
                "no command sent after the storm has been answered; {leader} leads term {term}"
            ),
            Self::ReadUnanswered { leader, term } => write!(
                f,
                "no read sent after the storm has been answered; {leader} leads term {term}"
            ),
            Self::TransferUnfinished { leader, to } => write!(
                f,
                "the transfer of leadership from {leader} to {to} has not ended"
            ),
            Self::StillJoint { configuration } => write!(
                f,
                "the joint configuration has not been left; {configuration}"
            ),
            Self::LogLength {
                node,
                last,
                leaders_last,
            } => write!(
                f,
                "{node}'s log ends at {last}, the leader's at {leaders_last}"
            ),
            Self::LogDiffers { node } => write!(f, "{node}'s log differs from the leader's"),
            Self::CommitBehind {
                node,
                commit,
                leaders_last,
            } => write!(
                f,
                "{node} knows {commit} entries committed, the leader's log ends at {leaders_last}"
            ),
            Self::AppliedBehind {
                node,
                applied,
                leaders_last,
            } => write!(f, "{node} has applied {applied} of {leaders_last} entries"),
            Self::ServerEnds { node, times, why } => {
                write!(
                    f,
                    "{node}'s server has ended {times} times, last with: {why}"
                )
            }
            Self::NobodyLeads => f.write_str("nobody leads"),
            Self::ClientsUnanswered { clients } => {
                write!(f, "{clients} clients get no answer to a fresh command")
            }
            Self::ServerBehind { node } => write!(f, "{node} is behind"),
        }
    }
}

impl Unmet {
    /// What it is about.
    pub(super) fn mentions(&self) -> Mentions {
        match self {
            Self::Down { node }
            | Self::LogDiffers { node }
            | Self::ServerBehind { node }
            | Self::ServerEnds { node, .. } => Mentions::default().node(*node),
            Self::NoLeader { term } => Mentions::default().term(*term),
            Self::NoFollower { node, leader, .. } => Mentions::default().node(*node).node(*leader),
            Self::AcknowledgedLost {
                leader,
                last,
                acknowledged,
            } => Mentions::default()
                .node(*leader)
                .entry(*last)
                .entry(*acknowledged),
            Self::CommandUnanswered { leader, term } | Self::ReadUnanswered { leader, term } => {
                Mentions::default().node(*leader).term(*term)
            }
            Self::TransferUnfinished { leader, to } => Mentions::default().node(*leader).node(*to),
            Self::StillJoint { configuration } => Mentions::default().configuration(configuration),
            Self::LogLength {
                node,
                last,
                leaders_last,
            } => Mentions::default()
                .node(*node)
                .entry(*last)
                .entry(*leaders_last),
            Self::CommitBehind {
                node, leaders_last, ..
            }
            | Self::AppliedBehind {
                node, leaders_last, ..
            } => Mentions::default().node(*node).entry(*leaders_last),
            Self::NobodyLeads | Self::ClientsUnanswered { .. } => Mentions::default(),
        }
    }
}

//! What the harness sees of a message: to whom it goes, what kind it is, and what it promises.
//! Knows no implementation's messages.

use crate::ids::{Index, NodeId, Term};

/// What a message is, and what its sender promises by sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its receiver.
    pub to: NodeId,
    /// Its kind.
    pub kind: MessageKind,
    /// The sender's term that it carries; 0 when it carries none or one that the sender has not
    /// entered.
    pub term: Term,
    /// The promise.
    pub claim: Claim,
}

/// The promise that a message makes about its sender's disk (Raft paper, figure
/// 2: persistent state is updated on stable storage before responding to RPCs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing beyond the term.
    Nothing,
    /// The sender's log is durable up to here, and is the receiver's log up to here: see
    /// [`contract`](super::contract#labels).
    Appended {
        /// The index.
        index: Index,
    },
    /// The sender has voted for this candidate in the message's term: by granting its vote, or by
    /// standing for election itself.
    Voted {
        /// The candidate.
        candidate: NodeId,
    },
}

/// The kinds of message that implementations of Raft send.
///
/// The numbers go into the digests of runs: a new variant takes a new number, wherever it stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum MessageKind {
    /// AppendEntries, with entries or without.
    Append = 0,
    /// Its answer.
    AppendReply = 1,
    /// A leader's sign of life, where it is not an Append.
    Heartbeat = 2,
    /// Its answer.
    HeartbeatReply = 3,
    /// RequestVote.
    Vote = 4,
    /// Its answer.
    VoteReply = 5,
    /// The question before RequestVote.
    PreVote = 6,
    /// Its answer.
    PreVoteReply = 7,
    /// InstallSnapshot.
    Snapshot = 8,
    /// A leader asks its successor to stand for election at once.
    TimeoutNow = 9,
    /// A request passed on to the leader, or its answer.
    Forward = 10,
}

impl MessageKind {
    /// All kinds.
    pub const ALL: [MessageKind; 11] = [
        MessageKind::Append,
        MessageKind::AppendReply,
        MessageKind::Heartbeat,
        MessageKind::HeartbeatReply,
        MessageKind::Vote,
        MessageKind::VoteReply,
        MessageKind::PreVote,
        MessageKind::PreVoteReply,
        MessageKind::Snapshot,
        MessageKind::TimeoutNow,
        MessageKind::Forward,
    ];

    /// Its name as people say it.
    pub fn words(self) -> &'static str {
        match self {
            MessageKind::Append => "append",
            MessageKind::AppendReply => "append reply",
            MessageKind::Heartbeat => "heartbeat",
            MessageKind::HeartbeatReply => "heartbeat reply",
            MessageKind::Vote => "vote request",
            MessageKind::VoteReply => "vote reply",
            MessageKind::PreVote => "pre-vote request",
            MessageKind::PreVoteReply => "pre-vote reply",
            MessageKind::Snapshot => "snapshot",
            MessageKind::TimeoutNow => "timeout-now",
            MessageKind::Forward => "forwarded request",
        }
    }

    /// Its name with "a" or "an".
    pub fn with_article(self) -> String {
        let words = self.words();
        let article = if words.starts_with('a') { "an" } else { "a" };
        format!("{article} {words}")
    }
}

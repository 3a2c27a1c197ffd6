//! What nodes send to one another: raftbare's own messages with what they leave to their user. And
//! raftbare's types in the harness's terms, and back.

use bytes::Bytes;
use raftbare::{LogEntries, LogIndex, LogPosition};

use squall_core::adapter::envelope::Envelope;
use squall_core::ids::{Index, NodeId, Term};
use squall_core::replica::{Claim, Label, MessageKind};

/// A message between two nodes. raftbare names the receiver beside the message; and an append's
/// answer says where the sender's log ends, of which only so much is promised as the sender has
/// found to be the log of the leader.
pub type Message = Envelope<Content>;

/// One of raftbare's messages, and what goes with it.
#[derive(Clone, Debug)]
pub struct Content {
    /// The message.
    pub raft: raftbare::Message,
    /// The data of the entries in it, in order: raftbare knows positions only.
    pub data: Vec<Bytes>,
    /// Of an append's answer, the term of that append.
    pub answers: Term,
}

pub(super) fn node(id: raftbare::NodeId) -> NodeId {
    NodeId(u8::try_from(id.get()).expect("ids of a plan's nodes fit a byte"))
}

pub(super) fn id(node: NodeId) -> raftbare::NodeId {
    raftbare::NodeId::new(node.0.into())
}

pub(super) fn position(term: Term, index: Index) -> LogPosition {
    LogPosition {
        term: raftbare::Term::new(term),
        index: LogIndex::new(index),
    }
}

/// The label of one of raftbare's messages to `to`, whose sender has found its log to be that of
/// `to` as the leader of the message's term up to `agreed`.
pub(super) fn label(to: NodeId, message: &raftbare::Message, agreed: Index) -> Label {
    let (kind, claim) = match message {
        raftbare::Message::RequestVoteCall { header, .. } => {
            let candidate = node(header.from);
            (MessageKind::Vote, Claim::Voted { candidate })
        }
        raftbare::Message::RequestVoteReply { vote_granted, .. } => {
            let claim = match vote_granted {
                true => Claim::Voted { candidate: to },
                false => Claim::Nothing,
            };
            (MessageKind::VoteReply, claim)
        }
        raftbare::Message::AppendEntriesCall { .. } => (MessageKind::Append, Claim::Nothing),
        raftbare::Message::AppendEntriesReply { last_position, .. } => {
            let claim = match agreed.min(last_position.index.get()) {
                0 => Claim::Nothing,
                index => Claim::Appended { index },
            };
            (MessageKind::AppendReply, claim)
        }
    };
    Label {
        to,
        kind,
        term: message.term().get(),
        claim,
    }
}

/// `message` in words.
pub(super) fn describe(message: &Message) -> String {
    let Label { kind, term, .. } = message.label;
    let what = match &message.message.raft {
        raftbare::Message::RequestVoteCall { last_position, .. } => {
            format!("log to {}", place(*last_position))
        }
        raftbare::Message::RequestVoteReply { vote_granted, .. } => {
            if *vote_granted { "yes" } else { "no" }.to_owned()
        }
        raftbare::Message::AppendEntriesCall {
            commit_index,
            entries,
            ..
        } => format!(
            "after {}, {}, commit {}",
            place(entries.prev_position()),
            span(entries),
            commit_index.get()
        ),
        raftbare::Message::AppendEntriesReply { last_position, .. } => {
            format!("its log ends at {}", place(*last_position))
        }
    };
    let number = message.message.raft.seqno().get();
    format!("{} {number} of term {term}, {what}", kind.words())
}

fn place(position: LogPosition) -> String {
    format!("{} of term {}", position.index.get(), position.term.get())
}

fn span(entries: &LogEntries) -> String {
    match entries.is_empty() {
        true => "no entries".to_owned(),
        false => format!(
            "entries {} to {}",
            entries.prev_position().index.get() + 1,
            entries.last_position().index.get()
        ),
    }
}

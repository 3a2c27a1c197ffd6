//! What nodes send to one another: noraft's own messages with what they leave to
//! their user, and snapshots. And noraft's types in the harness's terms, and back.

use std::collections::BTreeSet;

use bytes::Bytes;
use noraft::{ClusterConfig, LogEntries, LogIndex, LogPosition};

use squall_core::configuration::Configuration;
use squall_core::ids::{Index, NodeId, NodeSet, Term};
use squall_core::replica::{Claim, Label, MessageKind};
use squall_core::storage::Snapshot;

/// A message between two nodes.
#[derive(Clone, Debug)]
pub enum Message {
    /// One of noraft's.
    Raft {
        /// Its label. noraft names the receiver beside the message; and an append's answer says
        /// where the sender's log ends, of which only so much is promised as the sender has found
        /// to be the log of the leader: what lies beyond, the leader may have it cut off before
        /// the answer leaves.
        label: Label,
        /// The message.
        message: noraft::Message,
        /// The data of the entries in it, in order: noraft knows positions only.
        content: Vec<Bytes>,
        /// Of an append, the newest read that it is to confirm; of its answer, the newest
        /// that the sender has heard of from this leader in this term.
        round: u64,
    },
    /// A snapshot, which noraft leaves to its user altogether.
    Snapshot {
        /// Its receiver.
        to: NodeId,
        /// The sender's term.
        term: Term,
        /// The snapshot.
        snapshot: Snapshot,
    },
}

pub(super) fn node(id: noraft::NodeId) -> NodeId {
    NodeId(u8::try_from(id.get()).expect("ids of a plan's nodes fit a byte"))
}

pub(super) fn id(node: NodeId) -> noraft::NodeId {
    noraft::NodeId::new(node.0.into())
}

pub(super) fn position(term: Term, index: Index) -> LogPosition {
    LogPosition::new(noraft::Term::new(term), LogIndex::new(index))
}

/// What `message` is, and what it promises.
pub(super) fn label(message: &Message) -> Label {
    match message {
        Message::Raft { label, .. } => *label,
        Message::Snapshot { to, term, .. } => Label {
            to: *to,
            kind: MessageKind::Snapshot,
            term: *term,
            claim: Claim::Nothing,
        },
    }
}

/// The label of one of noraft's messages to `to`, whose sender has found its log to be that of `to`
/// as the leader of the message's term up to `agreed`.
pub(super) fn label_for(to: NodeId, message: &noraft::Message, agreed: Index) -> Label {
    let (kind, claim) = match message {
        noraft::Message::RequestVoteCall { from, .. } => {
            let candidate = node(*from);
            (MessageKind::Vote, Claim::Voted { candidate })
        }
        noraft::Message::RequestVoteReply { vote_granted, .. } => {
            let claim = match vote_granted {
                true => Claim::Voted { candidate: to },
                false => Claim::Nothing,
            };
            (MessageKind::VoteReply, claim)
        }
        noraft::Message::AppendEntriesCall { .. } => (MessageKind::Append, Claim::Nothing),
        noraft::Message::AppendEntriesReply { last_position, .. } => {
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
    let Label { kind, term, .. } = label(message);
    let what = match message {
        Message::Snapshot { snapshot, .. } => {
            format!("at {} of term {}", snapshot.index, snapshot.term)
        }
        Message::Raft { message, .. } => match message {
            noraft::Message::RequestVoteCall { last_position, .. } => {
                format!("log to {}", place(*last_position))
            }
            noraft::Message::RequestVoteReply { vote_granted, .. } => {
                if *vote_granted { "yes" } else { "no" }.to_owned()
            }
            noraft::Message::AppendEntriesCall {
                commit_index,
                entries,
                ..
            } => format!(
                "after {}, {}, commit {}",
                place(entries.prev_position()),
                span(entries),
                commit_index.get()
            ),
            noraft::Message::AppendEntriesReply { last_position, .. } => {
                format!("its log ends at {}", place(*last_position))
            }
        },
    };
    format!("{} of term {term}, {what}", kind.words())
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

/// A configuration in the harness's terms. noraft's leaders always leave a joint one by themselves.
pub(super) fn configuration(config: &ClusterConfig) -> Configuration {
    let set = |ids: &BTreeSet<noraft::NodeId>| ids.iter().copied().map(node).collect();
    let learners = set(&config.non_voters);
    match config.is_joint_consensus() {
        true => Configuration {
            voters: set(&config.new_voters),
            outgoing: set(&config.voters),
            learners,
            auto_leave: true,
            ..Configuration::default()
        },
        false => Configuration {
            voters: set(&config.voters),
            learners,
            ..Configuration::default()
        },
    }
}

/// A configuration in noraft's terms.
pub(super) fn cluster_config(configuration: &Configuration) -> ClusterConfig {
    let ids = |set: NodeSet| set.iter().map(id).collect();
    let mut config = ClusterConfig::new();
    config.non_voters = ids(configuration.learners);
    match configuration.is_joint() {
        true => {
            config.voters = ids(configuration.outgoing);
            config.new_voters = ids(configuration.voters);
        }
        false => config.voters = ids(configuration.voters),
    }
    config
}

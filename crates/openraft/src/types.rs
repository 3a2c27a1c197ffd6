//! The types that openraft is parametrised by, and Squall's terms of what is in them.
//!
//! openraft names a leader by term and node. With `leader_id_std` a term has one leader, as in the
//! Raft paper. With `leader_id_adv` a term may have several, of which one with a higher number
//! overrides one with a lower: what the paper says of terms holds of pairs of term and node. So
//! such a pair is what Squall takes for a term there: the node's number in the lowest eight bits.
//!
//! openraft's logs begin at index 0, and Squall's at 1.

use std::fmt;

use bytes::Bytes;
use openraft::impls::{InlineBatch, leader_id_adv, leader_id_std};
use openraft::raft::responder::Responder;
use openraft::vote::{RaftLeaderId, RaftVote, leader_id_std::CommittedLeaderId};
use openraft::{AnyError, EntryPayload, LogId, OptionalSend, RaftTypeConfig};
use serde::{Deserialize, Serialize};
use squall_core::ids::{self, Index, NodeId};
use squall_core::service::Answer;

use super::runtime::NodeRuntime;

/// What an entry is for.
pub type Payload = EntryPayload<Command, u64, ()>;
/// Who is in the cluster.
pub type Membership = openraft::Membership<u64, ()>;
/// Names the leader that made an entry.
pub type Leader<C> = <<C as RaftTypeConfig>::LeaderId as RaftLeaderId>::Committed;
/// Names an entry.
pub type EntryId<C> = LogId<Leader<C>>;
/// Who is in the cluster, and by which entry.
pub type StoredMembership<C> = openraft::StoredMembership<Leader<C>, u64, ()>;
/// What a snapshot stands for.
pub type SnapshotMeta<C> = openraft::SnapshotMeta<Leader<C>, u64, ()>;
/// A snapshot of the service.
pub type Snapshot<C> = openraft::Snapshot<Leader<C>, u64, (), Bytes>;

/// A client's command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command(pub Bytes);

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What a command did, if it was one.
pub type Outcome = Option<Answer>;

/// How leaders are named.
pub trait Mode:
    RaftTypeConfig<
        D = Command,
        R = Outcome,
        NodeId = u64,
        Node = (),
        Term = u64,
        Payload = Payload,
        AsyncRuntime = NodeRuntime,
        Entry: Clone,
        Vote: Copy,
        LeaderId: Copy,
        Responder<openraft::raft::ClientWriteResult<Self>> = Reply<
            openraft::raft::ClientWriteResult<Self>,
        >,
        ErrorSource = AnyError,
    >
{
    /// Squall's term of a leader, or of a candidate.
    fn term(leader: &Self::LeaderId) -> ids::Term;

    /// The leader of Squall's term, which is this node where a term may have several.
    fn leader(term: ids::Term, node: Option<NodeId>) -> Self::LeaderId;

    /// Squall's term of an entry.
    fn term_of_entry(leader: &Leader<Self>) -> ids::Term;

    /// What an entry is for.
    fn payload(entry: &Self::Entry) -> &Payload;

    /// The same, to be changed.
    fn payload_mut(entry: &mut Self::Entry) -> &mut Payload;
}

/// Leaders as in the Raft paper: one a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OneLeaderATerm;

/// Several leaders a term, of which the one with the highest number prevails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeveralLeadersATerm;

macro_rules! type_config {
    ($name:ident, $leader:ty) => {
        impl RaftTypeConfig for $name {
            type D = Command;
            type R = Outcome;
            type NodeId = u64;
            type Node = ();
            type Term = u64;
            type LeaderId = $leader;
            type Vote = openraft::Vote<Self::LeaderId>;
            type Payload = Payload;
            type Entry = openraft::Entry<Leader<Self>, Payload>;
            type AsyncRuntime = NodeRuntime;
            type Responder<T>
                = Reply<T>
            where
                T: OptionalSend + 'static;
            type Batch<T>
                = InlineBatch<T>
            where
                T: OptionalSend + 'static;
            type ErrorSource = AnyError;
        }
    };
}

type_config!(OneLeaderATerm, leader_id_std::LeaderId<u64, u64>);
type_config!(SeveralLeadersATerm, leader_id_adv::LeaderId<u64, u64>);

impl Mode for OneLeaderATerm {
    fn term(leader: &Self::LeaderId) -> ids::Term {
        leader.term
    }

    fn leader(term: ids::Term, node: Option<NodeId>) -> Self::LeaderId {
        Self::LeaderId::new(term, node.map_or(0, |node| node.0.into()))
    }

    fn term_of_entry(leader: &CommittedLeaderId<u64>) -> ids::Term {
        leader.term
    }

    fn payload(entry: &Self::Entry) -> &Payload {
        &entry.payload
    }

    fn payload_mut(entry: &mut Self::Entry) -> &mut Payload {
        &mut entry.payload
    }
}

impl Mode for SeveralLeadersATerm {
    fn term(leader: &Self::LeaderId) -> ids::Term {
        // Before the first election every node goes by a leader of its own, of term 0.
        match leader.term {
            0 => 0,
            term => term << 8 | leader.node_id,
        }
    }

    fn leader(term: ids::Term, _: Option<NodeId>) -> Self::LeaderId {
        Self::LeaderId::new(term >> 8, term & 0xff)
    }

    fn term_of_entry(leader: &Self::LeaderId) -> ids::Term {
        Self::term(leader)
    }

    fn payload(entry: &Self::Entry) -> &Payload {
        &entry.payload
    }

    fn payload_mut(entry: &mut Self::Entry) -> &mut Payload {
        &mut entry.payload
    }
}

/// Squall's term of a vote.
pub(super) fn term_of_vote<C: Mode>(vote: &C::Vote) -> ids::Term {
    C::term(vote.leader_id())
}

/// Whom a vote is for.
pub(super) fn node_of_vote<C: Mode>(vote: &C::Vote) -> NodeId {
    node(*vote.leader_id().node_id())
}

/// A node by openraft's number.
pub(super) fn node(id: u64) -> NodeId {
    NodeId(u8::try_from(id).expect("ids of a plan's nodes fit a byte"))
}

/// A node's number in openraft.
pub(super) fn id(node: NodeId) -> u64 {
    node.0.into()
}

/// Where an entry stands in Squall's logs.
pub(super) fn index<C: Mode>(entry: &EntryId<C>) -> Index {
    entry.index() + 1
}

/// Names an entry by its place in Squall's logs; none for the place before them.
pub(super) fn entry_id<C: Mode>(index: Index, term: ids::Term) -> Option<EntryId<C>> {
    let place = index.checked_sub(1)?;
    Some(LogId::new(C::leader(term, None).to_committed(), place))
}

/// Does something with what a request came to.
pub struct Reply<T>(Box<dyn FnOnce(T) + Send>);

impl<T> Reply<T> {
    /// One that does this.
    pub fn new(answer: impl FnOnce(T) + Send + 'static) -> Self {
        Self(Box::new(answer))
    }
}

impl<C, T> Responder<C, T> for Reply<T>
where
    C: RaftTypeConfig,
    T: OptionalSend + 'static,
{
    fn on_complete(self, result: T) {
        (self.0)(result);
    }
}

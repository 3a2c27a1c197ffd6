//! What nodes send to one another: openraft's calls and their answers, each with a number that
//! says which call an answer is for.

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::vote::RaftVote;
use squall_core::adapter::envelope::Envelope;
use squall_core::ids::{Index, NodeId};
use squall_core::replica::{Claim, Label, MessageKind};

use super::types::{self, EntryId, Mode, SnapshotMeta};

/// A message between two nodes.
pub type Message<C> = Envelope<Content<C>>;

/// A call, or the answer to one.
#[derive(Clone, Debug)]
pub struct Content<C: Mode> {
    /// The caller's number of the call.
    pub call: u64,
    /// What is said.
    pub body: Body<C>,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Body<C: Mode> {
    /// A call.
    Request(Request<C>),
    /// An answer.
    Response(Response<C>),
}

/// A call.
#[derive(Clone, Debug)]
pub enum Request<C: Mode> {
    /// AppendEntries, with entries or without.
    Append(AppendEntriesRequest<C>),
    /// RequestVote.
    Vote(VoteRequest<C>),
    /// The question before RequestVote.
    PreVote(VoteRequest<C>),
    /// InstallSnapshot.
    Snapshot {
        /// The leader's vote.
        vote: C::Vote,
        /// What the snapshot stands for.
        meta: SnapshotMeta<C>,
        /// The service.
        data: Bytes,
    },
    /// The leader hands leadership over: to the receiver, or to another.
    Transfer(TransferLeaderRequest<C>),
}

/// An answer to a call.
#[derive(Clone, Debug)]
pub enum Response<C: Mode> {
    /// To AppendEntries.
    Append(AppendEntriesResponse<C>),
    /// To RequestVote, and to the question before.
    Vote(VoteResponse<C>),
    /// To InstallSnapshot.
    Snapshot(SnapshotResponse<C>),
    /// To a transfer of leadership.
    Transfer(TransferLeaderResponse<C>),
}

fn last<C: Mode>(append: &AppendEntriesRequest<C>) -> Option<Index> {
    use openraft::entry::RaftEntry;
    let last = append.entries.last().map(RaftEntry::log_id);
    let last: Option<EntryId<C>> = last.or_else(|| append.prev_log_id.clone());
    last.map(|last| types::index::<C>(&last))
}

/// A call as it leaves for `to`.
pub(super) fn call<C: Mode>(to: NodeId, call: u64, request: Request<C>) -> Message<C> {
    let term = types::term_of_vote::<C>;
    let (kind, term, claim) = match &request {
        Request::Append(append) => (MessageKind::Append, term(&append.vote), Claim::Nothing),
        Request::Vote(ask) => {
            let candidate = types::node_of_vote::<C>(&ask.vote);
            (
                MessageKind::Vote,
                term(&ask.vote),
                Claim::Voted { candidate },
            )
        }
        // The candidate has not entered the term that it would stand for.
        Request::PreVote(_) => (MessageKind::PreVote, 0, Claim::Nothing),
        Request::Snapshot { vote, .. } => (MessageKind::Snapshot, term(vote), Claim::Nothing),
        Request::Transfer(transfer) => {
            // All others are told, too, so that they vote for it.
            let kind = match types::node(*transfer.to_node_id()) == to {
                true => MessageKind::TimeoutNow,
                false => MessageKind::Forward,
            };
            (kind, term(transfer.from_leader()), Claim::Nothing)
        }
    };
    Message {
        label: Label {
            to,
            kind,
            term,
            claim,
        },
        message: Content {
            call,
            body: Body::Request(request),
        },
    }
}

/// The promise of an answer to a call, as far as the call says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    kind: MessageKind,
    /// The term of the caller.
    pub(super) term: u64,
    /// How far the answerer's log is the caller's, if it agrees.
    index: Option<Index>,
}

impl Asked {
    pub(super) fn by<C: Mode>(request: &Request<C>) -> Self {
        let (kind, vote, index) = match request {
            Request::Append(append) => (MessageKind::AppendReply, append.vote, last(append)),
            Request::Vote(ask) => (MessageKind::VoteReply, ask.vote, None),
            Request::PreVote(ask) => (MessageKind::PreVoteReply, ask.vote, None),
            Request::Snapshot { vote, meta, .. } => {
                let index = meta.last_log_id.as_ref().map(types::index::<C>);
                (MessageKind::AppendReply, *vote, index)
            }
            Request::Transfer(transfer) => (MessageKind::Forward, *transfer.from_leader(), None),
        };
        Self {
            kind,
            term: types::term_of_vote::<C>(&vote),
            index,
        }
    }

    /// How far the answerer's log is the caller's, by its answer.
    pub(super) fn accepted<C: Mode>(self, response: &Response<C>) -> Option<Index> {
        let accepted = match response {
            Response::Append(append) => append.is_success(),
            Response::Snapshot(snapshot) => types::term_of_vote::<C>(&snapshot.vote) == self.term,
            Response::Vote(_) | Response::Transfer(_) => false,
        };
        self.index.filter(|_| accepted)
    }

    /// The answer as it leaves for `to`.
    pub(super) fn answer<C: Mode>(
        self,
        to: NodeId,
        call: u64,
        response: Response<C>,
    ) -> Message<C> {
        let appended = self
            .index
            .map_or(Claim::Nothing, |index| Claim::Appended { index });
        let (term, claim) = match &response {
            Response::Append(AppendEntriesResponse::HigherVote(vote)) => {
                (types::term_of_vote::<C>(vote), Claim::Nothing)
            }
            Response::Append(AppendEntriesResponse::Success) => (self.term, appended),
            Response::Append(_) => (self.term, Claim::Nothing),
            Response::Vote(vote) => {
                let term = types::term_of_vote::<C>(&vote.vote);
                let granted = vote.vote_granted && self.kind == MessageKind::VoteReply;
                let claim = match granted {
                    true => Claim::Voted { candidate: to },
                    false => Claim::Nothing,
                };
                (term, claim)
            }
            Response::Snapshot(snapshot) => {
                let term = types::term_of_vote::<C>(&snapshot.vote);
                let claim = match term == self.term {
                    true => appended,
                    false => Claim::Nothing,
                };
                (term, claim)
            }
            Response::Transfer(_) => (0, Claim::Nothing),
        };
        Message {
            label: Label {
                to,
                kind: self.kind,
                term,
                claim,
            },
            message: Content {
                call,
                body: Body::Response(response),
            },
        }
    }
}

/// `message` in words.
pub(super) fn describe<C: Mode>(message: &Message<C>) -> String {
    let Label { kind, term, .. } = message.label;
    let place = |entry: Option<&EntryId<C>>| match entry {
        None => "the beginning".to_owned(),
        Some(entry) => {
            let term = C::term_of_entry(entry.committed_leader_id());
            format!("{} of term {term}", types::index::<C>(entry))
        }
    };
    let what = match &message.message.body {
        Body::Request(Request::Append(append)) => format!(
            "after {}, {} entries, commit {}",
            place(append.prev_log_id.as_ref()),
            append.entries.len(),
            place(append.leader_commit.as_ref()),
        ),
        Body::Request(Request::Vote(ask) | Request::PreVote(ask)) => {
            format!("log to {}", place(ask.last_log_id.as_ref()))
        }
        Body::Request(Request::Snapshot { meta, .. }) => {
            format!("at {}", place(meta.last_log_id.as_ref()))
        }
        Body::Request(Request::Transfer(transfer)) => {
            format!("leadership goes to {}", types::node(*transfer.to_node_id()))
        }
        Body::Response(Response::Append(append)) => match append {
            AppendEntriesResponse::Success => "done".to_owned(),
            AppendEntriesResponse::PartialSuccess(_) => "done in part".to_owned(),
            AppendEntriesResponse::Conflict => "the logs differ".to_owned(),
            AppendEntriesResponse::HigherVote(vote) => {
                let leader = types::node_of_vote::<C>(vote);
                let is_leader = vote.is_committed();
                let whom = if is_leader { "follows" } else { "votes for" };
                format!("it {whom} {leader}")
            }
        },
        Body::Response(Response::Vote(vote)) => {
            if vote.vote_granted { "yes" } else { "no" }.to_owned()
        }
        Body::Response(Response::Snapshot(_)) => "of a snapshot".to_owned(),
        Body::Response(Response::Transfer(answer)) => match answer {
            Ok(()) => "taken over".to_owned(),
            Err(_) => "not taken over".to_owned(),
        },
    };
    format!("{} of term {term}, {what}", kind.words())
}

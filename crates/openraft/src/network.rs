//! openraft's network: a call is a message with a number, and waits for the message that answers
//! it, for as long as openraft says.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{self, Either};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use openraft_rt::AsyncRuntime;
use squall_core::ids::NodeId;
use squall_core::replica::Observation;

use super::desk::Desk;
use super::messages::{Request, Response};
use super::runtime::NodeRuntime;
use super::types::{self, Mode, Snapshot};

/// Makes connections to peers.
pub(super) struct Network<C: Mode>(pub(super) Desk<C>);

/// A connection to a peer.
pub(super) struct Connection<C: Mode> {
    desk: Desk<C>,
    own: u64,
    peer: NodeId,
}

impl<C: Mode> RaftNetworkFactory<C> for Network<C> {
    type Network = Connection<C>;

    async fn new_client(&mut self, target: u64, (): &()) -> Connection<C> {
        let own = types::id(self.0.open().id);
        Connection {
            desk: self.0.clone(),
            own,
            peer: types::node(target),
        }
    }
}

/// A call that is under way. Dropping it gives it up.
struct Pending<C: Mode> {
    desk: Desk<C>,
    number: u64,
}

impl<C: Mode> Drop for Pending<C> {
    fn drop(&mut self) {
        self.desk.open().forget_call(self.number);
    }
}

const WRONG: &str = "an answer is of its call's kind";

impl<C: Mode> Connection<C> {
    async fn call(
        &self,
        action: RPCTypes,
        request: Request<C>,
        limit: Duration,
    ) -> Result<Response<C>, RPCError<C>> {
        let (number, receiver) = self.desk.open().call(self.peer, request);
        let _pending = Pending {
            desk: self.desk.clone(),
            number,
        };
        match NodeRuntime::timeout(limit, receiver).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) => {
                let gone = Unreachable::from_string("the peer is not there");
                Err(RPCError::Unreachable(gone))
            }
            Err(_) => Err(RPCError::Timeout(Timeout {
                action,
                id: self.own,
                target: types::id(self.peer),
                timeout: limit,
            })),
        }
    }
}

impl<C: Mode> RaftNetworkV2<C> for Connection<C> {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        append: AppendEntriesRequest<C>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<C>, RPCError<C>> {
        let (action, request) = (RPCTypes::AppendEntries, Request::Append(append));
        match self.call(action, request, option.hard_ttl()).await? {
            Response::Append(answer) => Ok(answer),
            _ => unreachable!("{WRONG}"),
        }
    }

    async fn vote(
        &mut self,
        ask: VoteRequest<C>,
        option: RPCOption,
    ) -> Result<VoteResponse<C>, RPCError<C>> {
        let (action, request) = (RPCTypes::Vote, Request::Vote(ask));
        match self.call(action, request, option.hard_ttl()).await? {
            Response::Vote(answer) => Ok(answer),
            _ => unreachable!("{WRONG}"),
        }
    }

    async fn pre_vote(
        &mut self,
        ask: VoteRequest<C>,
        option: RPCOption,
    ) -> Result<VoteResponse<C>, RPCError<C>> {
        let (action, request) = (RPCTypes::Vote, Request::PreVote(ask));
        match self.call(action, request, option.hard_ttl()).await? {
            Response::Vote(answer) => Ok(answer),
            _ => unreachable!("{WRONG}"),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: C::Vote,
        snapshot: Snapshot<C>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<C>, StreamingError<C>> {
        let request = Request::Snapshot {
            vote,
            meta: snapshot.meta,
            data: snapshot.snapshot,
        };
        let call = self.call(RPCTypes::InstallSnapshot, request, option.hard_ttl());
        let (call, cancel) = (std::pin::pin!(call), std::pin::pin!(cancel));
        match future::select(cancel, call).await {
            Either::Left((closed, _)) => Err(StreamingError::Closed(closed)),
            Either::Right((Ok(Response::Snapshot(answer)), _)) => Ok(answer),
            Either::Right((Ok(_), _)) => unreachable!("{WRONG}"),
            Either::Right((Err(error), _)) => Err(error.into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        transfer: TransferLeaderRequest<C>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<C>, RPCError<C>> {
        {
            let mut things = self.desk.open();
            let to = Some(types::node(*transfer.to_node_id()));
            if things.transfer != to {
                things.transfer = to;
                things.out.observe(Observation::Transfer { to });
            }
        }
        let (action, request) = (RPCTypes::TransferLeader, Request::Transfer(transfer));
        match self.call(action, request, option.hard_ttl()).await? {
            Response::Transfer(answer) => Ok(answer),
            _ => unreachable!("{WRONG}"),
        }
    }
}

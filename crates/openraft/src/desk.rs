//! What a node's tasks and the harness share: what is to be done after a step, which syncs and
//! calls are under way, and what the node's storage holds.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_channel::oneshot;
use openraft::storage::IOFlushed;
use squall_core::adapter::reports::Reports;
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::replica::{Observation, Output, Reply, ReplyOutcome, SyncId, SyncResult};

use super::log::Log;
use super::messages::{self, Asked, Message, Request, Response};
use super::state_machine::Machine;
use super::tally::Tally;
use super::types::Mode;

/// What is shared. Nobody keeps it open while waiting.
pub(super) struct Desk<C: Mode>(Arc<Mutex<Things<C>>>);

impl<C: Mode> Clone for Desk<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Mode> Desk<C> {
    pub(super) fn new(things: Things<C>) -> Self {
        Self(Arc::new(Mutex::new(things)))
    }

    pub(super) fn open(&self) -> MutexGuard<'_, Things<C>> {
        self.0.lock().expect("no holder panics and goes on")
    }

    /// Everything before is durable when the sync is done that is asked for here.
    pub(super) async fn synced(&self) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.open().sync(Then::Wake(sender));
        receiver.await.unwrap_or_else(|_| Err(failed()))
    }

    /// The sync is over, and so are all before it.
    pub(super) fn sync_is_over(&self, sync: SyncId, result: SyncResult) {
        loop {
            let mut things = self.open();
            let due = things
                .syncs
                .front()
                .is_some_and(|(asked, _)| *asked <= sync);
            let next = due.then(|| things.syncs.pop_front()).flatten();
            let Some((_, then)) = next else {
                return;
            };
            drop(things);
            let result = match result {
                SyncResult::Done => Ok(()),
                SyncResult::Failed => Err(failed()),
            };
            match then {
                Then::Nothing => {}
                Then::Flushed(index, callback) => {
                    if result.is_ok() {
                        let mut things = self.open();
                        let (id, term) = (things.id, things.tally.term());
                        things.tally.accepted(term, id, index);
                    }
                    callback.io_completed(result);
                }
                // Nobody waits any more.
                Then::Wake(sender) => drop(sender.send(result)),
            }
        }
    }
}

fn failed() -> io::Error {
    io::Error::other("the sync failed")
}

/// What follows a sync.
pub(super) enum Then<C: Mode> {
    Nothing,
    /// openraft is told that an append up to this index is durable.
    Flushed(Index, IOFlushed<C>),
    /// A task goes on.
    Wake(oneshot::Sender<io::Result<()>>),
}

/// A call that waits for its answer.
struct Call<C: Mode> {
    to: NodeId,
    asked: Asked,
    answer: oneshot::Sender<Response<C>>,
}

/// What is shared.
pub(super) struct Things<C: Mode> {
    pub(super) id: NodeId,
    pub(super) out: Output<Message<C>>,
    syncs: VecDeque<(SyncId, Then<C>)>,
    syncs_asked: u64,
    /// Writes that a user's storage has not claimed to be durable.
    unclaimed: u32,
    /// What follows syncs that wait for these.
    put_off: Vec<Then<C>>,
    calls: BTreeMap<u64, Call<C>>,
    calls_made: u64,
    pub(super) reports: Reports,
    /// While the node leads.
    pub(super) tally: Tally,
    /// To whom leadership is being handed over.
    pub(super) transfer: Option<NodeId>,
    pub(super) log: Log<C>,
    pub(super) machine: Machine<C>,
}

impl<C: Mode> Things<C> {
    pub(super) fn new(
        id: NodeId,
        incarnation: u32,
        reports: Reports,
        log: Log<C>,
        machine: Machine<C>,
    ) -> Self {
        Self {
            id,
            out: Output::default(),
            syncs: VecDeque::new(),
            syncs_asked: 0,
            unclaimed: 0,
            put_off: Vec::new(),
            calls: BTreeMap::new(),
            // An answer to a call of an earlier incarnation is none to one of this.
            calls_made: u64::from(incarnation) << 32,
            reports,
            tally: Tally::default(),
            transfer: None,
            log,
            machine,
        }
    }

    /// A user's storage is about to write something: no sync is to cover that before the storage
    /// says that it is durable.
    pub(super) fn hold(&mut self) {
        self.unclaimed += 1;
    }

    /// It has said so.
    pub(super) fn release(&mut self) {
        self.unclaimed -= 1;
        if self.unclaimed == 0 {
            for then in std::mem::take(&mut self.put_off) {
                self.sync_now(then);
            }
        }
    }

    /// Asks for a sync of everything so far, as soon as nothing is on hold.
    pub(super) fn sync(&mut self, then: Then<C>) {
        match self.unclaimed {
            0 => drop(self.sync_now(then)),
            _ => self.put_off.push(then),
        }
    }

    /// Asks for a sync of everything so far.
    pub(super) fn sync_now(&mut self, then: Then<C>) -> SyncId {
        self.log.write_end(&mut self.out);
        self.syncs_asked += 1;
        let sync = SyncId(self.syncs_asked);
        self.out.sync(sync);
        self.syncs.push_back((sync, then));
        sync
    }

    /// Sends a call, and returns its number and where its answer comes.
    pub(super) fn call(
        &mut self,
        to: NodeId,
        request: Request<C>,
    ) -> (u64, oneshot::Receiver<Response<C>>) {
        self.calls_made += 1;
        let number = self.calls_made;
        let (answer, receiver) = oneshot::channel();
        let asked = Asked::by(&request);
        self.calls.insert(number, Call { to, asked, answer });
        self.out.send(messages::call(to, number, request));
        (number, receiver)
    }

    /// An answer has come. It may come twice, or too late.
    pub(super) fn answered(&mut self, from: NodeId, number: u64, response: Response<C>) {
        let call = self.calls.remove(&number);
        if let Some(call) = call.filter(|call| call.to == from) {
            if let Some(index) = call.asked.accepted(&response) {
                self.tally.accepted(call.asked.term, from, index);
            }
            drop(call.answer.send(response));
        }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn forget_call(&mut self, number: u64) {
        self.calls.remove(&number);
    }

    /// Calls to `peer` fail.
    pub(super) fn hang_up(&mut self, peer: NodeId) {
        self.calls.retain(|_, call| call.to != peer);
    }

    /// The node has this role in this term. What it has committed as the leader that it was it may
    /// say only later, when it is about to apply that.
    pub(super) fn show_role(&mut self, role: Role, term: Term) {
        if role == Role::Leader {
            self.tally.begin(term);
        } else if let Some(term) = self.tally.end() {
            let term_of = |index| self.log.term_of(index);
            let configuration = self.log.configuration();
            let committed = self.tally.committed(&configuration, term, term_of);
            let commit = committed.max(self.reports.last_commit());
            self.reports.commit(commit, &mut self.out);
        }
        self.reports.role(role, term, &mut self.out);
        if role != Role::Leader && self.transfer.take().is_some() {
            self.out.observe(Observation::Transfer { to: None });
        }
    }

    pub(super) fn reply(&mut self, client: u32, sequence: u64, outcome: ReplyOutcome) {
        self.out.reply(Reply {
            client,
            sequence,
            outcome,
        });
    }
}

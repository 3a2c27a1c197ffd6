//! One node: openraft's tasks on an executor of its own, which is run for each input until nothing
//! in it can go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use openraft::raft::AppendEntriesRequest;
use openraft::vote::RaftVote;
use openraft::{Config, Raft};
use openraft_rt::{AsyncRuntime, WatchReceiver};
use squall_core::adapter::reports::Reports;
use squall_core::ids::{NodeId, Role};
use squall_core::options::DriverOptions;
use squall_core::replica::{
    BootContext, Input, Label, Next, Output, Replica, Start, SyncId, SyncResult,
};
use squall_world::hash::mix;

use super::desk::{Desk, Then, Things};
use super::log::Log;
use super::log_storage::LogStorage;
use super::membership;
use super::messages::{self, Asked, Body, Content, Message, Request, Response};
use super::network::Network;
use super::own_options::{self, Triggers};
use super::runtime::{Executor, NodeRuntime};
use super::state_machine::{Machine, StateMachine};
use super::storage::{Opened, Own};
use super::types::{self, Mode, Snapshot, SnapshotMeta};

/// openraft, as a node has it.
pub(super) type RaftOf<C> = Raft<C, StateMachine<C>>;

/// One node of openraft.
pub struct OpenraftNode<C: Mode> {
    /// Dropped first: what its tasks drop may look for the rest.
    executor: Executor,
    pub(super) id: NodeId,
    pub(super) desk: Desk<C>,
    config: Arc<Config>,
    options: DriverOptions,
    keeps_commit: bool,
    pub(super) lease_reads: bool,
    pub(super) triggers: Triggers,
    /// openraft starts when this sync is done, which covers what recovery wrote.
    starts_after: Option<SyncId>,
    has_started: bool,
    /// There once it has started.
    raft: Arc<Mutex<Option<RaftOf<C>>>>,
    /// Why it has not started, where it will not.
    refusal: Arc<Mutex<Option<String>>>,
    /// A sync has failed.
    has_failed: bool,
    /// A user's storage, until openraft has it, and what it writes to.
    own: Option<Own<C>>,
}

/// The executor of a node that starts.
pub(super) fn executor(boot: &BootContext<'_>) -> Executor {
    let node = u64::from(boot.id.0) << 32 | u64::from(boot.incarnation);
    Executor::with_stop(mix(boot.seed, node), boot.files.power_failure())
}

impl<C: Mode> OpenraftNode<C> {
    pub(super) fn new(
        boot: &BootContext<'_>,
        config: Arc<Config>,
        mut start: Start,
        snapshot: Option<Snapshot<C>>,
        opened: Option<Opened<C>>,
        out: &mut Output<Message<C>>,
    ) -> Self {
        let is_new = start.state.snapshot.is_none() && start.state.log.last() == 0;
        let reports = Reports::new(&start);
        let service = std::mem::take(&mut start.service);
        let mut log = Log::<C>::of(&start.state, start.configuration);
        if opened.is_none() {
            log.show_configurations(out);
        }
        // A founder finds the first configuration in its log, as `Raft::initialize` puts it there.
        let founds = is_new && !start.configuration.is_empty();
        if founds {
            let members = membership::membership(&start.configuration);
            log.append(first_entry::<C>(members), out);
        }
        let mut machine = Machine::new(service, snapshot);
        if let Some(opened) = &opened {
            log.goes_by(opened.configuration(), out);
            log.vote = opened.vote;
            machine.applied.clone_from(&opened.shadow.at);
            machine.membership = opened.shadow.members.clone();
        }
        let mut things = Things::new(boot.id, boot.incarnation, reports, log, machine);
        let must_wait = founds || start.next == Next::WaitForSync;
        std::mem::swap(&mut things.out, out);
        let starts_after = must_wait.then(|| things.sync_now(Then::Nothing));
        std::mem::swap(&mut things.out, out);
        let desk = Desk::new(things);
        let (executor, own) = match opened {
            Some(opened) => {
                let (executor, own) = opened.running(&desk);
                (executor, Some(own))
            }
            None => (executor(boot), None),
        };
        Self {
            executor,
            id: boot.id,
            desk,
            own,
            config,
            options: boot.driver.clone(),
            keeps_commit: boot.driver.flag(own_options::KEEP_COMMIT.name),
            lease_reads: boot.raft.lease_reads,
            triggers: Triggers::of(boot.driver),
            starts_after,
            has_started: false,
            raft: Arc::default(),
            refusal: Arc::default(),
            has_failed: false,
        }
    }

    /// The same on a user's storage that openraft never got.
    pub(super) fn on(self, own: Own<C>) -> Self {
        Self {
            own: Some(own),
            has_started: true,
            ..self
        }
    }

    /// openraft, once it has started.
    pub(super) fn raft(&self) -> Option<RaftOf<C>> {
        self.raft.lock().expect("no holder panics").clone()
    }

    /// Starts openraft from what the disk kept.
    fn start(&mut self) {
        self.has_started = true;
        let desk = &self.desk;
        let (log, machine) = self.own.as_mut().map_or((None, None), Own::take);
        let log = LogStorage::new(desk.clone(), &self.options, self.keeps_commit, log);
        let machine = StateMachine::new(desk.clone(), self.options.clone(), machine);
        let network = Network(desk.clone());
        let (id, config) = (types::id(self.id), self.config.clone());
        let (place, refusal) = (self.raft.clone(), self.refusal.clone());
        spawn(async move {
            match Raft::new(id, config, network, log, machine).await {
                Ok(raft) => *place.lock().expect("no holder panics") = Some(raft),
                Err(why) => *refusal.lock().expect("no holder panics") = Some(why.to_string()),
            }
        });
    }

    /// Why openraft has given up, where it has: by its own judgement, unless a sync has failed.
    fn has_given_up(&self) -> Option<String> {
        if let Some(why) = self.refusal.lock().expect("no holder panics").take() {
            return Some(why);
        }
        let metrics = self.raft()?.metrics();
        let running = &metrics.borrow_watched().running_state;
        running.as_ref().err().map(ToString::to_string)
    }

    fn take(&mut self, input: Input<Message<C>>) {
        match input {
            Input::Tick => {}
            Input::Deliver { from, message } => self.receive(from, message.message),
            Input::Synced { sync, result } => {
                self.has_failed |= result == SyncResult::Failed;
                self.starts_after = self.starts_after.filter(|awaited| *awaited > sync);
                self.desk.sync_is_over(sync, result);
            }
            Input::Request(request) => self.propose(request),
            Input::Read(request) => self.read(request),
            Input::Admin(admin) => self.administer(admin),
            Input::Unreachable { peer }
            | Input::SnapshotSent {
                peer,
                delivered: false,
            } => self.desk.open().hang_up(peer),
            Input::SnapshotSent { .. } | Input::Connection { .. } => {}
        }
    }

    fn receive(&mut self, from: NodeId, content: Content<C>) {
        let Content { call, body } = content;
        let request = match body {
            Body::Response(response) => {
                self.desk.open().answered(from, call, response);
                return;
            }
            Body::Request(request) => request,
        };
        // Before it has started, nobody listens.
        let Some(raft) = self.raft() else { return };
        let desk = self.desk.clone();
        let asked = Asked::by(&request);
        let (over_log, at_once) = (
            self.triggers.snapshot_over_log,
            self.triggers.answer_old_snapshot_at_once,
        );
        let (mut first, mut installs) = (None, None);
        if let Request::Snapshot { vote, meta, .. } = &request {
            first = (!over_log && !at_once).then(|| up_to_snapshot::<C>(vote, meta));
            installs = meta.last_log_id.clone().filter(|_| over_log && !at_once);
        }
        spawn(async move {
            if let Some(append) = first {
                drop(raft.append_entries(append).await);
            }
            if let Some(response) = handle(&raft, request).await {
                let holds = desk.open().machine.snapshot_end();
                // It takes what it has committed itself for installed, durable or not.
                if holds < installs && desk.synced().await.is_err() {
                    return;
                }
                let answer = asked.answer(from, call, response);
                desk.open().out.send(answer);
            }
        });
    }

    /// What its own votes do not show: that it leads no longer because it is no voter.
    fn show_role(&self) {
        let Some(raft) = self.raft() else { return };
        let metrics = raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let term = types::term_of_vote::<C>(&metrics.vote);
        let mut things = self.desk.open();
        let leads = things.reports.last_role() == Role::Leader;
        let vote_is_its_own = things.log.vote == Some(metrics.vote) && metrics.vote.is_committed();
        if leads && vote_is_its_own && !metrics.state.is_leader() {
            things.show_role(Role::Follower, term);
        }
    }

    /// Asks for a snapshot when the log has grown by so much.
    fn mind_growth(&self) -> bool {
        let mut things = self.desk.open();
        let due = things.machine.grown_bytes >= self.options.snapshot_every_bytes;
        let Some(raft) = self.raft().filter(|_| due) else {
            return false;
        };
        things.machine.grown_bytes = 0;
        drop(things);
        spawn(async move { drop(raft.trigger().snapshot().await) });
        true
    }
}

/// Adds a task, for which nobody waits.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(NodeRuntime::spawn(task));
}

/// The entry that a cluster begins with.
fn first_entry<C: Mode>(members: types::Membership) -> C::Entry {
    use openraft::entry::{RaftEntry, RaftPayload};
    let id = types::entry_id::<C>(1, 0).expect("it has an index");
    C::Entry::new(id, types::Payload::membership(members))
}

/// An append of the leader's that has openraft compare its log with a snapshot before that is
/// installed: what disagrees is cut off, what agrees is committed, and its answer waits until all
/// of that is durable.
fn up_to_snapshot<C: Mode>(vote: &C::Vote, meta: &SnapshotMeta<C>) -> AppendEntriesRequest<C> {
    AppendEntriesRequest {
        vote: *vote,
        prev_log_id: meta.last_log_id.clone(),
        entries: Vec::new(),
        leader_commit: meta.last_log_id.clone(),
    }
}

/// Hands a call to openraft. None when it has stopped.
async fn handle<C: Mode>(raft: &RaftOf<C>, request: Request<C>) -> Option<Response<C>> {
    let response = match request {
        Request::Append(append) => Response::Append(raft.append_entries(append).await.ok()?),
        Request::Vote(ask) => Response::Vote(raft.vote(ask).await.ok()?),
        Request::PreVote(ask) => Response::Vote(raft.pre_vote(ask).await.ok()?),
        Request::Snapshot { vote, meta, data } => {
            let snapshot = Snapshot::<C> {
                meta,
                snapshot: data,
            };
            Response::Snapshot(raft.install_full_snapshot(vote, snapshot).await.ok()?)
        }
        Request::Transfer(transfer) => {
            Response::Transfer(raft.handle_transfer_leader(transfer).await.ok()?)
        }
    };
    Some(response)
}

impl<C: Mode> Replica for OpenraftNode<C> {
    type Message = Message<C>;

    fn step(&mut self, now_us: u64, input: Input<Message<C>>, out: &mut Output<Message<C>>) {
        if self.own.is_none() {
            return self.step_in(now_us, input, out);
        }
        let stepped = catch_unwind(AssertUnwindSafe(|| self.step_in(now_us, input, out)));
        let own = self
            .own
            .as_ref()
            .expect("it is there for as long as the node");
        own.after_step(stepped, &self.desk, out);
    }

    fn label(message: &Message<C>) -> Label {
        message.label
    }

    fn describe(message: &Message<C>) -> String {
        messages::describe(message)
    }
}

impl<C: Mode> OpenraftNode<C> {
    fn step_in(&mut self, now_us: u64, input: Input<Message<C>>, out: &mut Output<Message<C>>) {
        std::mem::swap(&mut self.desk.open().out, out);
        let entered = self.executor.enter(now_us);
        self.take(input);
        if !self.has_started && self.starts_after.is_none() {
            self.start();
        }
        self.executor.run();
        if self.mind_growth() {
            self.executor.run();
        }
        drop(entered);
        self.show_role();
        {
            let mut things = self.desk.open();
            let things = &mut *things;
            things.log.write_end(&mut things.out);
            std::mem::swap(&mut things.out, out);
        }
        if self.has_failed {
            out.halt("a sync failed");
        } else if let Some(why) = self.has_given_up() {
            panic!("openraft gives up: {why}");
        }
    }
}

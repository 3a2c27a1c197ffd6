//! The floor: what the library itself costs. A recorded run is stepped into bare
//! `RawNode<MemStorage>` nodes, each output handled as raft 0.7.0 documents it.
//! No queue, no randomness, no disk model, no checks, and no service: what is
//! committed is acknowledged and dropped.
//!
//! It contains what no user of the library can leave out: each delivered message moves
//! into its node and is freed there, each sent one moves out, entries and hard state are stored,
//! logs are compacted where the run compacted them, and the node is asked for output until it has
//! none. What is delivered is cloned ahead of the clock, for in the run it was made by its sender;
//! and what is sent is freed behind it, for in the run its receiver freed it. So each message is
//! made once and freed once on both sides.
//!
//! The harness's driver holds inputs back while it waits for a disk, and keeps
//! books on syncs and snapshots. That is done once, outside the measured part,
//! in `score`: what is measured is a flat list of calls to the library, in the
//! order in which the driver made them.

use std::collections::VecDeque;

use bytes::Bytes;
use raft::Config;
use raft::eraftpb::{ConfState, Entry, Message};
use raft::raw_node::{RawNode, Ready};
use raft::storage::MemStorage;

use squall_core::engine::Outcome;
use squall_core::ids::NodeId;
use squall_core::options::Persistence;
use squall_core::plan::Plan;

use crate::clock;
use crate::score;
use crate::steady::Steady;
use crate::tape;

/// Calls that are cloned ahead of the clock at a time: few enough to stay in a core's cache.
const CHUNK: usize = 128;

/// What is done to one bare node.
#[derive(Clone, Debug)]
pub enum Act {
    /// Its election time-out passes with this tick, or does not.
    Tick {
        fires: bool,
    },
    Deliver(Message),
    Propose(Bytes),
    /// A read around the log, by this name.
    Read(Vec<u8>),
    /// The disk has what the node waits for.
    Continue,
    /// The disk has the oldest so many readies (asynchronous persistence).
    Persisted {
        readies: usize,
    },
    Compact {
        through: u64,
    },
    Nothing,
}

/// One call to a node.
#[derive(Clone, Debug)]
pub struct Call {
    pub position: usize,
    pub act: Act,
    pub poll: Poll,
}

/// Whether a node's output is asked for, and handled, after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    No,
    /// Once, for there is more to call.
    Once,
    /// Until there is none left. What is handled can be the cause of more (`advance_append` and
    /// `on_persist_ready` say so), and who has nothing else to call must ask, or it would lie
    /// there.
    UntilNone,
}

/// A recorded run as calls to the library.
pub struct Floor {
    plan: Plan,
    calls: Vec<Call>,
    /// The digest of the recorded run.
    digest: u64,
}

impl Floor {
    /// Carries the plan out once, and keeps what reached the library.
    ///
    /// A thread of its own does that, because the allocator then keeps the recording, and the gaps
    /// that its making leaves, away from the memory that both sides are measured in: a sweep, too,
    /// carries its plans out in memory that holds no recording.
    pub fn record(steady: &Steady) -> Self {
        let recorder = || Self::record_here(steady);
        let recorded = std::thread::scope(|scope| scope.spawn(recorder).join());
        recorded.expect("a calm run is clean")
    }

    fn record_here(steady: &Steady) -> Self {
        let plan = steady.plan();
        let (outcome, tape) = tape::record(steady);
        let calls = score::score(&plan, tape);
        let floor = Self {
            plan,
            calls,
            digest: outcome.digest,
        };
        floor.replay(&outcome, clock::none);
        floor
    }

    /// Steps everything into fresh bare nodes, and returns how far `clock` moved on meanwhile.
    ///
    /// # Panics
    /// When `outcome` is of another run than the recorded one, or the nodes do not end as it says.
    pub fn replay(&self, outcome: &Outcome, clock: fn() -> u64) -> u64 {
        assert_eq!(outcome.digest, self.digest, "both sides step one run");
        let mut nodes: Vec<Bare> = self
            .plan
            .nodes()
            .iter()
            .map(|id| Bare::new(&self.plan, *id))
            .collect();
        let mut sent = Vec::new();
        let mut spent = 0;
        for calls in self.calls.chunks(CHUNK) {
            let calls = calls.to_vec();
            let before = clock();
            let start = clock();
            play(&mut nodes, calls, &mut sent);
            let all = clock() - start;
            // Reading the clock takes as long as a step or two, and none of the floor's time.
            spent += all.saturating_sub(start - before);
            sent.clear();
        }
        for (node, end) in nodes.iter().zip(&outcome.nodes) {
            let log = &node.raw.raft.raft_log;
            let here = (
                node.raw.raft.term,
                log.last_index(),
                log.committed,
                log.applied,
            );
            assert_eq!(
                here,
                (end.term, end.last, end.commit, end.applied),
                "{} ends elsewhere",
                end.id
            );
        }
        spent
    }
}

/// The measured part. Messages that a node sends are handed over in `sent`: an
/// honest driver moves each once, and its receiver frees it, as happens here
/// with the recorded ones.
#[inline(never)]
fn play(nodes: &mut [Bare], calls: Vec<Call>, sent: &mut Vec<Message>) {
    for Call {
        position,
        act,
        poll,
    } in calls
    {
        nodes[position].call(act, poll, sent);
    }
}

/// One bare node and what a driver cannot do without.
pub struct Bare {
    raw: RawNode<MemStorage>,
    persistence: Persistence,
    waiting: Option<Ready>,
    /// Number of each ready that is on its way to the disk, and whether it asked for a sync.
    in_flight: VecDeque<(u64, bool)>,
}

impl Bare {
    pub fn new(plan: &Plan, id: NodeId) -> Self {
        let options = &plan.raft;
        let config = Config {
            id: id.0.into(),
            election_tick: options.election_ticks as usize,
            heartbeat_tick: options.heartbeat_ticks as usize,
            max_size_per_msg: options.max_size_per_message,
            max_inflight_msgs: options.max_inflight_messages as usize,
            max_committed_size_per_ready: options.max_committed_size_per_ready,
            ..Config::default()
        };
        let mut conf = ConfState::default();
        conf.set_voters(plan.nodes().iter().map(|id| id.0.into()).collect());
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let storage = MemStorage::new_with_conf_state(conf);
        Self {
            raw: RawNode::new(&config, storage, &logger).expect("the plan is valid"),
            persistence: plan.driver.persistence,
            waiting: None,
            in_flight: VecDeque::new(),
        }
    }

    /// Whether the node waits for its disk before it does anything else.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether the library has output.
    pub fn has_ready(&self) -> bool {
        self.raw.has_ready()
    }

    /// For each ready on its way to the disk, oldest first: whether it asked for a sync.
    pub fn in_flight(&self) -> impl ExactSizeIterator<Item = bool> + '_ {
        self.in_flight.iter().map(|(_, must_sync)| *must_sync)
    }

    /// Does one call, and handles its output where asked to.
    #[inline]
    pub fn call(&mut self, act: Act, poll: Poll, sent: &mut Vec<Message>) {
        self.act(act, sent);
        if poll == Poll::No {
            return;
        }
        while self.waiting.is_none() && self.raw.has_ready() {
            self.handle_ready(sent);
            if poll == Poll::Once {
                break;
            }
        }
    }

    #[inline]
    fn act(&mut self, act: Act, sent: &mut Vec<Message>) {
        match act {
            Act::Tick { fires } => {
                let least = self.raw.raft.election_timeout();
                let timeout = if fires { least } else { 2 * least - 1 };
                self.raw.raft.set_randomized_election_timeout(timeout);
                self.raw.tick();
            }
            Act::Deliver(message) => {
                let _ = self.raw.step(message);
            }
            Act::Propose(command) => {
                let _ = self.raw.propose(Vec::new(), command.to_vec());
            }
            Act::Read(name) => self.raw.read_index(name),
            Act::Continue => {
                let ready = self.waiting.take().expect("the node waits");
                self.finish(ready, sent);
            }
            Act::Persisted { readies } => {
                for (number, _) in self.in_flight.drain(..readies) {
                    self.raw.on_persist_ready(number);
                }
            }
            Act::Compact { through } => {
                let storage = self.raw.store().wl().compact(through + 1);
                storage.expect("it is in the log");
            }
            Act::Nothing => {}
        }
    }

    fn handle_ready(&mut self, sent: &mut Vec<Message>) {
        let mut ready = self.raw.ready();
        assert!(ready.snapshot().is_empty(), "a calm run needs no snapshot");
        sent.append(&mut ready.take_messages());
        if let Some(hard) = ready.hs() {
            self.raw.store().wl().set_hardstate(hard.clone());
        }
        if !ready.entries().is_empty() {
            let appended = self.raw.store().wl().append(ready.entries());
            appended.expect("the library's own entries");
        }
        let committed = ready.take_committed_entries();
        self.apply(committed);
        match self.persistence {
            Persistence::Synchronous if ready.must_sync() => self.waiting = Some(ready),
            Persistence::Synchronous => self.finish(ready, sent),
            Persistence::Asynchronous => {
                let (number, must_sync) = (ready.number(), ready.must_sync());
                // They would wait for the disk; here only their move is of interest.
                sent.append(&mut ready.take_persisted_messages());
                self.raw.advance_append_async(ready);
                if must_sync || !self.in_flight.is_empty() {
                    self.in_flight.push_back((number, must_sync));
                } else {
                    self.raw.on_persist_ready(number);
                }
            }
        }
    }

    fn finish(&mut self, mut ready: Ready, sent: &mut Vec<Message>) {
        sent.append(&mut ready.take_persisted_messages());
        let mut light = self.raw.advance_append(ready);
        if let Some(commit) = light.commit_index() {
            self.raw.store().wl().mut_hard_state().commit = commit;
        }
        sent.append(&mut light.take_messages());
        let committed = light.take_committed_entries();
        self.apply(committed);
    }

    fn apply(&mut self, committed: Vec<Entry>) {
        let Some(last) = committed.last().map(|entry| entry.index) else {
            return;
        };
        self.raw.advance_apply_to(last);
    }
}

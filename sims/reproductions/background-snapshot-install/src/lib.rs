//! n2 panicked: unexpected error getting unapplied entries [1, 2): Store(Compacted), raft_id: 2
//! (raft.rs:1543).
//! What comments say is of the run as it was found: its terms and indices may be others.
#![cfg(test)]

use std::collections::BTreeMap;

use raft::eraftpb::*;
use raft::{storage::MemStorage, *};
use std::collections::VecDeque;
use raft::eraftpb::MessageType::*;

/// The nodes by id, and the messages on their way between them.
struct Cluster {
    nodes: BTreeMap<u64, RawNode<MemStorage>>,
    on_their_way: Vec<Message>,
    committed: BTreeMap<u64, Vec<Entry>>,
    unsaved: BTreeMap<u64, VecDeque<Ready>>,
}

fn open(config: Config, disk: MemStorage) -> RawNode<MemStorage> {
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    RawNode::new(&config, disk, &logger).unwrap()
}

impl Cluster {
    /// With voters, learners, and others that may join later; all know the first members.
    fn new([voters, learners, others]: [&[u64]; 3], config: impl Fn(u64) -> Config) -> Self {
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            on_their_way: Vec::new(),
            committed: BTreeMap::new(),
            unsaved: BTreeMap::new(),
        };
        for id in [voters, learners, others].concat() {
            let disk = MemStorage::new();
            disk.wl().set_conf_state(ConfState::from((voters.to_vec(), learners.to_vec())));
            cluster.nodes.insert(id, open(config(id), disk));
            cluster.forget(id);
        }
        cluster
    }

    fn on(&mut self, id: u64) -> On<'_> {
        On { cluster: self, id }
    }

    fn forget(&mut self, id: u64) {
        self.committed.insert(id, Vec::new());
        self.unsaved.insert(id, VecDeque::new());
    }
}

/// A node that is told something.
struct On<'a> {
    cluster: &'a mut Cluster,
    id: u64,
}

impl On<'_> {
    fn raw(&mut self) -> &mut RawNode<MemStorage> {
        self.cluster.nodes.get_mut(&self.id).unwrap()
    }

    /// Its timer ticks so often, and its election time-out does not elapse.
    fn tick(mut self, times: u32) -> Self {
        for _ in 0..times {
            let raft = &mut self.raw().raft;
            raft.set_randomized_election_timeout(2 * raft.election_timeout() - 1);
            self.raw().tick();
        }
        self
    }

    /// Its timer ticks, and its election time-out elapses.
    fn time_out(mut self) -> Self {
        let raft = &mut self.raw().raft;
        raft.election_elapsed = raft.election_timeout();
        raft.set_randomized_election_timeout(raft.election_elapsed);
        self.raw().tick();
        self
    }

    /// The oldest message of that kind from that node arrives, if there is one.
    fn receive(mut self, kind: MessageType, from: u64) -> Self {
        let (to, sent) = (self.id, &mut self.cluster.on_their_way);
        let is_it = |m: &Message| (m.from, m.to, m.get_msg_type()) == (from, to, kind);
        if let Some(at) = sent.iter().position(is_it) {
            let message = sent.remove(at);
            let _ = self.raw().step(message);
        }
        self
    }

    /// The log is cut off through that index, as far as it is applied; a snapshot stands for it.
    fn compact(mut self, through: u64) -> Self {
        let through = through.min(self.raw().raft.raft_log.applied);
        let disk = self.raw().store().clone();
        let state = disk.initial_state().unwrap();
        let (term, last) = (disk.term(through), disk.last_index().unwrap());
        let mut rest = Vec::new();
        if through < last {
            rest = disk
                .entries(through + 1, last + 1, None, GetEntriesContext::empty(false))
                .unwrap_or_default();
        }
        let mut snapshot = Snapshot::default();
        (snapshot.mut_metadata().index, snapshot.mut_metadata().term) = (through, term.unwrap_or(0));
        snapshot.mut_metadata().set_conf_state(state.conf_state);
        if disk.wl().apply_snapshot(snapshot).is_ok() {
            disk.wl().append(&rest).unwrap();
            disk.wl().set_hardstate(state.hard_state);
        }
        self
    }

    /// Takes what the library wants done, and writes it.
    fn ready(mut self) -> Self {
        if let Some(mut ready) = self.take() {
            self.committed().extend(ready.take_committed_entries());
            self.cluster.unsaved.get_mut(&self.id).unwrap().push_back(ready);
        }
        self
    }

    /// What was written is on the disk.
    fn saved(mut self) -> Self {
        if let Some(ready) = self.cluster.unsaved.get_mut(&self.id).unwrap().pop_front() {
            let committed = self.save(ready);
            self.committed().extend(committed);
        }
        self
    }

    fn committed(&mut self) -> &mut Vec<Entry> {
        self.cluster.committed.get_mut(&self.id).unwrap()
    }

    /// Does all that the library wants done.
    fn settle(mut self) -> Self {
        while let Some(mut ready) = self.take() {
            let mut committed = ready.take_committed_entries();
            committed.extend(self.save(ready));
            self.apply_all(committed);
        }
        self
    }

    fn take(&mut self) -> Option<Ready> {
        let mut ready = self.raw().has_ready().then(|| self.raw().ready())?;
        self.cluster.on_their_way.extend(ready.take_messages());
        let disk = self.raw().store().clone();
        if !ready.snapshot().is_empty() {
            disk.wl().apply_snapshot(ready.snapshot().clone()).unwrap();
        }
        disk.wl().append(ready.entries()).unwrap();
        let _ = ready.hs().map(|hard| disk.wl().set_hardstate(hard.clone()));
        Some(ready)
    }

    fn save(&mut self, mut ready: Ready) -> Vec<Entry> {
        self.cluster.on_their_way.extend(ready.take_persisted_messages());
        let mut light = self.raw().advance_append(ready);
        let commit = self.raw().raft.raft_log.committed;
        self.raw().store().wl().mut_hard_state().commit = commit;
        self.cluster.on_their_way.extend(light.take_messages());
        light.take_committed_entries()
    }

    fn apply_all(&mut self, committed: Vec<Entry>) {
        let installed = self.raw().store().first_index().unwrap() - 1;
        if installed > self.raw().raft.raft_log.applied {
            self.raw().advance_apply_to(installed);
        }
        for entry in committed {
            self.raw().advance_apply_to(entry.index);
        }
    }
}

fn config(id: u64) -> Config {
    Config { id, election_tick: 10, heartbeat_tick: 2, ..Config::default() }
}

#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2, 3], &[], &[]], config);
    c.on(1).time_out().settle();
    c.on(2).receive(MsgRequestVote, 1).settle();
    // n1 becomes leader of term 2, elected by n1, n2, writes entry 1 of term 2
    c.on(1).receive(MsgRequestVoteResponse, 2).settle();
    c.on(3).receive(MsgAppend, 1).settle();
    // n1 hears that n3's log matches up to 1, knows that 1 is committed, writes a snapshot at 1 of
    // term 2, takes a snapshot at 1
    c.on(1).receive(MsgAppendResponse, 3).settle().compact(1).settle().tick(2).settle();
    c.on(2).receive(MsgHeartbeat, 1).settle();
    // n1 receives n2's reply to a heartbeat
    c.on(1).receive(MsgHeartbeatResponse, 2).settle();
    // n2 gets from n1: snapshot of term 2, at 1 of term 2, writes a snapshot at 1 of term 2
    c.on(2).receive(MsgSnapshot, 1).ready().saved();
    // n2 breaks no-panic
    c.on(2).time_out().settle();
    // The test ends before: unexpected error getting unapplied entries [1, 2): Store(Compacted),
    // raft_id: 2
}

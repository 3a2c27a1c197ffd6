//! n1 drops its entries from 4 to 4, which follow the snapshot at 3 that it installs. The rule of
//! monotonic (Raft paper, figure 13, step 6 (the entries that follow the snapshot are retained)):
//! term, vote within a term, commit and applied index never go back; a restart misses nothing
//! durable, and a snapshot takes away nothing that follows it.
//! What comments say is of the run as it was found: its terms and indices may be others.
#![cfg(test)]

use std::collections::BTreeMap;

use raft::eraftpb::*;
use raft::{storage::MemStorage, *};
use raft::eraftpb::MessageType::*;

/// The nodes by id, and the messages on their way between them.
struct Cluster {
    nodes: BTreeMap<u64, RawNode<MemStorage>>,
    on_their_way: Vec<Message>,
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
        };
        for id in [voters, learners, others].concat() {
            let disk = MemStorage::new();
            disk.wl().set_conf_state(ConfState::from((voters.to_vec(), learners.to_vec())));
            cluster.nodes.insert(id, open(config(id), disk));
        }
        cluster
    }

    fn on(&mut self, id: u64) -> On<'_> {
        On { cluster: self, id }
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

    fn propose(mut self) -> Self {
        let _ = self.raw().propose(Vec::new(), b"x".to_vec());
        self
    }

    fn request_snapshot(mut self) -> Self {
        let _ = self.raw().request_snapshot();
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

    /// The same for one with so many older ones still on their way, and perhaps a copy of itself.
    fn receive_late(mut self, kind: MessageType, from: u64, older: usize, copy: bool) -> Self {
        let (to, sent) = (self.id, &mut self.cluster.on_their_way);
        let is_it = |m: &Message| (m.from, m.to, m.get_msg_type()) == (from, to, kind);
        let mut those = (0..sent.len()).filter(|at| is_it(&sent[*at]));
        if let Some(at) = those.nth(older) {
            let message = if copy { sent[at].clone() } else { sent.remove(at) };
            let _ = self.raw().step(message);
        }
        self
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
            self.check_snapshot(ready.snapshot().get_metadata());
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

    /// A snapshot that the log holds is no reason to drop what follows there.
    fn check_snapshot(&mut self, snapshot: &SnapshotMetadata) {
        let disk = self.raw().store();
        let (index, last) = (snapshot.index, disk.last_index().unwrap());
        let holds_it = disk.term(index).is_ok_and(|term| term == snapshot.term);
        assert!(!holds_it || last <= index, "a snapshot at {index} replaces a log up to {last}");
    }
}

fn config(id: u64) -> Config {
    Config { id, election_tick: 20, heartbeat_tick: 3, ..Config::default() }
}

#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2], &[], &[]], config);
    c.on(2).time_out().settle();
    c.on(1).receive(MsgRequestVote, 2).settle();
    // n2 becomes leader of term 1, elected by n1, n2, writes entry 1 of term 1
    c.on(2).receive(MsgRequestVoteResponse, 1).settle();
    c.on(1).receive(MsgAppend, 2).settle();
    c.on(2).tick(1).settle();
    c.on(1).propose().settle();
    // n2 receives n1's forwarded request, writes entry 3 of term 1
    c.on(2).receive(MsgPropose, 1).settle();
    c.on(1).request_snapshot().settle();
    // n2 hears that n1's log matches up to 3, knows that 3 is committed, writes a snapshot at 3 of
    // term 1, takes a snapshot at 3
    c.on(2).receive(MsgAppendResponse, 1).settle().receive(MsgAppendResponse, 1).settle();
    c.on(2).tick(2).settle();
    // n1 receives n2's heartbeat, knows that 3 is committed, writes a snapshot at 3 of term 1,
    // takes a snapshot at 3, tells client 1: done, version 2 (entry 3)
    c.on(1).receive(MsgHeartbeat, 2).settle();
    // n2 hears that n1 rejects the append
    c.on(2).receive(MsgAppendResponse, 1).settle();
    // n1 receives n2's snapshot, writes a snapshot at 3 of term 1
    c.on(1).receive_late(MsgSnapshot, 2, 0, true).settle();
    // n1 receives n2's append, writes entry 4 of term 1
    c.on(1).receive(MsgAppend, 2).settle().request_snapshot().settle();
    // n1 gets from n2: snapshot of term 1, at 3 of term 1, writes a snapshot at 3 of term 1
    c.on(1).receive(MsgSnapshot, 2).settle();
    // The test ends before: a snapshot at 1 replaces a log up to 2
}

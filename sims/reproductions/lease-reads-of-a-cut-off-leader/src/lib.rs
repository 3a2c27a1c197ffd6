//! n2 answered what no order of the operations on k0 explains: client 0's operation 2, get k0:
//! nothing. The rule of linearizability (Herlihy and Wing, TOPLAS 1990; dissertation, section 6.3):
//! what clients see is explained by operations that take effect one at a time, each between its
//! invocation and its answer.
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
    asked_at: BTreeMap<Vec<u8>, u64>,
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
            asked_at: BTreeMap::new(),
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

    fn read(mut self, name: u8) -> Self {
        let applied = self.cluster.nodes.values().map(|raw| raw.raft.raft_log.applied);
        let newest = applied.max().unwrap();
        self.cluster.asked_at.entry(vec![name]).or_insert(newest);
        self.raw().read_index(vec![name]);
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
        self.check_reads(ready.take_read_states());
        disk.wl().append(ready.entries()).unwrap();
        let _ = ready.hs().map(|hard| disk.wl().set_hardstate(hard.clone()));
        Some(ready)
    }

    fn save(&mut self, mut ready: Ready) -> Vec<Entry> {
        self.cluster.on_their_way.extend(ready.take_persisted_messages());
        let mut light = self.raw().advance_append(ready);
        self.cluster.on_their_way.extend(light.take_messages());
        light.take_committed_entries()
    }

    fn apply_all(&mut self, committed: Vec<Entry>) {
        for entry in committed {
            self.raw().advance_apply_to(entry.index);
        }
    }

    fn check_reads(&self, reads: Vec<ReadState>) {
        for ReadState { index, request_ctx } in reads {
            let known = self.cluster.asked_at[&request_ctx];
            assert!(index >= known, "read at {index}; {known} was applied before it was asked");
        }
    }
}

fn config(id: u64) -> Config {
    Config { id, election_tick: 14, heartbeat_tick: 2, check_quorum: true, read_only_option: ReadOnlyOption::LeaseBased, ..Config::default() }
}

#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2, 3], &[], &[]], config);
    c.on(2).time_out().settle();
    c.on(1).receive(MsgRequestVote, 2).settle();
    // n2 becomes leader of term 1, elected by n1, n2, writes entry 1 of term 1
    c.on(2).receive(MsgRequestVoteResponse, 1).settle();
    c.on(1).receive(MsgAppend, 2).settle();
    c.on(3).receive(MsgAppend, 2).settle();
    c.on(2).receive(MsgAppendResponse, 3).settle();
    c.on(1).tick(14).settle();
    c.on(3).time_out().settle();
    c.on(1).receive(MsgRequestVote, 3).settle();
    // n3 becomes leader of term 2, elected by n1, n3, writes entry 3 of term 2
    c.on(3).receive(MsgRequestVoteResponse, 1).settle();
    c.on(1).receive(MsgAppend, 3).settle();
    c.on(3).receive(MsgAppendResponse, 1).settle();
    // n2 is asked by client 0 to get k0, tells client 0: nothing (read at 1)
    // n2 breaks linearizability
    c.on(2).read(0).settle();
    // The test ends before: read at 1; 2 was applied before it was asked
}

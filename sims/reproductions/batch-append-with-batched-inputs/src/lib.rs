//! n1 sent n2 an append reply that promises its log up to 4 (durable: up to 3), which is not
//! durable. The rule of ack-before-durable (Raft paper, figure 2 (`log[]` is updated on stable
//! storage before responding to RPCs); dissertation, section 3.8): a vote, an append reply or any
//! message of a term leaves only after what it promises is durable.
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
        self.check_promises(ready.messages());
        self.cluster.on_their_way.extend(ready.take_messages());
        let disk = self.raw().store().clone();
        disk.wl().append(ready.entries()).unwrap();
        let _ = ready.hs().map(|hard| disk.wl().set_hardstate(hard.clone()));
        Some(ready)
    }

    fn save(&mut self, mut ready: Ready) -> Vec<Entry> {
        self.check_promises(ready.persisted_messages());
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

    /// What a message says of its sender is on the sender's disk.
    fn check_promises(&mut self, messages: &[Message]) {
        let (id, disk) = (self.id, self.raw().store().clone());
        let (term, last) = (disk.rl().hard_state().term, disk.last_index().unwrap());
        for message in messages {
            let (kind, of, index) = (message.get_msg_type(), message.term, message.index);
            let is_vague =
                matches!(kind, MessageType::MsgRequestPreVote | MessageType::MsgRequestPreVoteResponse);
            assert!(of <= term || is_vague, "n{id} sends {kind:?} of term {of}; on its disk is {term}");
            let acknowledges = kind == MessageType::MsgAppendResponse && !message.reject;
            assert!(index <= last || !acknowledges, "n{id} acknowledges {index}; on its disk is {last}");
        }
    }
}

fn config(id: u64) -> Config {
    Config { id, election_tick: 10, heartbeat_tick: 1, batch_append: true, ..Config::default() }
}

#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2], &[], &[]], config);
    c.on(2).time_out().settle();
    c.on(1).receive(MsgRequestVote, 2).settle();
    // n2 becomes leader of term 2, elected by n1, n2, writes entry 1 of term 2
    c.on(2).receive(MsgRequestVoteResponse, 1).settle().tick(1).settle();
    c.on(1).receive(MsgAppend, 2).settle().receive(MsgHeartbeat, 2).settle();
    c.on(2).receive(MsgAppendResponse, 1);
    // n2 writes entry 3 of term 2
    c.on(2).propose().settle().tick(1).settle().receive(MsgHeartbeatResponse, 1).settle();
    c.on(1).receive(MsgHeartbeat, 2).settle().receive_late(MsgAppend, 2, 1, false).settle();
    c.on(2).receive(MsgHeartbeatResponse, 1).receive(MsgAppendResponse, 1).settle();
    // n1 writes entry 3 of term 2
    c.on(1).receive(MsgAppend, 2).settle().receive(MsgAppend, 2).settle();
    // The test ends before: n1 acknowledges 3; on its disk is 2
}

//! n1 panicked: called `Option::unwrap()` on a `None` value (raft.rs:943).
//! What comments say is of the run as it was found: its terms and indices may be others.
#![cfg(test)]

use std::collections::BTreeMap;

use raft::eraftpb::*;
use raft::{storage::MemStorage, *};
use raft::eraftpb::MessageType::*;
use protobuf::Message as _;
use raft::eraftpb::{ConfChangeTransition::*, ConfChangeType::*};

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

    /// Its timer ticks, and its election time-out elapses.
    fn time_out(mut self) -> Self {
        let raft = &mut self.raw().raft;
        raft.election_elapsed = raft.election_timeout();
        raft.set_randomized_election_timeout(raft.election_elapsed);
        self.raw().tick();
        self
    }

    fn change(mut self, kind: ConfChangeTransition, steps: &[(ConfChangeType, u64)]) -> Self {
        let mut change = ConfChangeV2::default();
        change.set_transition(kind);
        for &(kind, node_id) in steps {
            let mut step = ConfChangeSingle { node_id, ..Default::default() };
            step.set_change_type(kind);
            change.mut_changes().push(step);
        }
        let _ = self.raw().propose_conf_change(Vec::new(), change);
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
            if entry.get_entry_type() == EntryType::EntryConfChangeV2 {
                let mut change = ConfChangeV2::default();
                change.merge_from_bytes(&entry.data).unwrap();
                if let Ok(members) = self.raw().apply_conf_change(&change) {
                    self.raw().store().wl().set_conf_state(members);
                }
            }
            self.raw().advance_apply_to(entry.index);
        }
    }
}

fn config(id: u64) -> Config {
    Config { id, election_tick: 10, heartbeat_tick: 2, ..Config::default() }
}

#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2], &[], &[]], config);
    c.on(1).time_out().settle();
    c.on(2).receive(MsgRequestVote, 1).settle();
    // n1 becomes leader of term 2, elected by n1, n2 of voters n1, n2; learners n3, writes entry 1
    // of term 2
    c.on(1).receive(MsgRequestVoteResponse, 2).settle();
    c.on(2).receive(MsgAppend, 1).settle();
    // n1 is asked by an operator for n1 to leave, writes entry 2 of term 2, a configuration change
    c.on(1).change(Auto, &[(RemoveNode, 1)]).settle().receive(MsgAppendResponse, 2).settle();
    // n1 is asked by an operator for n1 to be a learner, writes entry 3 of term 2
    c.on(1).change(Auto, &[(AddLearnerNode, 1)]).settle();
    c.on(2).receive(MsgAppend, 1).settle().receive(MsgAppend, 1).settle();
    // n1 hears that n2's log matches up to 2, knows that 2 is committed, adopts the configuration
    // of entry 2: voters n2; learners n3
    c.on(1).receive(MsgAppendResponse, 2).settle();
    // n1 hears that n2's log matches up to 3
    // n1 breaks no-panic
    c.on(1).receive(MsgAppendResponse, 2).settle();
    // The test ends before: called `Option::unwrap()` on a `None` value
}

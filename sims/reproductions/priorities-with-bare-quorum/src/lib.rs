//! the cluster has not converged by the end of the run: there is no leader in the highest term,
//! 317. The rule of liveness (Raft paper, section 5.6; dissertation, chapter 9): after the storm
//! there is one leader, fresh commands and reads are served, nothing acknowledged is lost, joint
//! configurations and transfers have ended, and members' logs and states are equal.
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
    drawn: u64,
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
            drawn: 1,
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

    /// Time goes on at these nodes, and all that they send arrives, for so many ticks.
    fn run(&mut self, ids: &[u64], ticks: usize) {
        for _ in 0..ticks {
            for &id in ids {
                let mut on = self.on(id);
                let least = on.raw().raft.election_timeout();
                if on.raw().raft.election_elapsed == 0 {
                    // As good as random, and the same each time.
                    on.cluster.drawn = on.cluster.drawn.wrapping_mul(6_364_136_223_846_793_005) + 1;
                    let timeout = least + (on.cluster.drawn >> 33) as usize % least;
                    on.raw().raft.set_randomized_election_timeout(timeout);
                }
                on.raw().tick();
                on.settle();
            }
            for _ in 0..10_000 {
                if self.on_their_way.is_empty() {
                    break;
                }
                let message = self.on_their_way.remove(0);
                let to = message.to;
                if ids.contains(&to) {
                    let _ = self.on(to).raw().step(message);
                    self.on(to).settle();
                }
            }
        }
    }

    /// What is on its way is lost. Whether these nodes agree on anything, and all that their leader
    /// takes for members apply it, within so many ticks.
    fn makes_progress(&mut self, ids: &[u64], ticks: usize) -> bool {
        let lost = std::mem::take(&mut self.on_their_way);
        drop(lost);
        (0..ticks / 20).any(|_| {
            self.run(ids, 10);
            let raft = |id: &u64| &self.nodes[id].raft;
            let leaders = ids.iter().filter(|id| raft(id).state == StateRole::Leader);
            let Some(&leader) = leaders.max_by_key(|id| raft(id).term) else {
                return false;
            };
            let members: Vec<u64> = raft(&leader).prs().iter().map(|(id, _)| *id).collect();
            let mut on = self.on(leader);
            let is_taken = on.raw().propose(Vec::new(), b"x".to_vec()).is_ok();
            let last = on.raw().raft.raft_log.last_index();
            on.settle();
            self.run(ids, 10);
            let has_it = |id: &u64| self.nodes[id].raft.raft_log.applied >= last;
            is_taken && ids.iter().all(|id| !members.contains(id) || has_it(id))
        }) || !self.is_enough(ids)
    }


    /// Whether there is a majority among these nodes, by the members that have applied the most.
    fn is_enough(&self, ids: &[u64]) -> bool {
        let up = ids.iter().copied().collect();
        let rafts = ids.iter().map(|id| &self.nodes[id].raft);
        let members = rafts.filter(|raft| raft.prs().iter().len() > 0);
        let key = |raft: &&Raft<MemStorage>| raft.raft_log.applied;
        let newest = members.clone().map(|raft| key(&raft)).max();
        members.filter(|raft| Some(key(raft)) == newest).all(|raft| raft.prs().has_quorum(&up))
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
            self.raw().advance_apply_to(entry.index);
        }
    }
}

fn config(id: u64) -> Config {
    Config { id, election_tick: 10, heartbeat_tick: 2, priority: [0, 1, 1][id as usize - 1], ..Config::default() }
}

#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2, 3], &[], &[]], config);
    c.on(3).time_out().settle();
    c.on(1).receive(MsgRequestVote, 3).settle();
    c.on(2).receive(MsgRequestVote, 3).settle();
    // n3 becomes leader of term 3, elected by n1, n3, writes entry 1 of term 3
    c.on(3).receive(MsgRequestVoteResponse, 1).settle();
    c.on(2).time_out().settle();
    c.on(1).receive(MsgRequestVote, 2).settle();
    // n2 becomes leader of term 4, elected by n1, n2, writes entry 1 of term 4
    c.on(2).receive(MsgRequestVoteResponse, 1).settle();
    c.on(1).receive(MsgAppend, 2).settle();
    assert!(c.makes_progress(&[1, 3], 400), "nothing new is agreed on in 400 ticks");
}

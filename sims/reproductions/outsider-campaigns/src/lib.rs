//! n6 panicked: called `Option::unwrap()` on a `None` value (raft.rs:1225).
//! What comments say is of the run as it was found: its terms and indices may be others.
#![cfg(test)]

use std::collections::BTreeMap;

use raft::eraftpb::*;
use raft::{storage::MemStorage, *};

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

    /// The members begin in that term, with a snapshot at that index unless it is 0; then who may
    /// join later knows nothing.
    fn begin(mut self, term: u64, index: u64, others: &[u64], config: impl Fn(u64) -> Config) -> Self {
        for (id, raw) in &mut self.nodes {
            let mut disk = raw.store().clone();
            disk.wl().mut_hard_state().term = term;
            if index > 0 && !others.contains(id) {
                let mut first = Snapshot::default();
                (first.mut_metadata().term, first.mut_metadata().index) = (term, index);
                first.mut_metadata().set_conf_state(disk.initial_state().unwrap().conf_state);
                disk.wl().apply_snapshot(first).unwrap();
            } else if index > 0 {
                disk = MemStorage::new();
            }
            *raw = open(config(*id), disk);
        }
        self
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

    fn campaign(mut self) -> Self {
        let _ = self.raw().campaign();
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
    let mut c = Cluster::new([&[1, 2, 3], &[4], &[5, 6]], config).begin(1, 1, &[5, 6], config);
    // n6 is asked by an operator to stand for election
    // n6 breaks no-panic
    c.on(6).campaign().settle();
    // The test ends before: called `Option::unwrap()` on a `None` value
}

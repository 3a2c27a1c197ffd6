//! A storage of your own for raft-rs, under Squall's driver and its storm:
//! `cargo run --release --example my_storage`, and `-- replay`, `-- shrink`, ...

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Result, Storage, StorageError};
use squall::prelude::RegisteredSubject;
use squall::raft_rs::storage::{Kept, LogStorage};

/// The first in the list stands for what is before the log: it has but an index and a term.
pub(crate) struct MyStorage(RaftState, Snapshot, Vec<Entry>);

fn place(log: &[Entry], index: u64) -> usize {
    (index - log[0].index) as usize
}

impl LogStorage for MyStorage {
    fn open(kept: Kept) -> Self {
        let log = [vec![kept.truncated], kept.entries].concat();
        let state = RaftState::new(kept.hard_state, kept.conf_state);
        Self(state, kept.snapshot, log)
    }
    fn append(&mut self, entries: &[Entry]) {
        self.2.truncate(place(&self.2, entries[0].index));
        self.2.extend_from_slice(entries);
    }
    fn set_hard_state(&mut self, hard_state: HardState) {
        self.0.hard_state = hard_state;
    }
    fn set_conf_state(&mut self, conf_state: ConfState) {
        self.0.conf_state = conf_state;
    }
    fn apply_snapshot(&mut self, snapshot: Snapshot) {
        let meta = snapshot.get_metadata();
        self.0.conf_state = meta.get_conf_state().clone();
        self.2.truncate(1);
        (self.2[0].index, self.2[0].term) = (meta.index, meta.term);
        self.1 = snapshot;
    }
    fn keep_snapshot(&mut self, snapshot: Snapshot) {
        self.1 = snapshot;
    }
    fn compact(&mut self, through: u64) {
        self.2.drain(..place(&self.2, through));
    }
}

impl Storage for MyStorage {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(self.0.clone())
    }
    fn entries(
        &self,
        low: u64,
        high: u64,
        _: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        Ok(self.2[place(&self.2, low)..place(&self.2, high)].to_vec())
    }
    fn term(&self, index: u64) -> Result<u64> {
        Ok(self.2[place(&self.2, index)].term)
    }
    fn first_index(&self) -> Result<u64> {
        Ok(self.2[0].index + 1)
    }
    fn last_index(&self) -> Result<u64> {
        Ok(self.2[0].index + self.2.len() as u64 - 1)
    }
    fn snapshot(&self, request_index: u64, _: u64) -> Result<Snapshot> {
        let is_new_enough = self.1.get_metadata().index >= request_index.max(1);
        let newest = is_new_enough.then(|| self.1.clone());
        newest.ok_or(StorageError::SnapshotTemporarilyUnavailable.into())
    }
}

fn main() -> std::process::ExitCode {
    let mine = squall::raft_rs::with_storage::<MyStorage>();
    squall::cli::main(vec![RegisteredSubject::new("my-storage", "mine", mine)])
}

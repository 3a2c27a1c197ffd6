//! What raft-rs reads of the log and the snapshot: its `Storage`, in memory.

use raft::eraftpb::{ConfState, Entry, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use crate::wal::Kept;

/// The log and the newest snapshot.
#[derive(Debug)]
pub struct Store {
    /// The log, as it is on the disk.
    pub log: Kept,
    /// The newest snapshot; empty when there is none.
    pub snapshot: Snapshot,
    voters: ConfState,
}

impl Store {
    /// What a disk kept, mended: where the log does not join on to the snapshot, none of it is of
    /// use. It was not written through to its end when the power failed. Whether it was so.
    pub fn recover(mut log: Kept, snapshot: Snapshot, voters: Vec<u64>) -> (Self, bool) {
        let meta = snapshot.get_metadata();
        let is_contiguous = meta.index == 0 || log.term(meta.index) == Some(meta.term);
        if !is_contiguous {
            log.start = (meta.index, meta.term);
            log.entries.clear();
            if log.hard.term < meta.term {
                log.hard.term = meta.term;
                log.hard.vote = 0;
            }
        }
        log.hard.commit = log.hard.commit.clamp(meta.index, log.last());
        let voters = ConfState::from((voters, Vec::new()));
        let store = Self {
            log,
            snapshot,
            voters,
        };
        (store, !is_contiguous)
    }

    /// The index of the newest snapshot; 0 when there is none.
    pub fn snapshot_index(&self) -> u64 {
        self.snapshot.get_metadata().index
    }

    /// Puts a leader's snapshot in the place of the whole log.
    pub fn install(&mut self, snapshot: Snapshot) {
        let meta = snapshot.get_metadata();
        self.log.start = (meta.index, meta.term);
        self.log.entries.clear();
        self.log.hard.commit = self.log.hard.commit.max(meta.index);
        self.snapshot = snapshot;
    }

    /// Drops the entries up to and including `through`, which the snapshot stands for.
    pub fn compact(&mut self, through: u64) {
        let Some(term) = self.log.term(through) else {
            return;
        };
        let dropped = through - self.log.start.0;
        self.log.entries.drain(..dropped as usize);
        self.log.start = (through, term);
    }

    /// A snapshot of this state, at an index that the log still has.
    ///
    /// # Panics
    /// When it has not.
    pub fn snapshot_at(&self, index: u64, data: Vec<u8>) -> Snapshot {
        let mut snapshot = Snapshot {
            data: data.into(),
            ..Snapshot::default()
        };
        let meta = snapshot.mut_metadata();
        meta.index = index;
        meta.term = self.log.term(index).expect("it was applied out of the log");
        meta.set_conf_state(self.voters.clone());
        snapshot
    }
}

impl Storage for Store {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(self.log.hard.clone(), self.voters.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        if low <= self.log.start.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        if high > self.log.last() + 1 {
            return Err(Error::Store(StorageError::Unavailable));
        }
        let place = |index: u64| (index - self.log.start.0 - 1) as usize;
        let mut entries = self.log.entries[place(low)..place(high)].to_vec();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> Result<u64> {
        self.log.term(index).ok_or({
            Error::Store(match index < self.log.start.0 {
                true => StorageError::Compacted,
                false => StorageError::Unavailable,
            })
        })
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.log.start.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.log.last())
    }

    fn snapshot(&self, request_index: u64, _: u64) -> Result<Snapshot> {
        match self.snapshot_index() {
            0 => Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable)),
            index if index < request_index => {
                Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
            }
            _ => Ok(self.snapshot.clone()),
        }
    }
}

//! The log and snapshot as the library reads them: raft's `Storage`, without locks, and what the
//! driver asks of this or another. This is the node's memory; what is durable of it, its disk
//! knows.

use std::cell::{Cell, RefCell};

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use super::reproduction::Note;
use super::{kit, messages};
use squall_core::configuration::Configuration;
use squall_core::ids::{Index, Term};
use squall_core::log_vec::Indexed;
use squall_core::options::DriverOptions;
use squall_core::storage::StableState;

/// What the driver reads and writes: a [`Store`], by itself or with something beside it.
pub trait Backend: Storage + Sized {
    /// With what a disk kept, and the configuration that is in force there.
    fn open(state: StableState, configuration: &Configuration, driver: &DriverOptions) -> Self;

    /// What was written.
    fn held(&self) -> &Store;

    /// The same, for what the driver keeps there for itself.
    fn held_mut(&mut self) -> &mut Store;

    /// Term, vote and commit index.
    fn set_hard(&mut self, hard: &HardState);

    /// The commit index alone.
    fn set_commit(&mut self, commit: Index);

    /// The configuration.
    fn set_conf(&mut self, conf: ConfState);

    /// Takes in entries from the library, cutting off what conflicts.
    fn append(&mut self, entries: Vec<Entry>);

    /// Puts a leader's snapshot in place of the whole log.
    fn restore(&mut self, snapshot: Snapshot);

    /// Keeps a snapshot of the node's own.
    fn keep_snapshot(&mut self, snapshot: Snapshot);

    /// Drops entries up to and including `through`, which a snapshot stands for.
    fn compact(&mut self, through: Index);

    /// Takes down what the driver is about to call, where somebody wants to know.
    #[inline(always)]
    fn note(&mut self, _note: impl FnOnce() -> Note) {}
}

/// What the library may read back.
pub struct Store {
    pub(super) hard: HardState,
    pub(super) conf: ConfState,
    pub(super) log: Indexed<Entry>,
    /// The term of the entry before the log's first.
    pub(super) term_before: Term,
    /// The newest snapshot that is durable; empty when there is none.
    pub(super) snapshot: Snapshot,
    /// The library asked for a snapshot newer than that.
    pub(super) wanted: Cell<bool>,
    /// Whether entries but for the newest few must be fetched in the background.
    pub(super) fetches: bool,
    /// What the library has asked to be fetched, oldest first.
    pub(super) asked: RefCell<Vec<GetEntriesContext>>,
}

/// The newest entries, which are always at hand.
const CACHED: u64 = 4;

impl Store {
    /// The index of the newest snapshot; 0 when there is none.
    pub(super) fn snapshot_index(&self) -> Index {
        self.snapshot.get_metadata().index
    }

    /// Whether the snapshot will do for `to`. One from before it was a member is of no use to it:
    /// the library ignores a snapshot whose configuration does not hold its receiver.
    pub(super) fn has_snapshot_for(&self, request_index: Index, to: u64) -> bool {
        let meta = self.snapshot.get_metadata();
        let conf = meta.get_conf_state();
        let mut members = conf
            .voters
            .iter()
            .chain(&conf.learners)
            .chain(&conf.voters_outgoing);
        meta.index != 0 && meta.index >= request_index && members.any(|id| *id == to)
    }
}

impl Backend for Store {
    fn open(state: StableState, configuration: &Configuration, driver: &DriverOptions) -> Self {
        let mut log = Indexed::starting_at(state.log.first());
        for entry in kit::entries(&state) {
            log.push(entry);
        }
        let snapshot = state.snapshot.as_ref().map(messages::snapshot);
        Self {
            hard: kit::hard_state(&state),
            conf: messages::conf_state(configuration),
            term_before: state.term_before_log,
            log,
            snapshot: snapshot.unwrap_or_default(),
            wanted: Cell::new(false),
            fetches: driver.fetch_us > 0,
            asked: RefCell::default(),
        }
    }

    #[inline(always)]
    fn held(&self) -> &Store {
        self
    }

    #[inline(always)]
    fn held_mut(&mut self) -> &mut Store {
        self
    }

    #[inline(always)]
    fn set_hard(&mut self, hard: &HardState) {
        let kept = &mut self.hard;
        (kept.term, kept.vote, kept.commit) = (hard.term, hard.vote, hard.commit);
    }

    #[inline(always)]
    fn set_commit(&mut self, commit: Index) {
        self.hard.commit = commit;
    }

    fn set_conf(&mut self, conf: ConfState) {
        self.conf = conf;
    }

    #[inline]
    fn append(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.log.place(entry.index, entry);
        }
    }

    fn restore(&mut self, snapshot: Snapshot) {
        let meta = snapshot.get_metadata();
        self.term_before = meta.term;
        self.conf = meta.get_conf_state().clone();
        self.log.restart_at(meta.index + 1);
        self.snapshot = snapshot;
    }

    fn keep_snapshot(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
    }

    fn compact(&mut self, through: Index) {
        if let Some(entry) = self.log.get(through) {
            self.term_before = entry.term;
            self.log.drop_through(through);
        }
    }
}

impl Storage for Store {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(self.hard.clone(), self.conf.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        if low < self.log.first() {
            return Err(Error::Store(StorageError::Compacted));
        }
        assert!(
            high <= self.log.next(),
            "entries up to {high} of {}",
            self.log.next()
        );
        if self.fetches && context.can_async() && low + CACHED < self.log.next() {
            self.asked.borrow_mut().push(context);
            return Err(Error::Store(StorageError::LogTemporarilyUnavailable));
        }
        if high == low + 1 {
            // One entry is handed over whatever its size.
            return Ok(vec![self.log.get(low).expect("inside the log").clone()]);
        }
        let max_size = max_size.into().unwrap_or(u64::MAX);
        let count = (high - low) as usize;
        let mut entries = Vec::with_capacity(count.min(64));
        let mut size = 0;
        for index in low..high {
            let entry = self.log.get(index).expect("inside the log");
            if max_size != u64::MAX {
                size += u64::from(protobuf::Message::compute_size(entry));
                if size > max_size && !entries.is_empty() {
                    break;
                }
            }
            entries.push(entry.clone());
        }
        Ok(entries)
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index + 1 == self.log.first() {
            return Ok(self.term_before);
        }
        match self.log.get(index) {
            Some(entry) => Ok(entry.term),
            None if index < self.log.first() => Err(Error::Store(StorageError::Compacted)),
            None => Err(Error::Store(StorageError::Unavailable)),
        }
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.log.first())
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.log.last())
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        if !self.has_snapshot_for(request_index, to) {
            self.wanted.set(true);
            return Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        Ok(self.snapshot.clone())
    }
}

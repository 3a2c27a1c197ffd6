//! What a replica keeps on its disk: three journals of records, and the state
//! that they add up to.
//!
//! Each journal is append-only and every record in it carries a checksum, so a
//! reader takes it up to the first record that is missing or damaged and no
//! further. Hard state, log and snapshot are separate journals, so a crash can
//! lose the newest of one and keep the newest of another. This module knows
//! Raft's vocabulary and no Raft library; when what is durable, `disk` decides.

use bytes::Bytes;

use crate::configuration::Configuration;
use crate::ids::{Index, NodeId, Term};
use crate::log_vec::Indexed;
use squall_world::hash::{mix, mix_bytes};
use squall_world::journal_disk::Image;

/// What Raft must remember across a crash beside its log (paper, figure 2:
/// `currentTerm`, `votedFor`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// The latest term the replica has seen.
    pub term: Term,
    /// Whom it voted for in that term.
    pub vote: Option<NodeId>,
}

/// What an entry of the log is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A command for the state machine, or nothing when its data is empty.
    Normal,
    /// A change of the configuration, in this format where an implementation has several.
    Configuration(u8),
}

/// One entry of the replicated log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The term of the leader that made it.
    pub term: Term,
    /// What it is for.
    pub kind: EntryKind,
    /// Its content.
    pub data: Bytes,
}

impl Entry {
    /// A hash of this entry and, through `before`, of every entry before it.
    #[inline]
    pub fn chained_to(&self, before: Chain) -> Chain {
        let kind = match self.kind {
            EntryKind::Normal => 0,
            EntryKind::Configuration(format) => 1 | u64::from(format) << 56,
        };
        Chain(mix_bytes(mix(before.0, self.term << 1 | kind), &self.data))
    }
}

/// A hash of a log up to an index: two logs with equal chains at an index are
/// equal up to it. The chain before the first entry is `Chain::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain(pub u64);

/// A state machine's state up to an index, in place of the entries before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The index of the last entry that it stands for.
    pub index: Index,
    /// The term of that entry.
    pub term: Term,
    /// The configuration in force after that entry.
    pub configuration: Configuration,
    /// The state machine, in its own encoding.
    pub data: Bytes,
}

/// One record as a replica hands it to its disk. Most are entries: what is larger lies elsewhere,
/// and which it is stands by itself, for it is asked often.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Record {
    /// The hard state from now on.
    HardState(HardState),
    /// The log from `index` on is this entry and nothing after.
    Entry {
        /// Where it stands.
        index: Index,
        /// The entry.
        entry: Entry,
    },
    /// All entries up to `index` are committed. It follows them in their journal, so that no
    /// crash keeps it and loses them.
    Commit {
        /// The highest committed index.
        index: Index,
    },
    /// The log is empty, and goes on at `next`, which follows a snapshot.
    LogReset {
        /// The index of the next entry.
        next: Index,
    },
    /// The entries up to and including `through` are gone; a snapshot stands for them.
    LogCompact {
        /// The last index dropped.
        through: Index,
    },
    /// A snapshot, in place of any before it.
    Snapshot(Box<Snapshot>),
}

impl Record {
    /// The record, out of a place that will not be read again.
    #[inline(always)]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Record::LogCompact { through: 0 })
    }

    /// Whether there is something to free once the record is dropped. Of one that has been taken
    /// there is not.
    #[inline(always)]
    pub fn owns_memory(&self) -> bool {
        match self {
            Record::Entry { .. } | Record::Snapshot(_) => true,
            Record::HardState(_)
            | Record::Commit { .. }
            | Record::LogReset { .. }
            | Record::LogCompact { .. } => false,
        }
    }
}

/// One of the three files a replica keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Journal {
    /// Hard states.
    HardState,
    /// Entries, commit indices, resets and compactions.
    Log,
    /// Snapshots.
    Snapshot,
}

impl Journal {
    /// All journals, in the order in which a disk counts them.
    pub const ALL: [Journal; 3] = [Journal::HardState, Journal::Log, Journal::Snapshot];
}

impl std::fmt::Display for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Journal::HardState => "hard state",
            Journal::Log => "log",
            Journal::Snapshot => "snapshot",
        })
    }
}

/// A record on its way to the disk, with the harness's own mark on it.
#[derive(Clone, Debug)]
pub struct ChainedRecord {
    /// The record.
    pub record: Record,
    /// The chain of the log up to the entry, the snapshot, or the place where the log is reset.
    pub chain: Chain,
}

/// What the journals add up to: all that a replica has after a crash.
#[derive(Clone, Debug, Default)]
pub struct StableState {
    /// The last hard state.
    pub hard: HardState,
    /// The last snapshot.
    pub snapshot: Option<Snapshot>,
    /// The highest index known to be committed; 0 for a replica that stores none.
    pub commit: Index,
    /// The log as its journal has it. It may not join on to the snapshot: see `replica`.
    pub log: KeptLog,
    /// The term of the entry before the log's first, when a compaction dropped it; 0 otherwise.
    pub term_before_log: Term,
    /// The chain at `log.first() - 1`.
    chain_before: Chain,
    snapshot_chain: Chain,
}

/// The entries on a disk, each beside its chain.
#[derive(Clone, Debug, Default)]
pub struct KeptLog(Indexed<Kept>);

#[derive(Clone, Debug)]
struct Kept {
    entry: Entry,
    chain: Chain,
}

impl KeptLog {
    /// The index of the first entry, or of the next when there is none.
    #[inline]
    pub fn first(&self) -> Index {
        self.0.first()
    }

    /// The index of the last entry; `first() - 1` when there is none.
    #[inline]
    pub fn last(&self) -> Index {
        self.0.last()
    }

    /// The entry at `index`, if it is there.
    #[inline]
    pub fn get(&self, index: Index) -> Option<&Entry> {
        self.0.get(index).map(|kept| &kept.entry)
    }

    /// The chain of the log up to the entry at `index`, if that is there.
    #[inline]
    pub fn chain_at(&self, index: Index) -> Option<Chain> {
        self.0.get(index).map(|kept| kept.chain)
    }

    /// The entry at `index`, if it is there and the log up to it is the one of this chain.
    #[inline]
    pub fn get_of(&self, index: Index, chain: Chain) -> Option<&Entry> {
        let kept = self.0.get(index)?;
        (kept.chain == chain).then_some(&kept.entry)
    }

    /// Drops the entries at `index` and after.
    pub fn cut_from(&mut self, index: Index) {
        self.0.cut_from(index);
    }

    /// The entries in order, with their indices.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Index, &Entry)> {
        self.0.iter().map(|(index, kept)| (index, &kept.entry))
    }
}

impl StableState {
    /// The chain of the log up to `index`, where this state still tells it.
    #[inline]
    pub fn chain_at(&self, index: Index) -> Option<Chain> {
        match &self.snapshot {
            Some(snapshot) if snapshot.index == index => Some(self.snapshot_chain),
            _ => self.log.chain_at(index),
        }
    }

    /// The index of the newest snapshot; 0 when there is none.
    #[inline]
    pub fn snapshot_index(&self) -> Index {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.index)
    }

    /// The chain of the log just before its first entry, as far as it was known.
    pub fn chain_before_log(&self) -> Chain {
        self.chain_before
    }

    /// Whether the log joins on to the snapshot: no entry is missing between
    /// them, and where they overlap they agree.
    pub fn is_contiguous(&self) -> bool {
        let snapshot = self.snapshot_index();
        match self.log.get(snapshot) {
            Some(entry) => self.snapshot.as_ref().is_none_or(|s| s.term == entry.term),
            None => self.log.first() == snapshot + 1,
        }
    }

    /// The last index that a replica can make use of: the log's if it joins on to the snapshot,
    /// else the snapshot's.
    pub fn usable_last(&self) -> Index {
        match self.is_contiguous() {
            true => self.log.last().max(self.snapshot_index()),
            false => self.snapshot_index(),
        }
    }

    /// What an honest replica makes of the journals after a crash, and what it
    /// must write for the next one: a log that does not join on to the snapshot
    /// is replaced by an empty one after it, the commit index is no lower than the
    /// snapshot's and no higher than the log's, and the term is no lower than that of
    /// the last entry.
    ///
    /// Each of these can only concern what was never synced, and so never
    /// promised to anyone.
    pub fn mend(&mut self) -> Option<Record> {
        let snapshot = self.snapshot_index();
        let snapshot_term = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.term);
        let reset = (!self.is_contiguous()).then(|| {
            self.log.0.restart_at(snapshot + 1);
            Record::LogReset { next: snapshot + 1 }
        });
        if self.log.first() == snapshot + 1 {
            self.term_before_log = snapshot_term;
        }
        self.commit = self.commit.min(self.log.last()).max(snapshot);
        let seen = self
            .log
            .get(self.log.last())
            .map_or(0, |last| last.term)
            .max(snapshot_term);
        let hard = &mut self.hard;
        if hard.term < seen {
            hard.term = seen;
            hard.vote = None;
        }
        reset
    }

    /// Whether this state holds the log up to `index` as `chain` has it: as an
    /// entry, or inside a snapshot, which stands for committed entries only.
    #[inline]
    pub fn holds(&self, index: Index, chain: Chain) -> bool {
        self.snapshot_index() > index || self.chain_at(index) == Some(chain)
    }
}

impl Image for StableState {
    type Record = ChainedRecord;
    const JOURNALS: usize = 3;

    #[inline]
    fn journal(marked: &ChainedRecord) -> usize {
        match marked.record {
            Record::HardState(_) => Journal::HardState as usize,
            Record::Entry { .. }
            | Record::Commit { .. }
            | Record::LogReset { .. }
            | Record::LogCompact { .. } => Journal::Log as usize,
            Record::Snapshot(_) => Journal::Snapshot as usize,
        }
    }

    /// Inlined for what comes all the time.
    #[inline(always)]
    fn apply(&mut self, marked: ChainedRecord) {
        match marked.record {
            Record::Entry { index, entry } => {
                let chain = marked.chain;
                self.log.0.place(index, Kept { entry, chain });
            }
            Record::Commit { index } => self.commit = index,
            rare => self.apply_rare(rare, marked.chain),
        }
    }
}

impl StableState {
    /// Takes in a record that is neither an entry nor a commit index.
    #[inline(never)]
    fn apply_rare(&mut self, record: Record, chain: Chain) {
        match record {
            Record::HardState(hard) => self.hard = hard,
            Record::LogReset { next } => {
                self.chain_before = chain;
                self.term_before_log = 0;
                self.log.0.restart_at(next);
            }
            Record::LogCompact { through } => {
                let through = through.min(self.log.last());
                if let Some(Kept { entry, chain }) = self.log.0.get(through) {
                    self.term_before_log = entry.term;
                    self.chain_before = *chain;
                }
                self.log.0.drop_through(through);
            }
            Record::Snapshot(snapshot) => {
                self.snapshot = Some(*snapshot);
                self.snapshot_chain = chain;
            }
            Record::Entry { .. } | Record::Commit { .. } => unreachable!("they come all the time"),
        }
    }
}

//! A storage of your own under this crate's driver.
//!
//! Users of raft 0.7.0 write two things themselves: the `raft::Storage` that the library reads
//! from, and the writes that it leaves to its user. An error in either loses data, and usually
//! nobody notices before a node restarts. [`LogStorage`] is the two together;
//! [`with_storage`](crate::with_storage) makes a subject of it, in which the driver of [`RaftRs`],
//! with all its features, reads and writes that storage and no other. `examples/my_storage.rs` is a
//! complete example.
//!
//! # What is found
//!
//! The driver knows what it has written, and checks it at once. After each write it reads back what
//! that write is about, together with the hard state, the configuration, and both ends of the log;
//! after a rare write (a snapshot, a compaction, a cut tail, a start) the whole log. Each answer
//! that the library itself asks for is checked, too. An answer that contradicts what was written
//! ends the run as a violation of `no-panic`, which names the write, the call, and both values:
//!
//! ```text
//! no-panic: n2 panicked: the storage contradicts what was written to it: after
//! append(entries 21 to 21), last_index() returned 23, not 21 (read_back.rs:300)
//! ```
//!
//! So what goes to the simulated disk is what the storage says that it holds. From those records
//! [`LogStorage::open`] gets its content when the node starts again.
//!
//! # What is not found
//!
//! The bytes of your own file format, and the moments at which they are synced: the records on the
//! simulated disk are Squall's. To have files torn and syncs fail under your own format, run the
//! whole server on madsim (`squall::madsim::servers`).
//!
//! `entries` may ignore `max_size`, or return less than it allows: the library cuts off what is too
//! much, and asks again for what is missing.

use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;

use raft::Storage;
use raft::eraftpb::{ConfState, Entry, HardState, Message, Snapshot};

use squall_core::options::Feature;
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};

use crate::RaftRs;
use crate::driver::RaftNode;
use crate::read_back::ReadBack;

/// A `raft::Storage` with the writes that raft leaves to its user.
///
/// A write has no result: where your own write returns an error, unwrap it, and the panic is a
/// violation. What is written must be readable as soon as the call returns, by any method of
/// `raft::Storage`. For these methods the contract is raft's, and the driver holds the storage to
/// it:
///
/// - `initial_state()` is the last hard state and the last configuration that were written.
/// - `term(index)` is known from `first_index() - 1` to `last_index()`, that is, for the entry
///   before the first one, too: it is the term of the snapshot or of the last entry that was
///   compacted; 0 before index 1.
/// - `entries(low, high, ..)` has at least one entry where `low < high`, and all of them where
///   there is no limit.
/// - `snapshot(request_index, to)` is the newest one that was written, and
///   `StorageError::SnapshotTemporarilyUnavailable` when that has a lower index than
///   `request_index`, or when there is none; the driver then takes a new one.
///
/// A storage must draw on no clock, thread or randomness (`HashMap` has some): a run is to be
/// repeatable.
pub trait LogStorage: Storage + Sized + 'static {
    /// Whether `entries` may answer `StorageError::LogTemporarilyUnavailable`, where its context
    /// says `can_async()`. The driver then does what raft wants done once they have been fetched,
    /// after a time that the plan says; the context that the driver passes is its own, and may be
    /// dropped. Where this is false, no plan asks for it.
    const FETCHES: bool = false;

    /// The storage of a node that starts from what its disk kept.
    fn open(kept: Kept) -> Self;

    /// Appends `entries`, of which there is at least one, and whose indices are consecutive. The
    /// first of them follows an entry of the log, or the snapshot; all entries from its index on
    /// are in conflict with the new ones, and are to be cut off.
    fn append(&mut self, entries: &[Entry]);

    /// Puts `hard_state` (term, vote, commit index) in place of the one before. The entries of the
    /// same `Ready` are appended by then.
    fn set_hard_state(&mut self, hard_state: HardState);

    /// Puts `conf_state` in place of the one before: a change of the configuration was applied.
    fn set_conf_state(&mut self, conf_state: ConfState);

    /// Puts a leader's snapshot in place of the whole log, and its configuration in place of the
    /// one before. The log goes on at the index after the snapshot's. Term and vote stay as they
    /// are, except that the storage may raise the term to the snapshot's, and the commit index to
    /// the snapshot's index.
    fn apply_snapshot(&mut self, snapshot: Snapshot);

    /// Keeps a snapshot that the node took itself, for peers that need one. The log stays as it
    /// is, and so does the configuration, which may have changed since.
    fn keep_snapshot(&mut self, snapshot: Snapshot);

    /// Drops the entries up to and including `through`, which is an index of the log, and no
    /// higher than the snapshot's. The term of the last one must still be known.
    fn compact(&mut self, through: u64);
}

/// What a node's disk kept: what a [`LogStorage`] starts with. Its parts fit together.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Kept {
    /// Term, vote and commit index; all 0 at the first start.
    pub hard_state: HardState,
    /// The configuration of the snapshot, or the cluster's first. Changes that were applied after
    /// it will be applied again.
    pub conf_state: ConfState,
    /// The newest snapshot; an empty one, with the index 0, when there is none.
    pub snapshot: Snapshot,
    /// The entry before the log's first, of which index and term are known and nothing else: the
    /// snapshot's last one, or the last one that was compacted. Both are 0 when nothing ever was.
    pub truncated: Entry,
    /// The log, from the index after that on.
    pub entries: Vec<Entry>,
}

/// tikv's `raft` 0.7.0 on the storage `S`: see [`with_storage`](crate::with_storage).
pub struct WithStorage<S>(PhantomData<fn() -> S>);

impl<S> WithStorage<S> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<S> Clone for WithStorage<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for WithStorage<S> {}

impl<S> Debug for WithStorage<S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("WithStorage")
    }
}

impl<S: LogStorage> Subject for WithStorage<S> {
    type Replica = RaftNode<ReadBack<S>>;

    fn supports(&self) -> &'static [Feature] {
        match S::FETCHES {
            true => Feature::ALL,
            false => &ALL_BUT_FETCHES,
        }
    }

    fn options(&self) -> &'static [DriverOption] {
        RaftRs.options()
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        RaftRs.known_issues()
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<Self::Replica, BootError> {
        RaftNode::boot(boot, disk, out)
    }
}

const ALL_BUT_FETCHES: [Feature; Feature::ALL.len() - 1] = {
    let mut others = [Feature::AsynchronousFetch; Feature::ALL.len() - 1];
    let (mut at, mut filled) = (0, 0);
    while at < Feature::ALL.len() {
        if !matches!(Feature::ALL[at], Feature::AsynchronousFetch) {
            others[filled] = Feature::ALL[at];
            filled += 1;
        }
        at += 1;
    }
    others
};

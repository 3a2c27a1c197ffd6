//! A storage of your own for openraft, under the storm.
//!
//! Users of openraft write two things themselves, and what they fear is in them: `RaftLogStorage`
//! (vote and log) and `RaftStateMachine` (state and snapshots). [`OwnStorage`] says how to open
//! both on a disk; [`with_storage`] makes a subject of them, in which openraft runs on them and on
//! nothing else. `examples/redb-openraft` is a complete example.
//!
//! The [`Disk`] forgets at a crash what was not synced, wholly, in part or torn in the middle of a
//! write, as the plan says. Power may fail between any two calls of a storage, also in `open`; a
//! call may fail, and the disk may be full.
//!
//! # What is found
//!
//! Squall notes what the storage *claims*: an append is durable once its `IOFlushed` is called, a
//! vote when `save_vote` returns, a snapshot when `build_snapshot` or `install_snapshot` does. When
//! the node starts again, Squall opens the storage on what the disk has kept, reads it back through
//! openraft's traits, and compares. The log must be one that there was since the last append that
//! was flushed, or an append of it in part; nothing that was flushed may be missing. What openraft
//! reads while it runs is compared too, and so are the states of machines: after the same entry all
//! nodes hold the same, however they got there. A storage that fails this ends the run as a
//! violation of `no-panic`:
//!
//! ```text
//! no-panic: n2 panicked: the storage breaks its contract: append(5 to 7) was reported as flushed,
//! and after the restart the log ends at 4
//! ```
//!
//! All other checks go on: what a storage claims is what they take for durable. Indices are
//! openraft's, which begin at 0.
//!
//! # What is not found
//!
//! What the machine answers (`R`) goes to nobody: clients are answered by Squall's own service,
//! beside which the machine is fed. Bytes that rot are not tried, nor is a directory that is lost.

mod book;
mod disk;
mod log;
mod machine;
mod opening;
mod own;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io::{self, Cursor};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use openraft::RaftTypeConfig;
use openraft::storage::{RaftLogStorage, RaftStateMachine};
use squall_core::options::Feature;
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};

use super::messages::Message;
use super::node::OpenraftNode;
use super::own_options;
use super::types::Mode;

pub(crate) use book::Keeper;
pub use disk::Disk;
pub(crate) use log::{LogOfOwn, ReaderOfOwn};
pub(crate) use machine::{BuilderOfOwn, MachineOfOwn};
pub(crate) use opening::{Opened, Own};
pub use squall_world::node_files::{File, OpenFiles};

/// A storage for openraft: how it is opened, and the little that Squall has to know of it.
///
/// It runs on one thread and must draw on no clock, thread or randomness (the order of a `HashMap`
/// is random): a run is to be repeatable. A task is spawned by `squall::openraft::runtime`, which a
/// storage that is generic over its `RaftTypeConfig` gets by `C::spawn`; `tokio::spawn`,
/// `spawn_blocking` and `tokio::fs` panic, as there is no tokio runtime. Channels and locks of
/// `tokio::sync` work.
pub trait OwnStorage: 'static {
    /// How leaders are named: [`OneLeaderATerm`](super::OneLeaderATerm) for `leader_id_std`,
    /// [`SeveralLeadersATerm`](super::SeveralLeadersATerm) for `leader_id_adv`.
    type Leaders: Mode;

    /// Your types, as they are; nodes have numbers. The runtime may be any.
    type Config: RaftTypeConfig<
            NodeId = u64,
            Term = u64,
            LeaderId = <Self::Leaders as RaftTypeConfig>::LeaderId,
            Vote = <Self::Leaders as RaftTypeConfig>::Vote,
            Node: Default,
        >;

    /// Your log.
    type Log: RaftLogStorage<Self::Config>;

    /// Your state machine.
    type Machine: RaftStateMachine<Self::Config, SnapshotData: SnapshotBytes>;

    /// Opens both on what the disk has kept: nothing at first.
    ///
    /// # Errors
    /// An error is a violation, unless the disk has failed.
    fn open(disk: Disk) -> impl Future<Output = io::Result<(Self::Log, Self::Machine)>> + Send;

    /// A command of yours that stands for `put`. Different puts give different commands.
    fn command(put: Put) -> <Self::Config as RaftTypeConfig>::D;

    /// All that the machine holds, without what it knows of the log. It is compared after the same
    /// entry, and shown where it differs.
    ///
    /// # Errors
    /// As of [`OwnStorage::open`].
    fn state(machine: &mut Self::Machine) -> impl Future<Output = io::Result<Vec<u8>>> + Send;
}

/// What a command is to do to a state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Put {
    /// Where to put it: one of eight keys, 0 to 7.
    pub key: u8,
    /// What to put: a number that no other command has.
    pub value: u64,
}

/// Data of a snapshot that travels as bytes.
pub trait SnapshotBytes: Sized {
    /// Its bytes, from the first on.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn into_bytes(self) -> io::Result<Vec<u8>>;

    /// What these are the bytes of.
    fn from_bytes(bytes: Vec<u8>) -> Self;
}

impl SnapshotBytes for Vec<u8> {
    fn into_bytes(self) -> io::Result<Vec<u8>> {
        Ok(self)
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        bytes
    }
}

impl SnapshotBytes for Cursor<Vec<u8>> {
    fn into_bytes(self) -> io::Result<Vec<u8>> {
        Ok(self.into_inner())
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Cursor::new(bytes)
    }
}

impl SnapshotBytes for Bytes {
    fn into_bytes(self) -> io::Result<Vec<u8>> {
        Ok(self.into())
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        bytes.into()
    }
}

/// openraft 0.10.0-alpha.37 on the storage `S`: see [`with_storage`].
pub struct WithStorage<S>(PhantomData<fn() -> S>);

/// A subject in which openraft runs on the storage `S`.
pub fn with_storage<S: OwnStorage>() -> WithStorage<S> {
    WithStorage(PhantomData)
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

impl<S: OwnStorage> Subject for WithStorage<S> {
    type Replica = OpenraftNode<S::Leaders>;

    fn supports(&self) -> &'static [Feature] {
        super::FEATURES
    }

    fn options(&self) -> &'static [DriverOption] {
        own_options::OPTIONS_OF_OWN_STORAGE
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        own_options::ISSUES
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<S::Leaders>>,
    ) -> Result<Self::Replica, BootError> {
        opening::boot::<S>(boot, disk, out)
    }
}

/// Whether the power has failed while a user's storage ran.
#[derive(Clone)]
struct Power(Arc<AtomicBool>);

impl Power {
    /// What a call has come to, which is nothing where the power failed meanwhile, whatever the
    /// storage made of that.
    fn after<T>(&self, done: io::Result<T>) -> io::Result<T> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(io::Error::other("the power has failed")),
            false => done,
        }
    }
}

/// Ends the run: a storage does not do what it has to. The line of the caller tells one defect from
/// another.
#[cold]
#[track_caller]
fn broken(why: &str) -> ! {
    panic!("the storage breaks its contract: {why}")
}

//! The seam: what a Raft implementation is to this harness.
//!
//! A [`Subject`] boots [`Replica`]s. A replica is stepped: it gets one input
//! and says what it wants done. It has no clock, socket, disk or randomness of
//! its own, may be dropped at any moment, and is booted again from what its
//! disk kept. **It asks for an fsync and is told when it is done; nobody syncs
//! on its behalf, and `Write` alone promises nothing.**
//!
//! A replica writes its log through [`Output::write`], so the harness sees every entry that it
//! appends or cuts off without a report. The replica reports only what a write does not show: role,
//! commit, application. [`contract`] lists what is reported, in which order, and what each claim of
//! a message promises.

pub mod contract {
    #![doc = include_str!("replica/contract.md")]
}
mod message;
mod output;
mod promise;

use std::any::Any;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::configuration::Configuration;
use crate::ids::{Index, NodeId, Role, Term};
use crate::operator::Admin;
use crate::options::{DriverOptions, Feature, RaftOptions};
use crate::own::{DriverOption, KnownIssue};
use crate::service::{Answer, Service};
use crate::storage::{Journal, Record, StableState};
use squall_world::node_files::NodeFiles;

pub use message::{Claim, Label, MessageKind};
pub use output::{Effect, Output};
pub use promise::BrokenPromise;

/// A Raft implementation under test.
pub trait Subject {
    /// One running node of it.
    type Replica: Replica;

    /// What the implementation has besides elections and replication. Plans ask for nothing else:
    /// begin with an empty list, and add to it as the driver learns more.
    fn supports(&self) -> &'static [Feature] {
        &[]
    }

    /// Options of the driver that plans draw, besides those that all drivers have.
    fn options(&self) -> &'static [DriverOption] {
        &[]
    }

    /// Known defects, which plans avoid.
    fn known_issues(&self) -> &'static [KnownIssue] {
        &[]
    }

    /// Whether its nodes talk over connections as TCP's, on which nothing arrives out of turn or
    /// twice, and after whose end nothing arrives at all. Such a subject is told of its connections
    /// ([`Input::Connection`]) and gets plans that have them ([`Plan::streams`]); all others get
    /// what a bare network makes of messages, which most Raft libraries promise to stand. A subject
    /// that wraps another passes this on.
    ///
    /// [`Plan::streams`]: ../plan/struct.Plan.html#structfield.streams
    fn uses_streams(&self) -> bool {
        false
    }

    /// The service that its nodes replicate, in its first state: each gets it as
    /// [`BootContext::service`]. It is Squall's own, keys and locks, unless the subject has a
    /// machine in place of these, as `WithMachine` of `adapter::with_machine` has. A subject that
    /// wraps another passes this on.
    fn service(&self) -> Service {
        Service::default()
    }

    /// Starts a node from what its disk kept: nothing for the very first incarnation.
    ///
    /// Recovery may write (say, to cut off a log that no longer joins on to the
    /// snapshot); those writes are durable no sooner than any others.
    ///
    /// # Errors
    /// [`BootError`] when the replica refuses to run on this disk.
    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<Self>>,
    ) -> Result<Self::Replica, BootError>;
}

/// The message type of a subject.
pub type Message<S> = <<S as Subject>::Replica as Replica>::Message;

/// One node of a Raft implementation.
pub trait Replica {
    /// What nodes send to one another: the library's own type, never serialised here.
    type Message: Clone + Debug;

    /// Handles `input` at `now_us`, the node's own idea of the time, and adds
    /// what it wants done to `out`.
    fn step(&mut self, now_us: u64, input: Input<Self::Message>, out: &mut Output<Self::Message>);

    /// The same as [`Replica::step`] with [`Input::Deliver`]. Most steps are of this kind, and
    /// messages may be large: an implementation can handle one here, moving it less often.
    #[inline(always)]
    fn deliver(
        &mut self,
        now_us: u64,
        from: NodeId,
        message: Self::Message,
        out: &mut Output<Self::Message>,
    ) {
        self.step(now_us, Input::Deliver { from, message }, out);
    }

    /// The same as [`Replica::step`] with [`Input::Synced`]. After messages, these are the most
    /// frequent inputs, and an input is as large as a message.
    #[inline(always)]
    fn synced(
        &mut self,
        now_us: u64,
        sync: SyncId,
        result: SyncResult,
        out: &mut Output<Self::Message>,
    ) {
        self.step(now_us, Input::Synced { sync, result }, out);
    }

    /// What `message` is, and what its sender promises by sending it.
    fn label(message: &Self::Message) -> Label;

    /// `message` in words, for people who read a trace.
    fn describe(message: &Self::Message) -> String {
        let label = Self::label(message);
        format!("{} of term {}", label.kind.words(), label.term)
    }
}

/// What a node is told when it starts.
#[derive(Clone, Debug)]
pub struct BootContext<'a> {
    /// This node.
    pub id: NodeId,
    /// The cluster's first configuration, for a disk that holds no snapshot. It is empty for a
    /// node that is to join later: such a node must not elect itself.
    pub configuration: Configuration,
    /// 0 for the first start, one more for each restart.
    pub incarnation: u32,
    /// How long a tick is, in microseconds of the node's own clock: for libraries that keep time
    /// themselves, where the plan counts ticks.
    pub tick_us: u64,
    /// The seed of everything this node may draw at random (election time-outs).
    pub seed: u64,
    /// Settings of the library.
    pub raft: &'a RaftOptions,
    /// Settings of the code around it.
    pub driver: &'a DriverOptions,
    /// The service to replicate, in its first state.
    pub service: &'a Service,
    /// Where the library's own log goes, if anyone reads it.
    pub log: Option<LogSink>,
    /// Files of this node, for a subject that keeps some beside its records. They forget at a
    /// crash as the plan says; of the records of such a node, every one that was not synced is
    /// lost.
    pub files: &'a NodeFiles,
    /// What the subject keeps for the whole run.
    pub notes: &'a RunNotes,
}

/// A place where a subject keeps what it has to know over the lives of nodes and across nodes, to
/// check a user's code: a run begins with none, and no crash takes it. An implementation of Raft
/// has no use for it.
#[derive(Clone, Default)]
pub struct RunNotes(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

impl Debug for RunNotes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("RunNotes")
    }
}

impl RunNotes {
    /// Looks at the notes, which begin as `T::default()`.
    ///
    /// # Panics
    /// When they were of another type before.
    pub fn with<T: Any + Default + Send, R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = place.get_or_insert_with(|| Box::<T>::default());
        look(notes.downcast_mut().expect("a run has notes of one type"))
    }
}

/// Collects a library's own log lines.
#[derive(Clone, Debug, Default)]
pub struct LogSink(Arc<Mutex<Vec<String>>>);

impl LogSink {
    /// Adds a line.
    pub fn add(&self, line: String) {
        self.0.lock().expect("no writer panics").push(line);
    }

    /// Takes the lines added since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no writer panics"))
    }
}

/// What a node finds on its disk.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// What its journals add up to, each read to its first missing or damaged record.
    pub state: StableState,
    /// Journals in which a record that had been durable no longer matches its checksum.
    pub rotten: Vec<Journal>,
}

/// What a driver does next.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It waits until all that it has written is durable, and does nothing else before.
    WaitForSync,
    /// It takes its next input.
    TakeInput,
}

/// What a node starts from: see [`Recovered::recover`].
#[derive(Clone, Debug)]
pub struct Start {
    /// What the disk kept, mended.
    pub state: StableState,
    /// The service, as the snapshot has it.
    pub service: Service,
    /// The configuration of the snapshot, or the cluster's first.
    pub configuration: Configuration,
    /// What the driver does first: it waits for a sync where the term was raised and written,
    /// because the term must be durable before a message carries it.
    pub next: Next,
}

impl Recovered {
    /// What an honest node does first: it mends what its disk kept (see [`StableState::mend`]),
    /// writes what it mended, takes its service from its snapshot, and reports that it has
    /// started. The entries after the snapshot are still to be applied.
    ///
    /// # Errors
    /// [`BootError`] when a journal is rotten.
    ///
    /// # Panics
    /// When the snapshot is not one of the service's.
    pub fn recover<M>(
        self,
        boot: &BootContext<'_>,
        out: &mut Output<M>,
    ) -> Result<Start, BootError> {
        if let Some(journal) = self.rotten.first() {
            return Err(BootError::Corrupt(*journal));
        }
        let mut state = self.state;
        let on_disk = state.hard;
        if let Some(reset) = state.mend() {
            out.write(reset);
        }
        let hard = state.hard;
        let snapshot_index = state.snapshot_index();
        let mut service = boot.service.clone();
        let mut configuration = boot.configuration;
        if let Some(snapshot) = &state.snapshot {
            let whole = service.restore(&snapshot.data);
            assert!(whole, "a snapshot is whole or not there");
            configuration = snapshot.configuration;
        }
        out.observe(Observation::Started {
            term: hard.term,
            vote: hard.vote,
            last: state.log.last().max(snapshot_index),
            commit: state.commit,
            applied: snapshot_index,
            state: service.state(),
            configuration,
        });
        let must_sync = hard != on_disk;
        if must_sync {
            out.write(Record::HardState(hard));
        }
        Ok(Start {
            state,
            service,
            configuration,
            next: match must_sync {
                true => Next::WaitForSync,
                false => Next::TakeInput,
            },
        })
    }
}

/// Why a node does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// A checksum does not match where nothing may be missing.
    #[error("the {0} journal is damaged")]
    Corrupt(Journal),
}

/// What happens to a replica.
///
/// Not `#[non_exhaustive]`: the compiler is to find each driver that does not handle a new input.
#[derive(Clone, Debug)]
pub enum Input<M> {
    /// One tick of its clock.
    Tick,
    /// A message has arrived.
    Deliver {
        /// Its sender.
        from: NodeId,
        /// The message.
        message: M,
    },
    /// A sync that the replica asked for is over, and so are all that it asked for before.
    Synced {
        /// The sync that is over.
        sync: SyncId,
        /// How it went.
        result: SyncResult,
    },
    /// A client asks for a command to be replicated.
    Request(Request),
    /// A client asks for a linearizable read that goes around the log (ReadIndex: dissertation,
    /// section 6.4).
    Read(Request),
    /// An operator asks for something.
    Admin(Admin),
    /// The transport could not deliver something to this peer.
    Unreachable {
        /// Which peer.
        peer: NodeId,
    },
    /// The transport is done with a snapshot.
    SnapshotSent {
        /// Its receiver.
        peer: NodeId,
        /// Whether the receiver got it, as far as the transport knows.
        delivered: bool,
    },
    /// A connection to this peer stands from now on, or no longer does. Comes only where links are
    /// connections ([`Subject::uses_streams`]): a node starts with none, and what is sent where
    /// none stands is lost.
    Connection {
        /// Which peer.
        peer: NodeId,
        /// Whether it stands.
        stands: bool,
    },
}

/// How a sync went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncResult {
    /// What was written before it is durable.
    Done,
    /// What was written before it may be lost. The error is reported only once.
    Failed,
}

/// A client's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's number.
    pub client: u32,
    /// The client's own count of its commands. A retry carries the same number and the same
    /// command.
    pub sequence: u64,
    /// How often the client has tried before.
    pub attempt: u32,
    /// The command, as it goes into the log: see [`crate::service::Command`].
    pub command: Bytes,
}

/// Names a sync; a replica numbers its own, upwards from 1 in each incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SyncId(pub u64);

/// A change inside a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It has started with this on its disk, as it reads it. Comes once, before all others.
    Started {
        /// Its term.
        term: Term,
        /// Its vote in that term.
        vote: Option<NodeId>,
        /// The last index of its log.
        last: Index,
        /// How far it knows the log to be committed.
        commit: Index,
        /// How far its state machine has applied the log.
        applied: Index,
        /// A hash of the state machine.
        state: u64,
        /// The configuration that it goes by.
        configuration: Configuration,
    },
    /// It goes by this configuration from now on, because of this entry.
    Configured {
        /// The entry's index.
        index: Index,
        /// The configuration.
        configuration: Configuration,
    },
    /// It has this role in this term from now on.
    Role {
        /// The role.
        role: Role,
        /// The replica's term.
        term: Term,
    },
    /// It hands leadership over, or no longer does.
    Transfer {
        /// To whom; nobody when it has ended, well or not.
        to: Option<NodeId>,
    },
    /// It knows the log to be committed up to here.
    Committed {
        /// The highest committed index.
        index: Index,
    },
    /// It applied an entry to its state machine.
    Applied {
        /// The entry's index.
        index: Index,
        /// A hash of the state machine after it.
        state: u64,
    },
    /// It put a snapshot from a leader in place of its state machine.
    Installed {
        /// The snapshot's index.
        index: Index,
        /// A hash of the state machine after it.
        state: u64,
    },
    /// A linearizable read was confirmed: it may be served from `index` on.
    ReadConfirmed {
        /// The read index.
        index: Index,
    },
    /// The library did something that no other observation shows.
    Did(LibraryEvent),
    /// The library broke a promise that it makes beyond Raft: a violation of `configuration`.
    Broke(BrokenPromise),
    /// It wrote a snapshot of its own state machine.
    SnapshotTaken {
        /// The snapshot's index.
        index: Index,
    },
}

/// Something inside a library that is worth counting, and that nothing else shows.
///
/// The numbers go into the digests of runs: a new variant takes a new number, wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LibraryEvent {
    /// A proposal was dropped because too much is uncommitted.
    DroppedProposal = 0,
    /// A change of the configuration was declined when it was proposed.
    DeclinedChange = 1,
    /// A committed change of the configuration did not fit and was skipped.
    SkippedChange = 2,
    /// Entries were not at hand and are fetched in the background.
    FetchBegun = 3,
    /// Entries fetched in the background were handed over.
    FetchDone = 4,
    /// A peer asked for a snapshot, and one is built for it.
    SnapshotWanted = 5,
    /// A snapshot was asked for.
    SnapshotAsked = 6,
    /// A setting was changed.
    SettingChanged = 7,
    /// Heartbeats were sent on request.
    Pinged = 8,
    /// The node stood for election on request.
    Campaigned = 9,
    /// A read was passed on to the leader.
    ForwardedRead = 10,
    /// A command was passed on to the leader.
    ForwardedCommand = 11,
    /// A committed change of the configuration fitted but was not carried out as it was asked for,
    /// or it is one that no leader begins: it changes a joint configuration, or leaves one that is
    /// not joint. That breaks the property `configuration`.
    ChangedOtherwise = 12,
}

impl LibraryEvent {
    /// What the node does, in words that follow its name.
    pub fn words(self) -> &'static str {
        match self {
            Self::DroppedProposal => "drops the proposal, for too much is uncommitted",
            Self::DeclinedChange => "declines the change",
            Self::SkippedChange => "skips a committed change, which does not fit",
            Self::FetchBegun => "begins to fetch entries in the background",
            Self::FetchDone => "has fetched entries",
            Self::SnapshotWanted => "is to build a snapshot, which a peer wants",
            Self::SnapshotAsked => "asks for a snapshot",
            Self::SettingChanged => "changes a setting",
            Self::Pinged => "sends heartbeats, as it was asked to",
            Self::Campaigned => "stands for election, as it was asked to",
            Self::ForwardedRead => "passes the read on to the leader",
            Self::ForwardedCommand => "passes the command on to the leader",
            Self::ChangedOtherwise => "carries a change out otherwise than it says",
        }
    }
}

/// An answer to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The client's number.
    pub client: u32,
    /// Which of its commands.
    pub sequence: u64,
    /// What became of it.
    pub outcome: ReplyOutcome,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// It is committed, and applied here.
    Applied {
        /// The index of the entry that it became.
        index: Index,
        /// What it did.
        answer: Answer,
    },
    /// It was a read, served from the state after the entry at `index`.
    Read {
        /// How far the log was applied here.
        index: Index,
        /// What was read.
        answer: Answer,
    },
    /// It was not taken: no leader is known, or the leader takes none now.
    Refused {
        /// Whom to ask instead.
        leader: Option<NodeId>,
    },
}

impl ReplyOutcome {
    /// What the client is told that it did, or that it read; none when it was not taken.
    pub fn answer(&self) -> Option<Answer> {
        match self {
            Self::Applied { answer, .. } | Self::Read { answer, .. } => Some(*answer),
            Self::Refused { .. } => None,
        }
    }
}

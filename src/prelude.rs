//! All that a subject of your own needs, whatever its library, in one line: `use
//! squall::prelude::*;`.
//!
//! The smallest subject starts, and does nothing more. The first storm says what is wrong with it:
//!
//! ```
//! use squall::prelude::*;
//!
//! struct Node;
//!
//! impl Replica for Node {
//!     type Message = ();
//!
//!     fn step(&mut self, _now_us: u64, _input: Input<()>, _out: &mut Output<()>) {}
//!
//!     fn label(_message: &()) -> Label {
//!         unreachable!("it sends none")
//!     }
//! }
//!
//! struct Idle;
//!
//! impl Subject for Idle {
//!     type Replica = Node;
//!
//!     fn boot(
//!         &self,
//!         boot: &BootContext<'_>,
//!         disk: Recovered,
//!         out: &mut Output<()>,
//!     ) -> Result<Node, BootError> {
//!         disk.recover(boot, out).map(|_| Node)
//!     }
//! }
//!
//! use squall::{engine::Observer, invariants::Property, plan::Profile};
//!
//! let subject = RegisteredSubject::new("idle", "", Idle);
//! let plan = subject.plans(&Profile::load("storm").unwrap()).draw(0);
//! let outcome = subject.runner.run(&plan, Observer::default());
//! assert_eq!(outcome.failure.unwrap().violation.property(), Property::Liveness);
//! ```
//!
//! What to write:
//!
//! - [`Subject`]: an implementation; it boots nodes.
//! - [`Replica`]: a node that is stepped, one [`Input`] after another.
//! - [`Sequential`]: a node whose driver does nothing else while it waits for its disk, which is
//!   less to write; [`OneAtATime`] makes a replica of it. It says what it does [`Next`].
//! - [`Feature`]: something that an implementation may have ([`Subject::supports`]).
//! - [`RegisteredSubject`]: a subject with its name, for the command line and for sweeps.
//!
//! What a node starts from:
//!
//! - [`BootContext`]: who it is, its settings, its seed.
//! - [`RaftOptions`]: settings of the library, in the plan's words.
//! - [`DriverOptions`]: settings of the code around it.
//! - [`DriverOption`], with its [`Values`]: a setting of that code that the subject itself
//!   declares.
//! - [`KnownIssue`]: a defect of the subject that plans avoid.
//! - [`Hazard`]: a condition of plans that brings such a defect about.
//! - [`LogSink`]: where the library's own log goes.
//! - [`Recovered`]: what its disk kept; [`Recovered::recover`] is what every honest node does
//!   first.
//! - [`Start`]: the result of that.
//! - [`StableState`]: hard state, log and snapshot, as the disk's records add up to them.
//! - [`BootError`]: why a node does not start.
//! - [`ElectionTimer`]: time-outs drawn from the seed; [`Choices`]: any other numbers.
//!
//! What happens to a node:
//!
//! - [`Input`]: a tick, a message, a request, the end of a sync, and others.
//! - [`Request`]: a client's command.
//! - [`Admin`]: what an operator asks for.
//! - [`Change`]: a change of who is in the cluster, with a [`Transition`] and a [`Member`] for each
//!   node.
//! - [`SyncResult`]: how a sync went.
//!
//! What a node does:
//!
//! - [`Output`]: where it says what it wants done.
//! - [`Record`]: what it writes, be it a [`HardState`], an [`Entry`] of some [`EntryKind`] or a
//!   [`Snapshot`].
//! - [`SyncId`]: the name of a sync that it asks for.
//! - [`Observation`]: what its writes do not show: its [`Role`], what is committed and applied, its
//!   [`Configuration`].
//! - [`BrokenPromise`]: a rule beyond Raft that a library promises to keep, and did not.
//! - [`LibraryEvent`]: something within a library that is worth counting.
//! - [`Reply`]: an answer to a client, with a [`ReplyOutcome`].
//! - [`StateMachine`]: the service that is replicated and the clients that wait for it; it applies
//!   entries and answers by itself.
//! - [`Service`]: that service alone, for snapshots.
//!
//! A state machine of your own in place of that service:
//!
//! - [`Machine`]: what is replicated.
//! - [`Commands`]: what clients ask it for, and the words for that.
//! - [`WithMachine`]: a subject with such a machine.
//!
//! What its messages are, for the checks:
//!
//! - [`Label`]: a message's receiver, its [`MessageKind`], its term, and its [`Claim`]: what its
//!   sender promises by it.
//!
//! Names and numbers: [`NodeId`], [`NodeSet`], [`Term`], [`Index`]; and [`Bytes`], which commands
//! and snapshots are made of.

#[doc(no_inline)]
pub use bytes::Bytes;
pub use squall_core::adapter::blocking_driver::{OneAtATime, Sequential};
pub use squall_core::adapter::election_timer::ElectionTimer;
pub use squall_core::adapter::envelope::Envelope;
pub use squall_core::adapter::reports::Reports;
pub use squall_core::adapter::state_machine::StateMachine;
pub use squall_core::adapter::with_machine::WithMachine;
pub use squall_core::configuration::{Change, Configuration, Member, Transition};
pub use squall_core::ids::{Index, NodeId, NodeSet, Role, Term};
pub use squall_core::operator::Admin;
pub use squall_core::options::{DriverOptions, Feature, RaftOptions};
pub use squall_core::own::{DriverOption, Hazard, KnownIssue, Values};
pub use squall_core::registry::RegisteredSubject;
pub use squall_core::replica::{
    BootContext, BootError, BrokenPromise, Claim, Input, Label, LibraryEvent, LogSink, MessageKind,
    Next, Observation, Output, Recovered, Replica, Reply, ReplyOutcome, Request, Start, Subject,
    SyncId, SyncResult,
};
pub use squall_core::service::{Commands, Machine, Service};
pub use squall_core::storage::{Entry, EntryKind, HardState, Record, Snapshot, StableState};
pub use squall_world::rng::Choices;

//! Servers as subjects: async code with tasks, sockets and files of its own, on madsim, under the
//! storm of a plan.
//!
//! A [`Server`] says how one incarnation of a node runs, and how a client does. [`Storm`] makes a
//! [`Runner`](squall_core::registry::Runner) of it, for everything that runs plans: sweeps,
//! replays, the shrinker. Each node is a machine of the runtime with a [disk that
//! forgets](crate::shim::DiskSim); what the server tells its [`Probe`] goes to the same checks as
//! what replicas report. Durability is read off a shadow of its disk that the probe keeps, and
//! compared with what the server reads back after a power failure.
//!
//! Faults of a plan are carried out, at a time or at an ordinal: crash, pause, slow-disk, fail-sync
//! and full-disk; drift, on [`ClockSim`](crate::shim::ClockSim); and, on
//! [`NetworkSim`](crate::shim::NetworkSim), cut, split, isolate-leader, burst, trouble, slow-node,
//! and what is done to single messages. The trace says what is left out: monotonic clocks do not
//! jump, nobody changes membership, and rot is not looked for in a log that is read to its first
//! damaged record.
//!
//! Knows no server; `raft_rs` alone knows a Raft library.

mod faults;
mod key_value;
mod network_faults;
mod observations;
mod observed_state;
mod probe;
#[cfg(feature = "raft-rs")]
pub mod raft_rs;
mod runner;
mod shadow_disk;
mod unsupported;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::madsim::Config;
use ::madsim::plugin::{Simulator, node, simulator};
use ::madsim::rand::GlobalRng;
use ::madsim::task::NodeId as Machine;
use ::madsim::time::TimeHandle;

use squall_core::ids::NodeId;
use squall_core::invariants::Verdict;
use squall_core::options::Feature;
use squall_core::own::KnownIssue;
use squall_core::plan::Plan;
use squall_world::rng::Choices;

pub use key_value::{Asked, ByFunctions, Reply, Request, Seen, key_value};
pub use probe::{Probe, Started, SyncPoint};
pub use runner::{ClientHandle, Storm};

/// What plans for a server ask for: calmer elections, and snapshots.
pub const SUPPORTED: &[Feature] = &[Feature::PreVote, Feature::CheckQuorum, Feature::Snapshots];

/// A server to be run under the storm.
pub trait Server: Send + Sync + 'static {
    /// What the clients of one run share: what they saw, for instance.
    type Run: Send + Sync + 'static;

    /// What an incarnation of a node comes to that ends by itself: nothing, or a `Result`.
    type End: Ended + Send + 'static;

    /// What it has: see [`Subject::supports`](squall_core::replica::Subject::supports).
    /// [`SUPPORTED`], unless it says otherwise: membership does not change, and a server need not
    /// read what a plan says of options.
    fn supports(&self) -> &'static [Feature] {
        SUPPORTED
    }

    /// Known issues of the library that it is built on, which its plans avoid as far as they lie in
    /// what a plan says of any subject: none, unless it says otherwise.
    fn known_issues(&self) -> &'static [KnownIssue] {
        &[]
    }

    /// A run begins.
    fn begin(&self, plan: &Plan) -> Self::Run;

    /// One incarnation of a node: from its start until it is killed, or stops because it cannot go
    /// on. Then its machine is switched off and on again. If it ends with an error, that is
    /// reported.
    fn serve(
        self: Arc<Self>,
        incarnation: Incarnation,
    ) -> impl Future<Output = Self::End> + Send + 'static;

    /// A client, which runs until [`ClientHandle::storms`] is false and it has then seen a fresh
    /// command answered.
    fn ask(
        self: Arc<Self>,
        run: Arc<Self::Run>,
        handle: ClientHandle,
    ) -> impl Future<Output = ()> + Send + 'static;

    /// The run is over. Judges what its clients saw.
    ///
    /// # Errors
    /// What they should not have seen.
    fn judge(&self, run: &Self::Run) -> Verdict<Judged>;
}

/// How a server has ended by itself: with nothing to say, or with an error.
pub trait Ended {
    /// The error, in words.
    fn why(self) -> Option<String>;
}

impl Ended for () {
    fn why(self) -> Option<String> {
        None
    }
}

impl<T, E: Display> Ended for Result<T, E> {
    fn why(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// What came of looking at what clients saw, where nothing is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Nothing is wrong.
    Fine,
    /// Something may be wrong: the search ended before it knew, for this reason. No violation; it
    /// is counted as [`OrderUndecided`](squall_core::counters::Counter::OrderUndecided), and the
    /// trace says so.
    Undecided(String),
}

/// What one incarnation of a node is told.
#[derive(Clone, Debug)]
pub struct Incarnation {
    /// Which node.
    pub node: NodeId,
    /// 0 for the first start, one more for each restart.
    pub number: u32,
    /// The source of its random choices.
    pub seed: u64,
    /// Where it reports what it does.
    pub probe: Probe,
    /// What is to happen.
    pub plan: Arc<Plan>,
}

/// Which incarnation each machine of a runtime is in.
#[derive(Default)]
struct Incarnations(Mutex<BTreeMap<Machine, Incarnation>>);

impl Incarnations {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Machine, Incarnation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulator for Incarnations {
    fn new(_: &GlobalRng, _: &TimeHandle, _: &Config) -> Self {
        Self::default()
    }
}

impl Incarnation {
    /// The incarnation that the calling task belongs to, for code that it was not passed to.
    ///
    /// # Panics
    /// Outside of a task of a server under the storm.
    pub fn current() -> Self {
        let incarnation = simulator::<Incarnations>().lock().get(&node()).cloned();
        incarnation.expect("this is no task of a server under the storm")
    }

    /// From here on, tasks of its machine belong to this incarnation.
    fn begin(&self) {
        simulator::<Incarnations>()
            .lock()
            .insert(node(), self.clone());
    }

    /// All nodes, if they listen on this port: their numbers and addresses, in words.
    pub fn addresses(&self, port: u16) -> BTreeMap<u64, String> {
        let nodes = self.plan.nodes().into_iter();
        let address = |node: NodeId| (node.0.into(), format!("{}:{port}", address_of(node)));
        nodes.map(address).collect()
    }

    /// The time between two ticks of Raft's clock.
    pub fn tick(&self) -> Duration {
        Duration::from_micros(self.plan.cluster.tick_us)
    }
}

/// The address of a node in every run.
pub fn address_of(node: NodeId) -> IpAddr {
    [10, 0, 0, node.0].into()
}

/// What a client of this number may draw from.
fn choices_of(plan: &Plan, client: u32) -> Choices {
    Choices::labelled(plan.seed, "client of a server", client.into())
}

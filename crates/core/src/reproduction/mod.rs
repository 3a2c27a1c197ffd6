//! A run as calls of the library under test, which can be made again without the harness. What the
//! calls are of each library, its adapter says; which of them are needed, and how they are written
//! down, is not decided here.

mod tape;

use std::any::Any;
use std::collections::BTreeSet;

use crate::configuration::Change;
use crate::engine::Outcome;
use crate::ids::NodeId;
use crate::invariants::Property;
use crate::invariants::breach::Panic;
use crate::operator::Setting;
use crate::plan::Plan;

use tape::without_the_forgotten;
pub use tape::{Note, Noted, Tape};

/// Makes a library's calls again, in its own small cluster: nodes, messages on their way, and disks
/// in memory. The cluster's source is what goes into a reproduction, so that what holds here holds
/// there.
pub trait Reproducer: Send + Sync {
    /// Carries `plan` out, and takes down which calls the driver made, in order.
    fn record(&self, plan: &Plan) -> Recorded;

    /// Whether the cluster can tell that this property is broken.
    fn can_tell(&self, property: Property) -> bool;

    /// The recorded calls as calls of the cluster.
    fn calls(&self, case: &Case, recorded: &Recorded) -> Vec<Call>;

    /// Makes these calls, then looks at the property. Returns what a test of them would end with;
    /// nothing where it would pass.
    fn play(&self, case: &Case, calls: &[Call]) -> Option<Panic>;

    /// Lines of `[dependencies]` in a `Cargo.toml`: the library, and what its interface needs.
    fn dependencies(&self) -> &'static str;

    /// The source of the cluster. A line that consists of `//#` and names says to which parts the
    /// lines after it belong: a reproduction has them if it has all of those. Each has the part
    /// `always`.
    fn cluster(&self) -> &'static str;

    /// Whether the panic is a check of the cluster's, whose files are called so in every adapter,
    /// and none of the library, nor of what the cluster unwraps.
    fn is_check(&self, panic: &Panic) -> bool {
        let file = panic.place.as_ref().map(|place| place.file.as_str());
        matches!(file, Some("cluster.rs" | "play.rs")) && !panic.message.starts_with("called `")
    }

    /// The parts of the cluster that these calls and a look at the property need.
    fn parts(&self, case: &Case, calls: &[Call]) -> Vec<&'static str>;

    /// What comes before the calls.
    fn set_up(&self, case: &Case) -> SetUp;

    /// A call as a method of the node that it is made on, as `.campaign()`.
    fn code(&self, case: &Case, call: &Call) -> String;

    /// The statement that looks at the property in the end, where the cluster does not look on.
    fn look(&self, case: &Case) -> Option<String>;
}

/// What a test says where a cluster does not go on; the number of ticks follows.
pub const NO_PROGRESS: &str = "nothing new is agreed on in";

/// The voters, the learners and the others of a plan, by id.
pub fn members(plan: &Plan) -> [Vec<u64>; 3] {
    let cluster = &plan.cluster;
    let mut next = 1;
    [cluster.voters, cluster.learners, cluster.spares].map(|count| {
        let first = next;
        next += u64::from(count);
        (first..next).collect()
    })
}

/// Ids as the elements of a list in Rust.
pub fn listed(ids: &[u64]) -> String {
    let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// The calls that `convert` makes of what was noted, as the case has it read. `convert` is told
/// which notes are of messages that arrive once more later, and fails with another one of that
/// kind.
///
/// # Panics
/// When the notes are not of the type that `convert` takes.
pub fn calls_of<N: Note>(
    case: &Case,
    recorded: &Recorded,
    convert: impl Fn(&[Noted<N>], &BTreeSet<usize>) -> Result<Vec<Call>, usize>,
) -> Vec<Call> {
    let notes: &Vec<Noted<N>> = recorded.notes.downcast_ref().expect("what record returned");
    let remembered;
    let notes = match case.reading.forgets {
        true => {
            remembered = without_the_forgotten(notes);
            &remembered
        }
        false => notes,
    };
    let mut copies = BTreeSet::new();
    loop {
        match convert(notes, &copies) {
            Ok(calls) => return calls,
            Err(copied) => copies.insert(copied),
        };
    }
}

/// How recorded calls are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// All that the library wants done after a call is done at once, as far as the driver had it
    /// so; otherwise each part of that is a call by itself.
    pub coarse: bool,
    /// What a crash kept from the disk is not called at all, for disks of the cluster keep all.
    pub forgets: bool,
}

impl Reading {
    /// All readings, those with the simplest calls first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..4).map(|number| Self {
            coarse: number & 1 == 0,
            forgets: number & 2 == 0,
        })
    }
}

/// What is to be reproduced.
#[derive(Clone, Debug)]
pub struct Case {
    /// The plan of the run.
    pub plan: Plan,
    /// The property that it breaks.
    pub property: Property,
    /// The nodes that are up when the storm is over, and so must be live.
    pub up: Vec<NodeId>,
    /// How the recorded calls are read.
    pub reading: Reading,
}

/// What was taken down of a run.
pub struct Recorded {
    /// The notes of the adapter, which it alone understands.
    pub notes: Box<dyn Any>,
    /// How the run ended.
    pub outcome: Outcome,
    /// The nodes that are up when the storm is over.
    pub up: Vec<NodeId>,
}

/// The beginning of a reproduction.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// Items before the test.
    pub items: String,
    /// The statement that makes the cluster, called `c`.
    pub statement: String,
}

/// A call, or a few that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// At which node.
    pub node: NodeId,
    /// In which step of the run.
    pub step: u64,
    /// What is called.
    pub what: What,
    /// Then all that the library wants done is done at once.
    pub settles: bool,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The timer ticks so many times, and the election time-out does not elapse.
    Tick(u32),
    /// The election time-out elapses.
    TimeOut,
    /// The node is asked to stand for election.
    Campaign,
    /// The node is asked to replicate a command.
    Propose,
    /// The node is asked to change the configuration.
    Change(Change),
    /// The node is asked for a configuration as a whole.
    Configure {
        /// The voters.
        voters: Vec<u64>,
        /// The others that replicate the log.
        learners: Vec<u64>,
    },
    /// The node is asked for a read, under a name.
    Read(u8),
    /// The node is asked to hand leadership over.
    TransferLeader(NodeId),
    /// The node is asked to get a snapshot from its leader.
    RequestSnapshot,
    /// The node is asked to send heartbeats.
    Ping,
    /// A setting is changed.
    Set(Setting),
    /// The node hears that a peer cannot be reached.
    Unreachable(NodeId),
    /// The node hears what became of a snapshot that it sent.
    SnapshotSent(NodeId, bool),
    /// The node takes in a message of that kind, as the library calls it.
    Receive {
        /// From whom.
        from: NodeId,
        /// Its kind.
        kind: String,
        /// How many of its kind and sender are to be passed over, which were sent before it.
        passed_over: usize,
        /// A copy of it stays on its way.
        stays: bool,
    },
    /// The library says what it wants done, which is written and sent.
    Ready,
    /// What was written is on the disk, and the library hears of it.
    Saved,
    /// What is committed is applied.
    Apply,
    /// The log is cut off up to and including that index, for which a snapshot stands.
    Compact(u64),
    /// The node starts again on what is on its disk.
    Restart,
}

//! Engines carry plans out. An engine owns a world (clocks, network, disks,
//! replicas), and nothing else changes one.

mod answers;
mod client_io;
mod clients;
mod connections;
mod convergence;
mod coverage_probe;
mod digest;
mod disk_loss;
mod event;
mod event_loop;
mod faults;
#[cfg(feature = "hosted")]
mod hosted;
mod kind;
mod lease_keepers;
mod majority;
mod message_on_its_way;
mod node;
mod operator;
mod options;
mod panics;
mod pulse;
mod recording;
mod script;
mod step;
mod sync;
mod trace;
mod trace_writer;
mod transport;
mod triggers;
mod world;

pub(crate) use world::World;

pub use event_loop::run;
#[cfg(feature = "hosted")]
pub use hosted::{Host, Task, run_hosted};
pub use kind::{Engine, UnknownEngine};
#[doc(hidden)]
pub use panics::{fail_elsewhere, of_test};
#[doc(hidden)]
pub use pulse::{Pulse, Whereabouts};
pub use recording::Recording;
pub use trace::{Forgotten, Happened, Line, NOTE, Trigger, Weight, Wrote};
#[doc(hidden)]
pub use transport::hold_links;
#[doc(hidden)]
pub use triggers::Triggers;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::counters::Counters;
use crate::coverage::Coverage;
use crate::ids::{Index, NodeId, Role, Term};
use crate::invariants::{NodeView, Violation};
use crate::replica::MessageKind;
use crate::service::{Answer, Command};
use crate::storage::StableState;
use crate::text::seconds;
use squall_world::queue::SlabKey;

/// What a run is watched with. The default watches nothing, which is fastest.
#[derive(Default)]
pub struct Observer<'a> {
    /// Gets every event in words, as it happens.
    pub lines: Option<&'a mut dyn FnMut(Line)>,
    /// Gets the digest after every step.
    pub digests: Option<&'a mut Vec<u64>>,
    /// Gets what chance decides, in the words of plans.
    pub recording: Option<&'a mut Recording>,
    /// Gets what clients are told, in order.
    pub answers: Option<&'a mut Vec<Answered>>,
    /// Takes down which abstract states the cluster is in.
    pub coverage: Option<&'a mut Coverage>,
    /// Whether the library's own log goes into the lines.
    pub library_log: bool,
    /// Ends the run, without a verdict, once it has made so many steps.
    pub most_steps: Option<u64>,
    /// Ends the run, without a verdict, at this simulated time, in microseconds: what was to
    /// happen before has happened, and of what happens at that very time, what the plan has
    /// there (faults, their ends, requests), as far as it comes first.
    pub until_us: Option<u64>,
    /// Gets what is to come when the run ends.
    pub ahead: Option<&'a mut Ahead>,
    /// Is told how far the run is, and ends it, without a verdict, when it is stopped from another
    /// thread.
    pub pulse: Option<Arc<Pulse>>,
    /// Is shown the whole cluster after every event, and once more at the end. It must not unwind.
    pub cluster: Option<&'a mut dyn FnMut(&ClusterAt<'_>)>,
    /// Looks at the run after every event, and ends it, without a verdict, by saying so. It must
    /// not unwind.
    pub until: Option<&'a mut dyn FnMut(&Moment<'_>) -> bool>,
    /// Commands are opaque: replicas hash them and look no further, and no history of what clients
    /// are told is kept. All that is checked is the log.
    pub log_only: bool,
}

/// What is to come after a run has ended at [`Observer::until_us`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// When something happens next, but for the end of the storm, in microseconds; none when
    /// nothing will.
    pub next_us: Option<u64>,
    /// The messages on their way, in the order in which they are to arrive.
    pub messages: Vec<MessageAhead>,
}

/// A message that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageAhead {
    /// Its sender.
    pub from: NodeId,
    /// Its receiver.
    pub to: NodeId,
    /// Its kind.
    pub kind: MessageKind,
    /// When it is to arrive, in microseconds since the start.
    pub arrives_us: u64,
    /// Where it lies on its way, as [`Happened::Sent`] has it.
    pub parcel: SlabKey,
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// When, in microseconds.
    pub time_us: u64,
    /// What it had asked for, and when first.
    pub command: Command,
    /// The answer.
    pub answer: Answer,
}

/// A run between two events.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Simulated time, in microseconds.
    pub time_us: u64,
    /// Inputs stepped into replicas so far.
    pub step: u64,
    /// Whether the storm is over.
    pub healed: bool,
    /// How often each event has happened so far.
    pub counters: &'a Counters,
    /// Every node, in order of id.
    pub nodes: &'a [NodeView],
}

impl Moment<'_> {
    /// The node that leads in the newest term, of those that run.
    pub fn leader(&self) -> Option<NodeId> {
        let leads = |node: &(usize, &NodeView)| node.1.up && node.1.role == Role::Leader;
        let leaders = self.nodes.iter().enumerate().filter(leads);
        let newest = leaders.max_by_key(|(_, node)| node.term);
        newest.map(|(position, _)| NodeId::at(position))
    }
}

/// The whole cluster between two events, as the harness knows it.
#[derive(Debug)]
pub struct ClusterAt<'a> {
    /// Simulated time, in microseconds.
    pub time_us: u64,
    /// Inputs stepped into replicas so far.
    pub step: u64,
    /// Every node, in order of id.
    pub nodes: Vec<NodeAt<'a>>,
    /// The links that are cut, each with its sender and its receiver, in order.
    pub cuts: Vec<(NodeId, NodeId)>,
}

/// One node between two events.
#[derive(Clone, Copy, Debug)]
pub struct NodeAt<'a> {
    /// Whether it runs.
    pub state: NodeState,
    /// What it has shown of itself.
    pub view: &'a NodeView,
    /// What its disk would keep if the power failed now.
    pub durable: &'a StableState,
    /// Records written and not yet durable.
    pub unsynced: usize,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What broke, where and when; none when the run was clean.
    pub failure: Option<Failure>,
    /// A hash of everything that happened, in order.
    pub digest: u64,
    /// Inputs stepped into replicas.
    pub steps: u64,
    /// Simulated time at the end, in microseconds.
    pub time_us: u64,
    /// How often each event happened.
    pub counters: Counters,
    /// Every node at the end.
    pub nodes: Vec<NodeAtEnd>,
    /// Members that lost their disks by mistake, and came back under their ids: in order of time.
    pub members_without_disk: Vec<NodeId>,
}

/// A violation, and when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What broke.
    pub violation: Violation,
    /// In which step, counted from 1 over the whole cluster.
    pub step: u64,
    /// At which simulated time, in microseconds.
    pub time_us: u64,
}

/// One node when a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAtEnd {
    /// The node.
    pub id: NodeId,
    /// Whether it ran, was down, or was gone for good.
    pub state: NodeState,
    /// Its role.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Its vote in that term, as it wrote it.
    pub vote: Option<NodeId>,
    /// The last index of its log.
    pub last: Index,
    /// How far it knew the log to be committed.
    pub commit: Index,
    /// How far it had applied the log.
    pub applied: Index,
    /// What its disk would have kept: term, snapshot and last index.
    pub disk: (Term, Index, Index),
    /// How often it had restarted.
    pub incarnation: u32,
}

/// Whether a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It runs.
    Up,
    /// It runs, and stands still for a while.
    Still,
    /// It is down.
    Down,
    /// It is down for good.
    Gone,
}

impl std::fmt::Display for NodeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            NodeState::Up => "up",
            NodeState::Still => "still",
            NodeState::Down => "down",
            NodeState::Gone => "gone",
        })
    }
}

/// The nodes as a table of 80 columns: a line of headers, and a line for each.
pub fn node_table(nodes: &[NodeAtEnd]) -> String {
    let columns = [
        "nodes", "", "role", "term", "vote", "last", "commit", "applied", "term", "snap", "log",
        "boots",
    ];
    let mut text = format!("{:54}{}\n", "", "on its disk");
    text.push_str(&row(columns.map(str::to_owned)));
    for node in nodes {
        text.push('\n');
        text.push_str(&node.to_string());
    }
    text
}

fn row(cells: [String; 12]) -> String {
    let [
        id,
        state,
        role,
        term,
        vote,
        last,
        commit,
        applied,
        disk_term,
        snapshot,
        log,
        boots,
    ] = cells;
    let line = format!(
        "{id:5} {state:5} {role:13} {term:>4} {vote:>4} {last:>5} {commit:>6} {applied:>7} \
         {disk_term:>5} {snapshot:>4} {log:>4} {boots:>5}"
    );
    line.trim_end().to_owned()
}

impl std::fmt::Display for NodeAtEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (disk_term, disk_snapshot, disk_last) = self.disk;
        f.write_str(&row([
            format!("  {}", self.id),
            self.state.to_string(),
            self.role.to_string(),
            self.term.to_string(),
            self.vote.map_or("-".to_owned(), |vote| vote.to_string()),
            self.last.to_string(),
            self.commit.to_string(),
            self.applied.to_string(),
            disk_term.to_string(),
            disk_snapshot.to_string(),
            disk_last.to_string(),
            (u64::from(self.incarnation) + 1).to_string(),
        ]))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} (step {}, {})",
            self.violation,
            self.step,
            seconds(self.time_us)
        )
    }
}

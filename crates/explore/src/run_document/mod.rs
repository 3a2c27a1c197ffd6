//! A run as one document: what `replay --json` prints, and what the page of a failure is filled
//! from. `docs/run.schema.json` describes the JSON.
//!
//! The document has what happened (moments, messages, what clients asked for) and how every node
//! stood after it, as changes from one moment to the next. Who reads it needs to know nothing of
//! how a library or the engine comes from one state to another. Knows no file and no HTML.

mod build;
mod goes_on;
mod standing;
mod to_come;

use serde::Serialize;

use squall_core::configuration::Configuration;
use squall_core::engine::{Ahead, ClusterAt, Line, NodeState, Observer, Outcome};
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::invariants::Violation;
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_core::replica::MessageKind;

use crate::explain::CausalTrace;
use build::Builder;
pub use to_come::{MessageToCome, ToCome};

/// What [`RunDocument::format`] says.
pub const FORMAT: &str = "squall-run";

/// The version of the document. A reader of one version can read each later one with the same
/// number: fields may come, and none goes or changes its meaning.
pub const VERSION: u32 = 1;

/// A run as one document.
#[derive(Clone, Debug, Serialize)]
pub struct RunDocument {
    /// Always [`FORMAT`].
    pub format: &'static str,
    /// Always [`VERSION`].
    pub version: u32,
    /// The version of Squall that made it.
    pub squall: &'static str,
    /// What was tested.
    pub subject: String,
    /// What repeats the run.
    pub reproduce: String,
    /// The plan: saved as a file, it can be replayed.
    pub plan: Plan,
    /// What the library and its driver were set to, where that is not what they are set to if
    /// nobody says.
    pub settings: Vec<Setting>,
    /// The faults of the plan, in its order.
    pub faults: Vec<FaultInWords>,
    /// How it ended.
    pub end: End,
    /// The violation; none when the run was clean.
    pub violation: Option<BrokenRule>,
    /// How it came about, or the outline of a clean run.
    pub story: Vec<Sentence>,
    /// Whether moments say how nodes stand after them. Async servers keep that to themselves.
    pub has_states: bool,
    /// How many nodes there are: n1 and those that follow.
    pub nodes: u8,
    /// The clients that asked for something, in order of their numbers.
    pub clients: Vec<Client>,
    /// What happened, in order.
    pub moments: Vec<Moment>,
    /// The messages, in the order in which they were sent.
    pub messages: Vec<Message>,
    /// What clients asked for, in order.
    pub operations: Vec<Operation>,
}

/// How a run ended.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// Inputs stepped into replicas.
    pub steps: u64,
    /// Simulated time, in microseconds.
    pub time_us: u64,
    /// When the storm ended, or was to end, in microseconds.
    pub healed_us: u64,
    /// A hash of everything that happened: 16 hexadecimal digits.
    pub digest: String,
    /// Members that lost their disks by mistake: then a violation tells nothing against the
    /// library.
    pub members_without_disk: Vec<NodeId>,
}

/// An option of the library or its driver that is not what it is if nobody says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name in the plan.
    pub name: String,
    /// What it is set to.
    pub value: serde_json::Value,
    /// It is an option of this subject's alone. Many of them leave a known issue of the library's
    /// in.
    #[serde(skip_serializing_if = "is_false")]
    pub own: bool,
}

/// A fault of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct FaultInWords {
    /// When it strikes, and what it does.
    pub words: String,
    /// The moments in which it struck.
    pub struck: Vec<usize>,
    /// The moments in which it was over.
    pub over: Vec<usize>,
}

/// The violation with which a run ended.
#[derive(Clone, Debug, Serialize)]
pub struct BrokenRule {
    /// The property.
    pub property: &'static str,
    /// What the property says.
    pub rule: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// What broke it.
    pub message: String,
    /// What an author of an adapter is to ask first.
    pub ask_first: Option<&'static str>,
    /// In which step.
    pub step: u64,
    /// At which simulated time, in microseconds.
    pub time_us: u64,
    /// At which node, where there is one.
    pub node: Option<NodeId>,
    /// In which moment.
    pub moment: usize,
    /// The violation with its fields.
    pub fields: Violation,
}

/// A sentence of the story.
#[derive(Clone, Debug, Serialize)]
pub struct Sentence {
    /// The moment that it tells of; none for what is told of the end as a whole.
    pub moment: Option<usize>,
    /// The step of that moment.
    pub step: Option<u64>,
    /// Its simulated time, in microseconds.
    pub time_us: Option<u64>,
    /// The subject of the sentence, where it is a node.
    pub node: Option<NodeId>,
    /// The sentence, without its subject.
    pub text: String,
}

/// A client.
#[derive(Clone, Debug, Serialize)]
pub struct Client {
    /// Its number, by which operations name it.
    pub number: u32,
    /// What it is called.
    pub name: String,
}

/// What a moment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentKind {
    /// The node's timer ticks.
    Tick,
    /// The node takes in a message.
    Message,
    /// A sync of the node's disk is done.
    Synced,
    /// A sync of the node's disk has failed.
    SyncFailed,
    /// A client asks the node for something.
    Client,
    /// An operator asks the node for something.
    Operator,
    /// The transport tells the node something.
    Transport,
    /// The node starts.
    Start,
    /// The node goes down.
    Down,
    /// A fault strikes.
    Fault,
    /// A fault is over.
    FaultOver,
    /// The storm ends.
    Healed,
    /// Something else befalls a node, or all.
    Other,
}

/// Something that happened at one node, or to all of them. A tick of which nothing came is left
/// out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When, in simulated microseconds.
    pub time_us: u64,
    /// In or after which step.
    pub step: u64,
    /// At which node; none for what befalls all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// What it begins with.
    pub kind: MomentKind,
    /// What it begins with, in words.
    pub text: String,
    /// What came of it, in words, without the messages that are sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// The message that it begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<usize>,
    /// The messages that are sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sends: Vec<usize>,
    /// It changes something, or may: it is no mere heartbeat, tick or sync.
    #[serde(skip_serializing_if = "is_false")]
    pub notable: bool,
    /// The violation follows from it, or contradicts it.
    #[serde(skip_serializing_if = "is_false")]
    pub past: bool,
    /// How nodes stand after it, where they stand otherwise than before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<NodeChange>,
    /// The links that are cut after it, each with its sender and its receiver, where others were
    /// before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuts: Option<Vec<(NodeId, NodeId)>>,
    /// Who holds the locks by what is committed, where others did before; empty where that is not
    /// known any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locks: Option<Vec<Option<Lock>>>,
}

impl Moment {
    /// One of which nothing is told yet.
    fn begin(time_us: u64, step: u64, node: Option<NodeId>, kind: MomentKind) -> Self {
        Self {
            time_us,
            step,
            node,
            kind,
            text: String::new(),
            lines: Vec::new(),
            message: None,
            sends: Vec::new(),
            notable: false,
            past: false,
            changes: Vec::new(),
            cuts: None,
            locks: None,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// How one node stands otherwise than before. What is absent has not changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeChange {
    /// The node.
    pub node: NodeId,
    /// Whether it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<NodeState>,
    /// Its role, in one of the words of the Raft paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// Its term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// Its vote, as it wrote it last; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote: Option<u8>,
    /// How far it knows the log to be committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Index>,
    /// How far it has applied the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Index>,
    /// The index of its snapshot; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Index>,
    /// How often it has started before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    /// The configuration that it goes by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ConfigurationFrom>,
    /// Its log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogChange>,
    /// Its disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<OnDisk>,
}

/// A role by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleName {
    /// Follows.
    Follower,
    /// Asks whether an election would be won.
    PreCandidate,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Follower => RoleName::Follower,
            Role::PreCandidate => RoleName::PreCandidate,
            Role::Candidate => RoleName::Candidate,
            Role::Leader => RoleName::Leader,
        }
    }
}

/// The configuration that a node goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigurationFrom {
    /// The index from which it goes by it.
    pub index: Index,
    /// The configuration.
    #[serde(flatten)]
    pub configuration: Configuration,
}

/// How a log is otherwise than before: what lies before `first` is gone, and so is what lies at
/// `from` and after it, where `entries` are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogChange {
    /// The first index that the log has.
    pub first: Index,
    /// Where it is another.
    pub from: Index,
    /// Its entries from there on.
    pub entries: Vec<LogEntry>,
}

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Its term.
    pub term: Term,
    /// The operation that asked for it, by its place among the operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<usize>,
    /// It changes the configuration.
    #[serde(skip_serializing_if = "is_false")]
    pub changes: bool,
}

/// What a disk would keep if the power failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OnDisk {
    /// The term.
    pub term: Term,
    /// The vote in that term; 0 for none.
    pub vote: u8,
    /// The index of the snapshot; 0 for none.
    pub snapshot: Index,
    /// The last entry of the node's log that is on its disk, as are all before it.
    pub last: Index,
    /// Records written and not yet on the platter.
    pub unsynced: usize,
}

/// A lock in a client's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// Whose.
    pub client: u32,
    /// The fencing token.
    pub token: u64,
    /// Until when, in replicated time, in microseconds; none when it has no end.
    pub until_us: Option<u64>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its sender.
    pub from: NodeId,
    /// Its receiver.
    pub to: NodeId,
    /// Its kind.
    pub kind: MessageKind,
    /// The term that it carries; 0 when it carries none.
    pub term: Term,
    /// What it says.
    pub text: String,
    /// The moment in which it was sent.
    pub sent: usize,
    /// The moment that it began; none when nobody took it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<usize>,
    /// The network lost it.
    #[serde(skip_serializing_if = "is_false")]
    pub lost: bool,
    /// It is the second copy of a message.
    #[serde(skip_serializing_if = "is_false")]
    pub copy: bool,
}

/// What a client asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    /// The client's number.
    pub client: u32,
    /// The client's own count of what it asks for.
    pub sequence: u64,
    /// What it asked for.
    pub text: String,
    /// The moments in which a node was asked.
    pub asked: Vec<usize>,
    /// What nodes answered.
    pub answers: Vec<ToldClient>,
}

/// What a node answered.
#[derive(Clone, Debug, Serialize)]
pub struct ToldClient {
    /// In which moment.
    pub moment: usize,
    /// The answer.
    pub text: String,
    /// The node has not done it, and says so.
    #[serde(skip_serializing_if = "is_false")]
    pub refused: bool,
}

impl RunDocument {
    /// Carries `plan` out and takes everything down. `reproduce` is what repeats it; with
    /// `most_steps` the run ends after so many steps.
    pub fn of_run(
        subject: &RegisteredSubject,
        plan: &Plan,
        reproduce: &str,
        most_steps: Option<u64>,
    ) -> (Self, Outcome) {
        let (document, outcome, _) = Self::until(subject, plan, reproduce, most_steps, None);
        (document, outcome)
    }

    /// The same, and the run ends at the simulated time `until_us`, in microseconds, before what
    /// chance or the subject has happen then. Beside it, what is to come.
    pub fn until(
        subject: &RegisteredSubject,
        plan: &Plan,
        reproduce: &str,
        most_steps: Option<u64>,
        until_us: Option<u64>,
    ) -> (Self, Outcome, ToCome) {
        let builder = std::cell::RefCell::new(Builder::new(plan));
        let mut causes = CausalTrace::default();
        let mut line = |line: Line| {
            builder.borrow_mut().line(&line);
            causes.add(line);
        };
        let mut cluster = |at: &ClusterAt<'_>| builder.borrow_mut().cluster(at);
        let mut ahead = Ahead::default();
        let watch = Observer {
            lines: Some(&mut line),
            cluster: Some(&mut cluster),
            most_steps,
            until_us,
            ahead: Some(&mut ahead),
            ..Observer::default()
        };
        let outcome = subject.runner.run(plan, watch);
        let past = causes.past(&outcome);
        let story = causes.story(plan, &outcome);
        let built = builder.into_inner();
        let to_come = built.to_come(&ahead);
        let document = built.finish(plan, &outcome, &past, story, reproduce);
        (document, outcome, to_come)
    }
}

//! What happens in a run, in words and as data. No line is made unless someone reads it.

use std::fmt;

use crate::ids::{Index, NodeId, Term};
use crate::operator::Admin;
use crate::replica::{Label, MessageKind, Observation, Reply, SyncResult};
use crate::service::{Command, Operation};
use crate::storage::{EntryKind, HardState, Record};
use crate::text::seconds;
use squall_world::queue::SlabKey;

/// What the words of a line of the library's own log begin with.
pub(super) const LIBRARY: &str = "| ";

/// One event in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in simulated microseconds.
    pub time_us: u64,
    /// In or after which step.
    pub step: u64,
    /// At which node, if at one.
    pub node: Option<NodeId>,
    /// How much it matters.
    pub weight: Weight,
    /// What happened, in words.
    pub text: String,
    /// What happened, as data.
    pub event: Happened,
}

/// How a line begins that a test has added to what its run told.
pub const NOTE: &str = "note: ";

/// What a [`Line`] tells, as data: for those that follow causes, or compare runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A step of the node begins with this.
    Began(Trigger),
    /// The node sends a message, which is to arrive.
    Sent {
        /// What it is.
        label: Label,
        /// Where it lies on its way.
        parcel: SlabKey,
        /// It is the second copy of a message.
        copy: bool,
    },
    /// A message that the node sends is lost.
    Lost {
        /// What it is.
        label: Label,
    },
    /// A message that was on its way is lost.
    LostOnItsWay {
        /// Where it lay.
        parcel: SlabKey,
    },
    /// The node writes a record.
    Wrote(Wrote),
    /// The node reports this.
    Observed(Observation),
    /// The node asks for what it has written to be made durable.
    SyncBegun,
    /// The node answers a client.
    Answered {
        /// Whom, and what.
        reply: Reply,
        /// The answer in the words of the machine that gave it, where it is one's own.
        words: Option<String>,
    },
    /// The fault of this number in the plan strikes.
    Struck(usize),
    /// The fault of this number in the plan is over.
    Over(usize),
    /// The node is down, and its disk has lost this.
    Down(Forgotten),
    /// The storm ends.
    Healed,
    /// The violation with which the run ends.
    Broken,
    /// A line of the library's own log.
    Library,
    /// Anything else: its words must do.
    Other,
}

/// What a step begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A tick.
    Tick,
    /// A message.
    Message {
        /// Its sender.
        from: NodeId,
        /// What it is.
        label: Label,
        /// Where it lay on its way.
        parcel: SlabKey,
    },
    /// The end of a sync.
    Synced(SyncResult),
    /// What a client asks for.
    Client {
        /// The client's number.
        client: u32,
        /// Its own count of what it asks for.
        sequence: u64,
        /// How often it has asked for the same before.
        attempt: u32,
        /// What; none where commands are opaque.
        operation: Option<Operation>,
        /// The same in the words of the machine whose command it is, where it is one's own.
        words: Option<String>,
    },
    /// What an operator asks for.
    Admin(Admin),
    /// What a transport says.
    Transport,
}

/// A record as it is written, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// Term and vote.
    HardState(HardState),
    /// An entry.
    Entry {
        /// Where in the log.
        index: Index,
        /// Its term.
        term: Term,
        /// It changes the configuration.
        changes: bool,
        /// It is empty, as that of a new leader.
        empty: bool,
        /// Whose command it is, and the client's own count of what it asks for.
        sender: Option<(u32, u64)>,
    },
    /// The commit index.
    Commit {
        /// The commit index.
        index: Index,
    },
    /// The log is empty and goes on there.
    LogReset {
        /// The index of the next entry.
        next: Index,
    },
    /// The log is dropped up to there.
    LogCompact {
        /// The last index dropped.
        through: Index,
    },
    /// A snapshot.
    Snapshot {
        /// Its index.
        index: Index,
        /// The term of that entry.
        term: Term,
    },
}

impl From<&Record> for Wrote {
    fn from(record: &Record) -> Self {
        match record {
            Record::HardState(hard) => Wrote::HardState(*hard),
            Record::Entry { index, entry } => Wrote::Entry {
                index: *index,
                term: entry.term,
                changes: entry.kind != EntryKind::Normal,
                empty: entry.data.is_empty(),
                sender: match entry.kind {
                    EntryKind::Normal => {
                        Command::decode(&entry.data).map(|one| (one.client, one.sequence))
                    }
                    EntryKind::Configuration(_) => None,
                },
            },
            Record::Commit { index } => Wrote::Commit { index: *index },
            Record::LogReset { next } => Wrote::LogReset { next: *next },
            Record::LogCompact { through } => Wrote::LogCompact { through: *through },
            Record::Snapshot(snapshot) => Wrote::Snapshot {
                index: snapshot.index,
                term: snapshot.term,
            },
        }
    }
}

/// What a node had written and its disk has not kept over a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// The first and the last entry, where there are any.
    pub entries: Option<(Index, Index)>,
    /// The term and vote, where its disk has older ones.
    pub hard: Option<HardState>,
    /// The snapshot's index, where its disk has an older one.
    pub snapshot: Option<Index>,
    /// It gets an empty disk in place of its own.
    pub whole_disk: bool,
}

impl fmt::Display for Forgotten {
    /// What is forgotten, as in `entries 3 to 4 and its vote for n2 in term 2`; nothing for
    /// nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.map(|(first, last)| match first == last {
            true => format!("entry {first}"),
            false => format!("entries {first} to {last}"),
        });
        let hard = self.hard.map(|hard| match hard.vote {
            Some(vote) => format!("its vote for {vote} in term {}", hard.term),
            None => format!("its term {}", hard.term),
        });
        let snapshot = self
            .snapshot
            .map(|index| format!("its snapshot at {index}"));
        let all: Vec<String> = [entries, hard, snapshot].into_iter().flatten().collect();
        f.write_str(&all.join(" and "))
    }
}

/// How much a line matters to someone who reads a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Goes on all the time: ticks, heartbeats, syncs.
    Routine,
    /// Changes something, or may.
    Notable,
}

impl Line {
    /// Whether it is the one with which `step` begins, before its input goes into the node.
    pub fn begins(&self, step: Option<u64>) -> bool {
        step == Some(self.step) && matches!(self.event, Happened::Began(_))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node.map_or(String::new(), |node| node.to_string());
        write!(
            f,
            "{:>14}  step {:<7} {:3} {}",
            seconds(self.time_us),
            self.step,
            node,
            self.text
        )
    }
}

/// How much a message matters, by its kind.
pub(super) fn weight(kind: MessageKind) -> Weight {
    match kind {
        MessageKind::Heartbeat | MessageKind::HeartbeatReply => Weight::Routine,
        _ => Weight::Notable,
    }
}

pub(super) fn observation(seen: &Observation) -> String {
    match seen {
        Observation::Started {
            term,
            vote,
            last,
            commit,
            applied,
            ..
        } => {
            let vote = vote.map_or(String::new(), |vote| format!(", vote {vote}"));
            format!(
                "starts with term {term}{vote}, log to {last}, commit {commit}, applied {applied}"
            )
        }
        Observation::Role { role, term } => format!("is {role} in term {term}"),
        Observation::Committed { index } => format!("knows {index} committed"),
        Observation::Applied { index, .. } => format!("applies {index}"),
        Observation::Installed { index, .. } => format!("installs the snapshot at {index}"),
        Observation::SnapshotTaken { index } => format!("takes a snapshot at {index}"),
        Observation::Configured {
            index,
            configuration,
        } => format!("goes by {configuration} from entry {index} on"),
        Observation::ReadConfirmed { index } => format!("may serve a read from {index} on"),
        Observation::Transfer { to: Some(to) } => format!("hands leadership over to {to}"),
        Observation::Transfer { to: None } => "hands leadership over no longer".to_owned(),
        Observation::Did(event) => event.words().to_owned(),
        Observation::Broke(promise) => format!("breaks a promise: {promise:?}"),
    }
}

pub(super) fn record(written: &Record) -> String {
    match written {
        Record::HardState(hard) => {
            let vote = hard.vote.map_or("none".to_owned(), |vote| vote.to_string());
            format!("writes term {}, vote {vote}", hard.term)
        }
        Record::Commit { index } => format!("writes commit {index}"),
        Record::Entry { index, entry } => {
            format!(
                "writes entry {index} of term {} ({} bytes)",
                entry.term,
                entry.data.len()
            )
        }
        Record::LogReset { next } => format!("empties its log, to go on at {next}"),
        Record::LogCompact { through } => format!("compacts its log through {through}"),
        Record::Snapshot(snapshot) => {
            format!(
                "writes a snapshot at {} of term {}",
                snapshot.index, snapshot.term
            )
        }
    }
}

//! What can go wrong, and when: the vocabulary of faults. To add a kind of
//! fault: a variant of [`What`] and of [`FaultKind`] here, its words in
//! `plan/words.rs`, its draw in `plan/generate.rs`, its doing in `engine/inject.rs`;
//! the compiler names each place that is missing.

use serde::{Deserialize, Serialize};

use super::Milestone;
use crate::configuration::Change;
use crate::ids::NodeId;
use crate::operator::Admin;
use crate::replica::MessageKind;
use crate::storage::Journal;
use squall_world::journal_disk::Loss;
use squall_world::network::{LinkDegradation, MessageFault};

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it strikes.
    pub when: When,
    /// What it does.
    pub what: What,
}

/// When a fault strikes: at a time, or at an ordinal event, which stays put
/// when something else in the plan is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum When {
    /// At this time, in microseconds since the start.
    AtUs(u64),
    /// As soon as this node has begun a sync for the `nth` time, counted from 1 over all its lives.
    Sync {
        /// Whose sync.
        node: NodeId,
        /// Which.
        nth: u32,
    },
    /// As soon as this node has begun the sync that is to make durable what it wrote over
    /// conflicting entries, for the `nth` time, counted from 1 over all its lives.
    Overwrite {
        /// Whose sync.
        node: NodeId,
        /// Which.
        nth: u32,
    },
    /// As soon as this has come about at this node for the `nth` time, counted from 1 over all its
    /// lives. What the node sends in the same step is on its way then.
    Milestone {
        /// Whose.
        node: NodeId,
        /// What.
        milestone: Milestone,
        /// Which.
        nth: u32,
    },
    /// As soon as the `nth` message of this kind, counted from 1, is sent on this link.
    Message {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The kind.
        kind: MessageKind,
        /// Which.
        nth: u32,
    },
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// The node loses power and all that is not durable, and starts again later.
    Crash {
        /// Which node.
        node: NodeId,
        /// What becomes of its unsynced writes.
        loss: LossMode,
        /// How long it stays down, in microseconds.
        down_us: u64,
    },
    /// The node stands still, as in a long garbage collection or a frozen virtual machine.
    Pause {
        /// Which node.
        node: NodeId,
        /// How long, in microseconds.
        for_us: u64,
    },
    /// Nothing gets through from these nodes to those.
    Cut {
        /// From any of these,
        from: Vec<NodeId>,
        /// to any of those.
        to: Vec<NodeId>,
        /// How long, in microseconds.
        for_us: u64,
    },
    /// Nothing gets through between these nodes and all others, either way.
    Split {
        /// One side.
        side: Vec<NodeId>,
        /// How long, in microseconds.
        for_us: u64,
    },
    /// Nothing gets through between whoever leads then and all others, either way. Clients still
    /// reach it.
    IsolateLeader {
        /// How long, in microseconds.
        for_us: u64,
        /// These nodes still hear it, and all others too: a partial partition (Alfatafta et al.,
        /// "Toward a generic fault tolerance technique for partial network partitioning",
        /// OSDI 2020).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bridges: Vec<NodeId>,
    },
    /// Messages from these nodes to those are lost, doubled, overtaken or late more often.
    Trouble {
        /// From any of these,
        from: Vec<NodeId>,
        /// to any of those.
        to: Vec<NodeId>,
        /// How often.
        trouble: LinkDegradation,
        /// How long, in microseconds.
        for_us: u64,
    },
    /// Messages from these nodes to those are held back, and then arrive all at once.
    Burst {
        /// From any of these,
        from: Vec<NodeId>,
        /// to any of those.
        to: Vec<NodeId>,
        /// How long they are held, in microseconds.
        for_us: u64,
    },
    /// Every message to or from the node takes longer.
    SlowNode {
        /// Which node.
        node: NodeId,
        /// How much longer, in microseconds.
        extra_us: u64,
        /// How long this lasts, in microseconds.
        for_us: u64,
    },
    /// The message that triggers this fault is lost.
    LoseMessage,
    /// The message that triggers this fault arrives a second time.
    DuplicateMessage {
        /// How much later, in microseconds.
        after_us: u64,
    },
    /// The message that triggers this fault is late, and others overtake it.
    DelayMessage {
        /// How late, in microseconds.
        by_us: u64,
    },
    /// Syncs on the node take this long.
    SlowDisk {
        /// Which node.
        node: NodeId,
        /// Microseconds a sync takes at least.
        sync_us: u64,
        /// How long this lasts, in microseconds.
        for_us: u64,
    },
    /// The node's next sync, or the one that triggers this fault, fails.
    FailSync {
        /// Which node.
        node: NodeId,
    },
    /// The node's disk has no room.
    FullDisk {
        /// Which node.
        node: NodeId,
        /// How long, in microseconds.
        for_us: u64,
    },
    /// A durable record on the node's disk rots. The node cannot start from it any more.
    Rot {
        /// Which node.
        node: NodeId,
        /// In which of its journals.
        journal: JournalName,
    },
    /// The node's clock jumps.
    Jump {
        /// Which node.
        node: NodeId,
        /// How far, in microseconds; backwards if negative.
        by_us: i64,
    },
    /// The node's clock runs at another speed for a while.
    Drift {
        /// Which node.
        node: NodeId,
        /// Microseconds it gains a second; loses, if negative.
        ppm: i32,
        /// How long, in microseconds.
        for_us: u64,
    },
    /// An operator asks the leader for a change of the configuration. Nodes that are to join start
    /// with it.
    Change {
        /// Which.
        change: Change,
        /// How often it is asked for again while it has not come about, every other election
        /// time-out.
        retries: u32,
        /// Nodes that it removes are stopped for good as soon as they are out; otherwise they run
        /// on.
        stop_removed: bool,
    },
    /// An operator asks a node for something else.
    Ask {
        /// Which node; none for whoever leads.
        node: Option<NodeId>,
        /// For what.
        admin: Admin,
    },
}

impl What {
    /// What it does to the message that triggers it; none if it does something else.
    pub fn tampering(&self) -> Option<MessageFault> {
        match self {
            What::LoseMessage => Some(MessageFault::Lose),
            What::DuplicateMessage { after_us } => Some(MessageFault::Duplicate {
                after_us: *after_us,
            }),
            What::DelayMessage { by_us } => Some(MessageFault::Delay { by_us: *by_us }),
            _ => None,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> FaultKind {
        match self {
            What::Crash { .. } => FaultKind::Crash,
            What::Pause { .. } => FaultKind::Pause,
            What::Cut { .. } => FaultKind::Cut,
            What::Split { .. } => FaultKind::Split,
            What::IsolateLeader { .. } => FaultKind::IsolateLeader,
            What::Trouble { .. } => FaultKind::Trouble,
            What::Burst { .. } => FaultKind::Burst,
            What::SlowNode { .. } => FaultKind::SlowNode,
            What::LoseMessage => FaultKind::LoseMessage,
            What::DuplicateMessage { .. } => FaultKind::DuplicateMessage,
            What::DelayMessage { .. } => FaultKind::DelayMessage,
            What::SlowDisk { .. } => FaultKind::SlowDisk,
            What::FailSync { .. } => FaultKind::FailSync,
            What::FullDisk { .. } => FaultKind::FullDisk,
            What::Rot { .. } => FaultKind::Rot,
            What::Jump { .. } => FaultKind::Jump,
            What::Drift { .. } => FaultKind::Drift,
            What::Change { .. } => FaultKind::Change,
            What::Ask { admin, .. } => match admin {
                Admin::Change(_) => FaultKind::Change,
                Admin::TransferLeader { .. } => FaultKind::Transfer,
                Admin::Campaign => FaultKind::Campaign,
                Admin::RequestSnapshot => FaultKind::RequestSnapshot,
                Admin::Ping => FaultKind::Ping,
                Admin::Set(_) => FaultKind::Set,
            },
        }
    }
}

/// What a crash does to writes that no completed sync covers: [`Loss`], as plans write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossMode {
    /// All are lost.
    LoseAll,
    /// The oldest few are kept.
    KeepPrefix,
    /// Any may be kept.
    KeepSubset,
    /// The oldest few are kept, and the next is half written.
    Tear,
}

impl LossMode {
    /// All modes.
    pub const ALL: [LossMode; 4] = [
        LossMode::LoseAll,
        LossMode::KeepPrefix,
        LossMode::KeepSubset,
        LossMode::Tear,
    ];
}

impl From<LossMode> for Loss {
    fn from(mode: LossMode) -> Self {
        match mode {
            LossMode::LoseAll => Loss::All,
            LossMode::KeepPrefix => Loss::Prefix,
            LossMode::KeepSubset => Loss::Subset,
            LossMode::Tear => Loss::Tear,
        }
    }
}

/// One of a node's journals: [`Journal`], as plans write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JournalName {
    /// Hard states.
    HardState,
    /// Entries.
    Log,
    /// Snapshots.
    Snapshot,
}

impl From<JournalName> for Journal {
    fn from(name: JournalName) -> Self {
        match name {
            JournalName::HardState => Journal::HardState,
            JournalName::Log => Journal::Log,
            JournalName::Snapshot => Journal::Snapshot,
        }
    }
}

/// The kinds of fault, as profiles and `squall list faults` name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// [`What::Crash`].
    Crash,
    /// [`What::Pause`].
    Pause,
    /// [`What::Cut`].
    Cut,
    /// [`What::Split`].
    Split,
    /// [`What::IsolateLeader`].
    IsolateLeader,
    /// [`What::Trouble`].
    Trouble,
    /// [`What::Burst`].
    Burst,
    /// [`What::SlowNode`].
    SlowNode,
    /// [`What::LoseMessage`].
    LoseMessage,
    /// [`What::DuplicateMessage`].
    DuplicateMessage,
    /// [`What::DelayMessage`].
    DelayMessage,
    /// [`What::SlowDisk`].
    SlowDisk,
    /// [`What::FailSync`].
    FailSync,
    /// [`What::FullDisk`].
    FullDisk,
    /// [`What::Rot`].
    Rot,
    /// [`What::Jump`].
    Jump,
    /// [`What::Drift`].
    Drift,
    /// [`What::Change`].
    Change,
    /// [`What::Ask`], for [`Admin::TransferLeader`].
    Transfer,
    /// [`What::Ask`], for [`Admin::Campaign`].
    Campaign,
    /// [`What::Ask`], for [`Admin::RequestSnapshot`].
    RequestSnapshot,
    /// [`What::Ask`], for [`Admin::Ping`].
    Ping,
    /// [`What::Ask`], for [`Admin::Set`].
    Set,
}

impl FaultKind {
    /// All kinds, with one line for each.
    pub const ALL: [(FaultKind, &'static str, &'static str); 23] = [
        (
            FaultKind::Crash,
            "crash",
            "a node loses power: unsynced writes are all lost, or a prefix, a subset or a torn record survives; it restarts later",
        ),
        (
            FaultKind::Pause,
            "pause",
            "a node stands still, as in a long garbage collection, and misses its ticks",
        ),
        (
            FaultKind::Cut,
            "cut",
            "nothing gets through from some nodes to others, one way",
        ),
        (
            FaultKind::Split,
            "split",
            "nothing gets through between two sides, either way",
        ),
        (
            FaultKind::IsolateLeader,
            "isolate-leader",
            "nothing gets through between whoever leads then and all other nodes, or all but a few, while clients still reach it",
        ),
        (
            FaultKind::Trouble,
            "trouble",
            "for a while, messages on some links are lost, doubled, overtaken or very late",
        ),
        (
            FaultKind::Burst,
            "burst",
            "messages on some links are held back, then arrive all at once",
        ),
        (
            FaultKind::SlowNode,
            "slow-node",
            "every message to and from a node takes longer",
        ),
        (
            FaultKind::LoseMessage,
            "lose-message",
            "the nth message of a kind on a link is lost",
        ),
        (
            FaultKind::DuplicateMessage,
            "duplicate-message",
            "the nth message of a kind on a link arrives twice",
        ),
        (
            FaultKind::DelayMessage,
            "delay-message",
            "the nth message of a kind on a link is late and overtaken",
        ),
        (
            FaultKind::SlowDisk,
            "slow-disk",
            "syncs of a node take long",
        ),
        (
            FaultKind::FailSync,
            "fail-sync",
            "a sync fails, once, and what it covered is lost for good",
        ),
        (
            FaultKind::FullDisk,
            "full-disk",
            "a node's disk refuses writes; the next sync fails",
        ),
        (
            FaultKind::Rot,
            "rot",
            "a durable record no longer matches its checksum at the next boot: the node is gone (on a minority only)",
        ),
        (
            FaultKind::Jump,
            "jump",
            "a node's clock jumps, forwards or backwards",
        ),
        (
            FaultKind::Drift,
            "drift",
            "a node's clock runs fast or slow for a while",
        ),
        (
            FaultKind::Change,
            "change",
            "an operator changes who is in the cluster: simple or joint, voters and learners, with retries",
        ),
        (
            FaultKind::Transfer,
            "transfer",
            "an operator moves leadership to some node, whatever its state",
        ),
        (
            FaultKind::Campaign,
            "campaign",
            "an operator makes a node stand for election",
        ),
        (
            FaultKind::RequestSnapshot,
            "request-snapshot",
            "a follower is made to ask its leader for a snapshot",
        ),
        (
            FaultKind::Ping,
            "ping",
            "a leader is made to send heartbeats",
        ),
        (
            FaultKind::Set,
            "set",
            "a setting of a running node is changed",
        ),
    ];
}

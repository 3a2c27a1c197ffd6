//! What can happen in a world: the events of its queue.

use crate::ids::NodeId;
use crate::invariants::Postmark;
use crate::replica::{MessageKind, SyncId};
use squall_world::queue::SlabKey;

/// What can happen next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A tick is due at a node, if the timer is still the one that counts.
    Tick { node: NodeId, timer: u32 },
    /// The message at `parcel` arrives.
    Arrival {
        from: NodeId,
        to: NodeId,
        kind: MessageKind,
        parcel: SlabKey,
        postmark: Postmark,
    },
    /// A sync of an incarnation is over.
    Synced {
        node: NodeId,
        incarnation: u32,
        sync: SyncId,
        fails: bool,
    },
    /// The transport reports to a sender.
    Report {
        node: NodeId,
        incarnation: u32,
        report: Report,
    },
    /// A node goes on with what a peer has sent on their connection.
    InTurn { node: NodeId, peer: NodeId },
    /// Two nodes are to be connected.
    Connect { one: NodeId, other: NodeId },
    /// A client's pause is over.
    ClientWakes { client: u32 },
    /// A client has waited long enough.
    ClientGivesUp {
        client: u32,
        sequence: u64,
        attempt: u32,
    },
    /// The answer of this node to this client may be overdue.
    AnswerDue { node: NodeId, client: u32 },
    /// A try of the plan's script is due.
    ScriptedTry { operation: u32, nth: u32 },
    /// An operator asks again for the change of this fault, so many times more.
    AskAgain { fault: u32, left: u32 },
    /// After the storm: an operator looks whether a joint configuration lasts.
    Operate,
    /// A fault strikes.
    Strike { fault: usize },
    /// A fault ends.
    Over { fault: usize },
    /// A node that is down starts.
    Boot { node: NodeId },
    /// A pause ends.
    Resume { node: NodeId },
    /// The storm ends.
    Heal,
    /// After the storm: a fresh command is asked for.
    Probe,
    /// After the storm: has the cluster converged?
    Audit,
}

impl Event {
    /// Whether it is what the plan itself has happen at a time: a fault that strikes or is over, or
    /// a client's request.
    pub(super) fn is_of_plan(&self) -> bool {
        matches!(
            self,
            Event::Strike { .. }
                | Event::Over { .. }
                | Event::Boot { .. }
                | Event::Resume { .. }
                | Event::ScriptedTry { .. }
        )
    }
}

/// What a transport tells a sender.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Report {
    Unreachable {
        peer: NodeId,
    },
    SnapshotSent {
        peer: NodeId,
        delivered: bool,
    },
    /// A connection stands from now on, or no longer: for a node that stood still when it was to
    /// hear of that.
    Connection {
        peer: NodeId,
        stands: bool,
    },
    /// The connection of this number has ended.
    Disconnected {
        peer: NodeId,
        connection: u32,
    },
}

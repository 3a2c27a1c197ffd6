//! What a server reports about itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::observed_state::Stage;
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::replica::Label;
use squall_core::storage::Entry;
use squall_world::journal_disk;

/// Where one incarnation of a node reports what it does, as soon as it does it and in that order.
#[derive(Clone)]
pub struct Probe {
    stage: Arc<Mutex<Stage>>,
    node: NodeId,
    incarnation: u32,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Probe({}, incarnation {})", self.node, self.incarnation)
    }
}

/// What a server has read from its disk.
#[derive(Clone, Debug, Default)]
pub struct Started {
    /// Its term.
    pub term: Term,
    /// Its vote in that term.
    pub vote: Option<NodeId>,
    /// The index that its log begins after.
    pub log_start: Index,
    /// The entries of its log, one after another.
    pub entries: Vec<Entry>,
    /// Index and term of its snapshot, to which its state machine has applied the log; 0 when
    /// there is none.
    pub snapshot: (Index, Term),
    /// How far it knows the log to be committed.
    pub commit: Index,
    /// A hash of its state machine.
    pub state: u64,
}

/// What had been written when a sync began.
#[derive(Clone, Copy, Debug)]
pub struct SyncPoint(pub(super) journal_disk::SyncPoint);

impl Probe {
    pub(super) fn new(stage: Arc<Mutex<Stage>>, node: NodeId, incarnation: u32) -> Self {
        Self {
            stage,
            node,
            incarnation,
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, act: impl FnOnce(&mut Stage, NodeId) -> super::observed_state::Told) {
        let mut stage = self.stage();
        if stage.listens_to(self.node, self.incarnation) {
            stage.hear(|stage| act(stage, self.node));
        }
    }

    /// It has read its disk. An incarnation reports this before all else.
    pub fn started(&self, started: &Started) {
        self.tell(|stage, node| stage.started(node, started));
    }

    /// It has this role in this term from now on. A node that leads reports this after the entries
    /// that it wrote before, any other node before those that it writes then.
    pub fn role(&self, role: Role, term: Term) {
        self.tell(|stage, node| stage.role(node, role, term));
    }

    /// It writes this term and vote.
    pub fn voted(&self, term: Term, vote: Option<NodeId>) {
        self.tell(|stage, node| stage.voted(node, term, vote));
    }

    /// It writes this entry, in place of what was there and after it.
    pub fn appended(&self, index: Index, entry: &Entry) {
        self.tell(|stage, node| stage.appended(node, index, entry));
    }

    /// A sync begins: it covers what has been written so far.
    pub fn sync_begins(&self) -> SyncPoint {
        self.stage().sync_begins(self.node)
    }

    /// That sync is done.
    pub fn synced(&self, point: SyncPoint) {
        self.tell(|stage, node| stage.synced(node, point));
    }

    /// It sends a message to another server, with what the label says of it; a message that is not
    /// reported is not checked against what is durable.
    pub fn sent(&self, label: &Label) {
        self.tell(|stage, node| stage.sent(node, label));
    }

    /// It knows the log to be committed up to here. Reported after the entries that it writes
    /// together with that.
    pub fn committed(&self, index: Index) {
        self.tell(|stage, node| stage.committed(node, index));
    }

    /// It has applied the entry at this index; `state` is a hash of its state machine then.
    pub fn applied(&self, index: Index, state: u64) {
        self.tell(|stage, node| stage.applied(node, index, state));
    }

    /// A snapshot of its own is durable, and so is a log that begins after `log_start`.
    pub fn compacted(&self, snapshot: (Index, Term), log_start: Index) {
        self.tell(|stage, node| stage.compacted(node, snapshot, log_start));
    }

    /// A leader's snapshot is durable, has taken the place of the whole log, and is its state
    /// machine now.
    pub fn installed(&self, snapshot: (Index, Term), state: u64) {
        self.tell(|stage, node| stage.installed(node, snapshot, state));
    }
}

//! What the driver calls, taken down in order. The storage has the tape, for the driver has nothing
//! else that a subject can put in its place. Knows nothing of how calls are written down.

use raft::eraftpb::{ConfState, Entry, HardState, Message, Snapshot};
use raft::{GetEntriesContext, RaftState, Result, Storage};

use crate::RaftRs;
use crate::driver::RaftNode;
use crate::store::{Backend, Store};
use squall_core::configuration::{Change, Configuration};
use squall_core::ids::{Index, NodeId};
use squall_core::operator::Setting;
use squall_core::options::{DriverOptions, Feature};
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};
use squall_core::reproduction::Tape;
use squall_core::storage::StableState;

/// A call of the library, or of its storage, by the driver.
#[derive(Clone, Debug)]
pub enum Note {
    Restart,
    Tick,
    /// A tick with which the election time-out elapsed: in place of the tick before it.
    TimedOut,
    Step(Message),
    Campaign,
    Propose,
    Change(Change),
    Read(Vec<u8>),
    TransferLeader(NodeId),
    RequestSnapshot,
    Ping,
    Set(Setting),
    Unreachable(NodeId),
    SnapshotSent(NodeId, bool),
    Ready,
    Saved,
    Apply,
    Compact(Index),
}

impl squall_core::reproduction::Note for Note {
    fn restarts(&self) -> bool {
        matches!(self, Self::Restart)
    }

    fn is_saved(&self) -> bool {
        matches!(self, Self::Saved)
    }
}

/// The subject [`RaftRs`], with a tape.
pub(crate) struct Taped(pub(crate) Tape<Note>);

impl Subject for Taped {
    type Replica = RaftNode<Taping>;

    fn supports(&self) -> &'static [Feature] {
        RaftRs.supports()
    }

    fn options(&self) -> &'static [DriverOption] {
        RaftRs.options()
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        RaftRs.known_issues()
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> std::result::Result<Self::Replica, BootError> {
        if boot.incarnation > 0 {
            self.0.note(boot.id, Note::Restart);
        }
        let mut node: Self::Replica = RaftNode::boot(boot, disk, out)?;
        node.raw.mut_store().tape = Some((boot.id, self.0.clone()));
        Ok(node)
    }
}

/// A [`Store`] with a tape.
pub(crate) struct Taping {
    store: Store,
    tape: Option<(NodeId, Tape<Note>)>,
}

impl Backend for Taping {
    fn open(state: StableState, configuration: &Configuration, driver: &DriverOptions) -> Self {
        let store = Store::open(state, configuration, driver);
        Self { store, tape: None }
    }

    fn note(&mut self, note: impl FnOnce() -> Note) {
        if let Some((node, tape)) = &self.tape {
            match note() {
                // The tick before was that.
                note @ Note::TimedOut => tape.correct(note),
                note => tape.note(*node, note),
            }
        }
    }

    fn held(&self) -> &Store {
        &self.store
    }

    fn held_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    fn set_hard(&mut self, hard: &HardState) {
        self.store.set_hard(hard);
    }

    fn set_commit(&mut self, commit: Index) {
        self.store.set_commit(commit);
    }

    fn set_conf(&mut self, conf: ConfState) {
        self.store.set_conf(conf);
    }

    fn append(&mut self, entries: Vec<Entry>) {
        self.store.append(entries);
    }

    fn restore(&mut self, snapshot: Snapshot) {
        self.store.restore(snapshot);
    }

    fn keep_snapshot(&mut self, snapshot: Snapshot) {
        self.store.keep_snapshot(snapshot);
    }

    fn compact(&mut self, through: Index) {
        self.note(|| Note::Compact(through));
        self.store.compact(through);
    }
}

impl Storage for Taping {
    fn initial_state(&self) -> Result<RaftState> {
        self.store.initial_state()
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        self.store.entries(low, high, max_size, context)
    }

    fn term(&self, index: u64) -> Result<u64> {
        self.store.term(index)
    }

    fn first_index(&self) -> Result<u64> {
        self.store.first_index()
    }

    fn last_index(&self) -> Result<u64> {
        self.store.last_index()
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        self.store.snapshot(request_index, to)
    }
}

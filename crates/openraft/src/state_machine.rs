//! openraft's state machine: the service that is replicated, in memory, and its snapshots, which
//! the disk keeps.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use openraft_rt::{AsyncRuntime, Instant};
use squall_core::ids::Index;
use squall_core::options::DriverOptions;
use squall_core::replica::Observation;
use squall_core::service::Service;
use squall_core::storage::{self, Record};

use super::desk::Desk;
use super::membership;
use super::runtime::{NodeInstant, NodeRuntime};
use super::storage::{BuilderOfOwn, MachineOfOwn};
use super::types::{
    self, Command, EntryId, Mode, Outcome, Snapshot, SnapshotMeta, StoredMembership,
};

/// Bytes that an entry takes in the log beside its data, as the node counts growth.
const ENTRY_OVERHEAD: u64 = 24;

/// The service, and how far it is.
pub(super) struct Machine<C: Mode> {
    pub(super) service: Service,
    pub(super) applied: Option<EntryId<C>>,
    pub(super) membership: StoredMembership<C>,
    /// The newest durable snapshot.
    snapshot: Option<Snapshot<C>>,
    /// How far the newest goes that is written, durable or not.
    pub(super) written: Index,
    /// Log growth since the last snapshot.
    pub(super) grown_bytes: u64,
    /// Up to where entries may be applied from when on, in order.
    due: VecDeque<(Index, NodeInstant)>,
}

impl<C: Mode> Machine<C> {
    /// The service as a snapshot has it, or in its first state.
    pub(super) fn new(service: Service, snapshot: Option<Snapshot<C>>) -> Self {
        let meta = snapshot.as_ref().map(|snapshot| snapshot.meta.clone());
        let meta = meta.unwrap_or_default();
        Self {
            service,
            written: meta.last_log_id.as_ref().map_or(0, types::index::<C>),
            applied: meta.last_log_id,
            membership: meta.last_membership,
            snapshot,
            grown_bytes: 0,
            due: VecDeque::new(),
        }
    }

    /// Entries up to `index` are committed, and the service takes its time to get to them.
    pub(super) fn applies_later(&mut self, index: Index, lag_us: u64) {
        if lag_us > 0 {
            let due = NodeInstant::now() + Duration::from_micros(lag_us);
            self.due.push_back((index, due));
        }
    }

    /// From when on the entry at `index` may be applied, if not at once.
    fn due(&mut self, index: Index) -> Option<NodeInstant> {
        let over = self.due.iter().take_while(|(last, _)| *last < index);
        self.due.drain(..over.count());
        self.due.front().map(|(_, due)| *due)
    }

    /// The last entry of the newest durable snapshot.
    pub(super) fn snapshot_end(&self) -> Option<EntryId<C>> {
        let snapshot = self.snapshot.as_ref()?;
        snapshot.meta.last_log_id.clone()
    }

    pub(super) fn applied_index(&self) -> Index {
        self.applied.as_ref().map_or(0, types::index::<C>)
    }
}

/// The state machine, as openraft is given it.
pub(super) struct StateMachine<C: Mode> {
    desk: Desk<C>,
    options: DriverOptions,
    /// A user's, beside the service.
    own: Option<MachineOfOwn<C>>,
}

/// A snapshot that is being built.
pub(super) struct SnapshotBuilder<C: Mode> {
    desk: Desk<C>,
    build_us: u64,
    what: Building<C>,
}

/// What a snapshot is built of.
enum Building<C: Mode> {
    Service { meta: SnapshotMeta<C>, data: Bytes },
    Own(Box<BuilderOfOwn<C>>),
}

impl<C: Mode> StateMachine<C> {
    pub(super) fn new(desk: Desk<C>, options: DriverOptions, own: Option<MachineOfOwn<C>>) -> Self {
        Self { desk, options, own }
    }

    /// Gives entries to a user's machine, all at once, and then to the service.
    async fn apply_to_own(&mut self, given: Vec<EntryResponder<C>>) -> io::Result<()> {
        let Some(own) = &mut self.own else {
            return Ok(());
        };
        let entries: Vec<C::Entry> = given.iter().map(|(entry, _)| entry.clone()).collect();
        if let Some(last) = entries.last() {
            let due = self
                .desk
                .open()
                .machine
                .due(types::index::<C>(&last.log_id()));
            if let Some(due) = due {
                NodeRuntime::sleep_until(due).await;
            }
        }
        own.apply(&entries).await?;
        for (entry, responder) in given {
            let outcome = self.apply_one(&entry);
            if let Some(responder) = responder {
                responder.send(outcome);
            }
        }
        Ok(())
    }

    /// Applies an entry to the service.
    fn apply_one(&self, entry: &C::Entry) -> Outcome {
        let id: EntryId<C> = entry.log_id();
        let mut things = self.desk.open();
        let things = &mut *things;
        let machine = &mut things.machine;
        let data: &[u8] = match C::payload(entry) {
            EntryPayload::Blank => &[],
            EntryPayload::Normal(Command(data)) => data,
            EntryPayload::Membership(members) => {
                machine.membership = StoredMembership::<C>::new(Some(id.clone()), members.clone());
                &[]
            }
        };
        machine.grown_bytes += data.len() as u64 + ENTRY_OVERHEAD;
        let applied = machine.service.apply(data);
        let (index, state) = (types::index::<C>(&id), machine.service.state());
        machine.applied = Some(id);
        things.out.observe(Observation::Applied { index, state });
        applied.map(|applied| applied.answer)
    }
}

/// Lets simulated time go by.
async fn wait(time_us: u64) {
    if time_us > 0 {
        NodeRuntime::sleep(Duration::from_micros(time_us)).await;
    }
}

impl<C: Mode> RaftStateMachine<C> for StateMachine<C> {
    type SnapshotData = Bytes;
    type SnapshotBuilder = SnapshotBuilder<C>;

    async fn applied_state(&mut self) -> io::Result<(Option<EntryId<C>>, StoredMembership<C>)> {
        if let Some(own) = &mut self.own {
            return own.applied().await;
        }
        let things = self.desk.open();
        let machine = &things.machine;
        Ok((machine.applied.clone(), machine.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<C>>> + Unpin + OptionalSend,
    {
        if self.own.is_some() {
            let given = entries.try_collect().await?;
            return self.apply_to_own(given).await;
        }
        while let Some((entry, responder)) = entries.try_next().await? {
            let id: EntryId<C> = entry.log_id();
            let due = self.desk.open().machine.due(types::index::<C>(&id));
            if let Some(due) = due {
                NodeRuntime::sleep_until(due).await;
            }
            let outcome = self.apply_one(&entry);
            if let Some(responder) = responder {
                responder.send(outcome);
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<SnapshotBuilder<C>> {
        let what = match &mut self.own {
            Some(own) => Building::Own(Box::new(own.builder(force).await?)),
            None => {
                let things = self.desk.open();
                let machine = &things.machine;
                let meta = SnapshotMeta::<C> {
                    last_log_id: machine.applied.clone(),
                    last_membership: machine.membership.clone(),
                };
                let data = machine.service.encode();
                Building::Service { meta, data }
            }
        };
        Some(SnapshotBuilder {
            desk: self.desk.clone(),
            build_us: self.options.snapshot_build_us,
            what,
        })
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder<C> {
        let builder = self.try_create_snapshot_builder(true).await;
        builder.expect("a storage gives one where it must")
    }

    /// The snapshot is durable before the state machine is replaced by it.
    async fn install_snapshot(&mut self, meta: &SnapshotMeta<C>, data: Bytes) -> io::Result<()> {
        if let Some(own) = &mut self.own {
            own.install(meta, data).await?;
            wait(self.options.snapshot_install_us).await;
            return Ok(());
        }
        let index = {
            let mut things = self.desk.open();
            let things = &mut *things;
            let record = record::<C>(meta, &data);
            let index = record.index;
            // Of two logs it is to be told which one the snapshot stands for.
            things.log.write_end(&mut things.out);
            things.out.write(Record::Snapshot(Box::new(record)));
            things.machine.written = things.machine.written.max(index);
            index
        };
        self.desk.synced().await?;
        wait(self.options.snapshot_install_us).await;
        let mut things = self.desk.open();
        let things = &mut *things;
        let machine = &mut things.machine;
        let whole = machine.service.restore(&data);
        assert!(whole, "snapshots arrive whole");
        machine.applied = meta.last_log_id.clone();
        machine.membership = meta.last_membership.clone();
        machine.grown_bytes = 0;
        machine.snapshot = Some(Snapshot::<C> {
            meta: meta.clone(),
            snapshot: data,
        });
        let state = machine.service.state();
        // The log goes by the snapshot from now on, as openraft is about to ask.
        let last = meta.last_log_id.clone().expect("a snapshot has an entry");
        things.log.purge(last, &mut things.out);
        let configuration = membership::configuration(meta.last_membership.membership());
        things.log.installed(index, configuration, &mut things.out);
        things.out.observe(Observation::Installed { index, state });
        things.reports.commit(index, &mut things.out);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot<C>>> {
        match &mut self.own {
            Some(own) => own.current_snapshot().await,
            None => Ok(self.desk.open().machine.snapshot.clone()),
        }
    }
}

impl<C: Mode> RaftSnapshotBuilder<C> for SnapshotBuilder<C> {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<C>> {
        wait(self.build_us).await;
        let (meta, data) = match &mut self.what {
            Building::Own(own) => return own.build().await,
            Building::Service { meta, data } => (meta.clone(), data.clone()),
        };
        let record = record::<C>(&meta, &data);
        let snapshot = Snapshot::<C> {
            meta,
            snapshot: data,
        };
        {
            let mut things = self.desk.open();
            let index = record.index;
            // A leader's may have come meanwhile.
            if index <= things.machine.written {
                return Ok(snapshot);
            }
            things.machine.written = index;
            things.machine.grown_bytes = 0;
            things.out.write(Record::Snapshot(Box::new(record)));
            things.out.observe(Observation::SnapshotTaken { index });
        }
        self.desk.synced().await?;
        let mut things = self.desk.open();
        if things.machine.snapshot_end() < snapshot.meta.last_log_id {
            things.machine.snapshot = Some(snapshot.clone());
        }
        Ok(snapshot)
    }
}

/// What follows the service in a snapshot's bytes: which entry the membership comes from.
const MARK: [u8; 8] = *b"openraft";

/// A snapshot as it is written.
pub(super) fn record<C: Mode>(meta: &SnapshotMeta<C>, data: &Bytes) -> storage::Snapshot {
    let last = meta.last_log_id.as_ref().expect("a snapshot has an entry");
    let (index, term) = place::<C>(Some(last));
    let (since, since_term) = place::<C>(meta.last_membership.log_id().as_ref());
    let numbers = [since.to_le_bytes(), since_term.to_le_bytes(), MARK];
    let data = [data, &*numbers.concat()].concat();
    storage::Snapshot {
        index,
        term,
        configuration: membership::configuration(meta.last_membership.membership()),
        data: data.into(),
    }
}

fn place<C: Mode>(entry: Option<&EntryId<C>>) -> (Index, u64) {
    entry.map_or((0, 0), |entry| {
        let term = C::term_of_entry(entry.committed_leader_id());
        (types::index::<C>(entry), term)
    })
}

/// A snapshot as it was written, and its service without what follows it. One that was there
/// before the cluster has nothing after the service: its membership is as old as it is.
pub(super) fn read<C: Mode>(written: &mut storage::Snapshot) -> Snapshot<C> {
    let bytes = written.data.clone();
    let length = bytes
        .len()
        .checked_sub(24)
        .filter(|at| bytes[at + 16..] == MARK);
    let number = |at: usize| {
        let bytes = bytes[at..at + 8].try_into().expect("they are eight");
        u64::from_le_bytes(bytes)
    };
    let since = match length {
        Some(at) => {
            written.data = bytes.slice(..at);
            types::entry_id::<C>(number(at), number(at + 8))
        }
        None => types::entry_id::<C>(written.index, written.term),
    };
    let members = membership::membership(&written.configuration);
    Snapshot::<C> {
        meta: SnapshotMeta::<C> {
            last_log_id: types::entry_id::<C>(written.index, written.term),
            last_membership: StoredMembership::<C>::new(since, members),
        },
        snapshot: written.data.clone(),
    }
}

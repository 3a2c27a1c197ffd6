//! A user's state machine under openraft, beside the service that clients are answered from: both
//! are fed the same entries, and what a snapshot holds goes to both.

use std::io;

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use squall_core::replica::Observation;
use squall_core::storage::Record;

use super::own::{OwnBuilder, OwnMachine, OwnSnapshot};
use super::{Keeper, Power, broken};
use crate::desk::Desk;
use crate::membership;
use crate::state_machine::record;
use crate::types::{self, EntryId, Mode, Snapshot, SnapshotMeta, StoredMembership};

/// A user's machine, and the book that is kept of it.
pub(crate) struct MachineOfOwn<C: Mode> {
    desk: Desk<C>,
    machine: Box<dyn OwnMachine<C>>,
    keeper: Keeper<C>,
    power: Power,
}

/// A user's snapshot builder.
pub(crate) struct BuilderOfOwn<C: Mode> {
    desk: Desk<C>,
    builder: Box<dyn OwnBuilder<C>>,
    keeper: Keeper<C>,
    power: Power,
}

/// The service and the user's data, as they travel: the length of the one, and both.
fn joined(service: &[u8], data: &[u8]) -> Bytes {
    let length = (service.len() as u64).to_le_bytes();
    [&length, service, data].concat().into()
}

fn parted(joined: &Bytes) -> (Bytes, Bytes) {
    let length = joined[..8].try_into().map(u64::from_le_bytes);
    let end = 8 + length.expect("they are eight") as usize;
    (joined.slice(8..end), joined.slice(end..))
}

impl<C: Mode> MachineOfOwn<C> {
    pub(super) fn new(
        desk: Desk<C>,
        machine: Box<dyn OwnMachine<C>>,
        keeper: Keeper<C>,
        power: Power,
    ) -> Self {
        Self {
            desk,
            machine,
            keeper,
            power,
        }
    }

    pub(crate) async fn applied(
        &mut self,
    ) -> io::Result<(Option<EntryId<C>>, StoredMembership<C>)> {
        self.power.after(self.machine.applied().await)
    }

    /// Gives entries to the machine; the service is fed by who calls.
    pub(crate) async fn apply(&mut self, entries: &[C::Entry]) -> io::Result<()> {
        let Some(last) = entries.last().map(RaftEntry::log_id) else {
            return Ok(());
        };
        let first = entries.first().map_or(0, |entry| entry.log_id().index());
        self.keeper.applying(last.clone());
        self.power.after(self.machine.apply(entries).await)?;
        let by = format!("apply({first} to {})", last.index());
        let members = {
            let things = self.desk.open();
            membership_after::<C>(&things.machine.membership, entries)
        };
        self.check_applied(&last, &members, &by).await?;
        let state = self.power.after(self.machine.state().await)?;
        self.keeper.holds(Some(&last), &state, &by);
        Ok(())
    }

    async fn check_applied(
        &mut self,
        last: &EntryId<C>,
        right: &StoredMembership<C>,
        by: &str,
    ) -> io::Result<()> {
        let (applied, found) = self.power.after(self.machine.applied().await)?;
        if applied.as_ref() != Some(last) {
            let applied = applied.map_or_else(|| "None".to_owned(), |id| id.to_string());
            broken(&format!(
                "after {by}, applied_state() has {applied}, not {last}"
            ));
        }
        // A later membership than that of what is applied is all right.
        if found.log_id() <= right.log_id() && found != *right {
            broken(&format!(
                "after {by}, applied_state() has the membership {found}, and it is {right} at {last}"
            ));
        }
        Ok(())
    }

    pub(crate) async fn builder(&mut self, force: bool) -> Option<BuilderOfOwn<C>> {
        let builder = self.machine.builder(force).await?;
        Some(BuilderOfOwn {
            desk: self.desk.clone(),
            builder,
            keeper: self.keeper.clone(),
            power: self.power.clone(),
        })
    }

    /// Puts a snapshot in place: of the leader, or at the start the node's own, where the machine
    /// does not keep what it has applied.
    pub(crate) async fn install(&mut self, meta: &SnapshotMeta<C>, data: Bytes) -> io::Result<()> {
        let last = meta.last_log_id.clone().expect("a snapshot has an entry");
        let (service, own) = parted(&data);
        let (index, is_known) = {
            let mut things = self.desk.open();
            let things = &mut *things;
            // Of two logs it is to be told which one the snapshot stands for.
            things.log.write_end(&mut things.out);
            (
                types::index::<C>(&last),
                Some(&last) <= things.machine.applied.as_ref(),
            )
        };
        self.keeper.applying(last.clone());
        self.keeper.offering(meta, service.clone());
        let snapshot = OwnSnapshot {
            meta: meta.clone(),
            data: own.to_vec(),
        };
        self.power.after(self.machine.install(snapshot).await)?;
        self.keeper
            .has_snapshot(meta, service.clone(), "install_snapshot");
        self.check_applied(&last, &meta.last_membership, "install_snapshot")
            .await?;
        let state = self.power.after(self.machine.state().await)?;
        self.keeper.holds(Some(&last), &state, "install_snapshot");
        let held = self.power.after(self.machine.current_snapshot().await)?;
        let held = held.and_then(|held| held.meta.last_log_id);
        if held.as_ref() != Some(&last) {
            let held = held.map_or_else(|| "none".to_owned(), |id| id.to_string());
            broken(&format!(
                "after install_snapshot at {last}, get_current_snapshot() has {held}"
            ));
        }
        if is_known {
            return Ok(());
        }
        {
            let mut things = self.desk.open();
            let things = &mut *things;
            things
                .out
                .write(Record::Snapshot(Box::new(record::<C>(meta, &service))));
            things.machine.written = things.machine.written.max(index);
        }
        self.desk.synced().await?;
        let mut things = self.desk.open();
        let things = &mut *things;
        let machine = &mut things.machine;
        assert!(machine.service.restore(&service), "snapshots arrive whole");
        machine.applied = Some(last.clone());
        machine.membership = meta.last_membership.clone();
        machine.grown_bytes = 0;
        let state = machine.service.state();
        things.log.purge(last, &mut things.out);
        let configuration = membership::configuration(meta.last_membership.membership());
        things.log.installed(index, configuration, &mut things.out);
        things.out.observe(Observation::Installed { index, state });
        things.reports.commit(index, &mut things.out);
        Ok(())
    }

    pub(crate) async fn current_snapshot(&mut self) -> io::Result<Option<Snapshot<C>>> {
        let Some(held) = self.power.after(self.machine.current_snapshot().await)? else {
            return Ok(None);
        };
        Ok(Some(sent(&self.keeper, &held, "get_current_snapshot()")))
    }
}

/// The membership once entries are applied.
pub(crate) fn membership_after<C: Mode>(
    before: &StoredMembership<C>,
    entries: &[C::Entry],
) -> StoredMembership<C> {
    let mut newest = entries
        .iter()
        .rev()
        .filter_map(|entry| match C::payload(entry) {
            EntryPayload::Membership(members) => Some((entry.log_id(), members)),
            _ => None,
        });
    newest.next().map_or_else(
        || before.clone(),
        |(id, members)| StoredMembership::<C>::new(Some(id), members.clone()),
    )
}

/// A user's snapshot with the service as it is there.
fn sent<C: Mode>(keeper: &Keeper<C>, own: &OwnSnapshot<C>, by: &str) -> Snapshot<C> {
    let last = own.meta.last_log_id.as_ref();
    let Some(shadow) = keeper.shadow(last) else {
        let last = last.map_or_else(|| "None".to_owned(), ToString::to_string);
        broken(&format!(
            "{by} returns a snapshot at {last}, which is older than one that was there, or of another log"
        ));
    };
    keeper.check_members(last, &own.meta.last_membership, by);
    Snapshot::<C> {
        meta: own.meta.clone(),
        snapshot: joined(&shadow.service.encode(), &own.data),
    }
}

impl<C: Mode> BuilderOfOwn<C> {
    pub(crate) async fn build(&mut self) -> io::Result<Snapshot<C>> {
        let own = self.power.after(self.builder.build().await)?;
        if self.keeper.is_overtaken(own.meta.last_log_id.as_ref()) {
            // A leader's has come meanwhile, and openraft gives this one to nobody.
            return Ok(Snapshot::<C> {
                meta: own.meta,
                snapshot: joined(&[], &own.data),
            });
        }
        let snapshot = sent(&self.keeper, &own, "build_snapshot()");
        let (service, _) = parted(&snapshot.snapshot);
        self.keeper
            .has_snapshot(&own.meta, service.clone(), "build_snapshot");
        {
            let mut things = self.desk.open();
            let record = record::<C>(&own.meta, &service);
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
        Ok(snapshot)
    }
}

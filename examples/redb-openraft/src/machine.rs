//! The service's state machine and its snapshot in a redb database.
//!
//! Applying commits without a sync, for what is lost is applied again from the log: a commit is
//! durable with the next that is synced, and all of them in order. A snapshot is synced, and with
//! it all that was applied before.

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::sync::Arc;

use futures_util::{Stream, TryStreamExt};
use openraft::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use serde::{Deserialize, Serialize};

use crate::base::{Base, META, decode, encode, failed, put};
use crate::bug::Bug;
use crate::types::{Previous, Types};

const VALUES: TableDefinition<'_, &str, &str> = TableDefinition::new("values");

type Values = BTreeMap<String, String>;
type Data = Cursor<Vec<u8>>;

/// The machine. Clones are the same machine.
#[derive(Clone)]
pub struct Machine {
    base: Base,
    bug: Option<Bug>,
}

/// A snapshot that is being built.
pub struct Builder {
    machine: Machine,
    meta: SnapshotMetaOf<Types>,
    values: Values,
}

#[derive(Serialize, Deserialize)]
struct Held {
    meta: SnapshotMetaOf<Types>,
    values: Values,
}

fn replace(transaction: &WriteTransaction, values: &Values) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(VALUES)?;
    table.retain(|_, _| false)?;
    for (key, value) in values {
        table.insert(&**key, &**value)?;
    }
    Ok(())
}

impl Machine {
    /// The machine in this database, which may be new.
    ///
    /// # Errors
    /// Those of redb.
    pub fn open(database: Database, bug: Option<Bug>) -> io::Result<Self> {
        let base = Base(Arc::new(database));
        base.write(Durability::Immediate, |transaction| {
            transaction.open_table(VALUES)?;
            transaction.open_table(META)?;
            Ok(())
        })?;
        Ok(Self { base, bug })
    }

    /// All keys with their values.
    ///
    /// # Errors
    /// Those of redb.
    pub fn values(&self) -> io::Result<Values> {
        let transaction = self.base.0.begin_read().map_err(failed)?;
        let table = transaction.open_table(VALUES).map_err(failed)?;
        let mut values = Values::new();
        for found in table.iter().map_err(failed)? {
            let (key, value) = found.map_err(failed)?;
            values.insert(key.value().to_owned(), value.value().to_owned());
        }
        Ok(values)
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn applied(&self) -> io::Result<Option<LogIdOf<Types>>> {
        Ok(self.base.get("applied")?.flatten())
    }

    fn members(&self) -> io::Result<StoredMembershipOf<Types>> {
        Ok(self.base.get("members")?.unwrap_or_default())
    }

    /// The applied id is durable before the state is, with this mistake.
    fn save_applied_apart(&self, applied: LogIdOf<Types>, values: &Values) -> io::Result<()> {
        self.base.write(Durability::Immediate, |transaction| {
            put(transaction, "applied", &Some(applied))
        })?;
        self.base
            .write(Durability::None, |transaction| replace(transaction, values))
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Data;
    type SnapshotBuilder = Builder;

    async fn applied_state(
        &mut self,
    ) -> io::Result<(Option<LogIdOf<Types>>, StoredMembershipOf<Types>)> {
        Ok((self.applied()?, self.members()?))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        let mut values = self.values()?;
        let (mut applied, mut members) = (self.applied()?, self.members()?);
        let mut answers = Vec::new();
        while let Some((entry, responder)) = entries.try_next().await? {
            applied = Some(entry.log_id());
            let mut previous = Previous(None);
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(set) => previous.0 = values.insert(set.key, set.value),
                EntryPayload::Membership(changed) => {
                    members = StoredMembershipOf::<Types>::new(applied, changed);
                }
            }
            answers.extend(responder.map(|responder| (responder, previous)));
        }
        if let Some(applied) = applied.filter(|_| self.has(Bug::AppliedApart)) {
            self.save_applied_apart(applied, &values)?;
        }
        self.base.write(Durability::None, |transaction| {
            replace(transaction, &values)?;
            put(transaction, "applied", &applied)?;
            put(transaction, "members", &members)
        })?;
        for (responder, previous) in answers {
            responder.send(previous);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let read = || -> io::Result<(SnapshotMetaOf<Types>, Values)> {
            let mut meta = SnapshotMetaOf::<Types> {
                last_log_id: self.applied()?,
                last_membership: self.members()?,
            };
            if self.has(Bug::MembershipLeftOut) {
                meta.last_membership = StoredMembershipOf::<Types>::default();
            }
            Ok((meta, self.values()?))
        };
        let (meta, values) = read().expect("openraft allows for no error here");
        Builder {
            machine: self.clone(),
            meta,
            values,
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<Types>,
        data: Data,
    ) -> io::Result<()> {
        let held = Held {
            meta: meta.clone(),
            values: decode(data.get_ref())?,
        };
        let keep = |transaction: &WriteTransaction| {
            put(transaction, "applied", &meta.last_log_id)?;
            put(transaction, "members", &meta.last_membership)?;
            put(transaction, "snapshot", &held)
        };
        if self.has(Bug::InstallInTwoSteps) {
            self.base.write(Durability::Immediate, |transaction| {
                replace(transaction, &Values::new())?;
                keep(transaction)
            })?;
        }
        self.base.write(Durability::Immediate, |transaction| {
            replace(transaction, &held.values)?;
            keep(transaction)
        })
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Types, Data>>> {
        let held: Option<Held> = self.base.get("snapshot")?;
        held.map(sent).transpose()
    }
}

fn sent(held: Held) -> io::Result<SnapshotOf<Types, Data>> {
    let snapshot = Cursor::new(encode(&held.values)?);
    let meta = held.meta;
    Ok(SnapshotOf::<Types, Data> { meta, snapshot })
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Data;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Types, Data>> {
        let machine = &self.machine;
        let mut held = Held {
            meta: self.meta.clone(),
            values: self.values.clone(),
        };
        if machine.has(Bug::StateNewerThanSnapshot) {
            held.values = machine.values()?;
        }
        let durability = match machine.has(Bug::SnapshotNotDurable) {
            true => Durability::None,
            false => Durability::Immediate,
        };
        let newest: Option<Held> = machine.base.get("snapshot")?;
        // One of a leader may have come meanwhile.
        let is_newer = newest.is_none_or(|newest| newest.meta.last_log_id < held.meta.last_log_id);
        if is_newer {
            machine.base.write(durability, |transaction| {
                put(transaction, "snapshot", &held)
            })?;
        }
        sent(held)
    }
}

//! A user's log and state machine in the types that openraft runs on here. Entries and memberships
//! are made anew on the way there; on the way back an entry is its id and its words, which are held
//! against those of the one that was written.

use std::collections::BTreeSet;
use std::io;
use std::marker::PhantomData;
use std::ops::Bound;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use openraft::entry::{RaftEntry, RaftPayload};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage, RaftStateMachine};
use openraft::type_config::alias::{SnapshotMetaOf, StoredMembershipOf};
use openraft::{EntryPayload, RaftLogReader, RaftSnapshotBuilder, RaftTypeConfig};
use openraft_rt::{AsyncRuntime, Oneshot};
use squall_world::hash::mix_bytes;

use super::{OwnStorage, Put, SnapshotBytes};
use crate::types::{self, Command, EntryId, Mode, SnapshotMeta, StoredMembership};

/// What a user's call comes to.
pub(super) type Answer<'a, T> = BoxFuture<'a, io::Result<T>>;

/// When an append is flushed: nothing where nobody will ever say so.
pub(super) type Flush = BoxFuture<'static, Option<io::Result<()>>>;

/// From which place to which.
pub(super) type Range = (Bound<u64>, Bound<u64>);

/// An entry that a log has.
#[derive(Debug)]
pub(super) struct Found<C: Mode> {
    pub(super) id: EntryId<C>,
    /// All of it.
    pub(super) words: String,
}

/// Both ends of a log.
#[derive(Debug)]
pub(super) struct Ends<C: Mode> {
    pub(super) purged: Option<EntryId<C>>,
    pub(super) last: Option<EntryId<C>>,
}

/// A snapshot of a user's machine.
#[derive(Debug)]
pub(super) struct OwnSnapshot<C: Mode> {
    pub(super) meta: SnapshotMeta<C>,
    pub(super) data: Vec<u8>,
}

/// A user's `RaftLogReader`.
pub(super) trait OwnReader<C: Mode>: Send + Sync {
    fn entries(&mut self, range: Range) -> Answer<'_, Vec<Found<C>>>;
    fn limited(&mut self, start: u64, end: u64) -> Answer<'_, Vec<Found<C>>>;
    fn read_vote(&mut self) -> Answer<'_, Option<C::Vote>>;
    /// An entry in the words that it would be found in.
    fn words(&self, entry: &C::Entry) -> String;
}

/// A user's `RaftLogStorage`.
pub(super) trait OwnLog<C: Mode>: Send + Sync {
    fn ends(&mut self) -> Answer<'_, Ends<C>>;
    fn reader(&mut self) -> BoxFuture<'_, Box<dyn OwnReader<C>>>;
    fn save_vote(&mut self, vote: C::Vote) -> Answer<'_, ()>;
    fn save_committed(&mut self, committed: Option<EntryId<C>>) -> Answer<'_, ()>;
    fn read_committed(&mut self) -> Answer<'_, Option<EntryId<C>>>;
    fn append(&mut self, entries: &[C::Entry]) -> Answer<'_, Flush>;
    fn truncate_after(&mut self, last: Option<EntryId<C>>) -> Answer<'_, ()>;
    fn purge(&mut self, through: EntryId<C>) -> Answer<'_, ()>;
}

/// A user's `RaftStateMachine`.
pub(super) trait OwnMachine<C: Mode>: Send + Sync {
    fn applied(&mut self) -> Answer<'_, (Option<EntryId<C>>, StoredMembership<C>)>;
    fn apply(&mut self, entries: &[C::Entry]) -> Answer<'_, ()>;
    fn builder(&mut self, force: bool) -> BoxFuture<'_, Option<Box<dyn OwnBuilder<C>>>>;
    fn install(&mut self, snapshot: OwnSnapshot<C>) -> Answer<'_, ()>;
    fn current_snapshot(&mut self) -> Answer<'_, Option<OwnSnapshot<C>>>;
    fn state(&mut self) -> Answer<'_, Vec<u8>>;
}

/// A user's `RaftSnapshotBuilder`.
pub(super) trait OwnBuilder<C: Mode>: Send + Sync {
    fn build(&mut self) -> Answer<'_, OwnSnapshot<C>>;
}

type Types<S> = <S as OwnStorage>::Config;
type EntryOf<S> = <Types<S> as RaftTypeConfig>::Entry;
type PayloadOf<S> = <Types<S> as RaftTypeConfig>::Payload;
type NodeOf<S> = <Types<S> as RaftTypeConfig>::Node;

fn entry<S: OwnStorage>(entry: &<S::Leaders as RaftTypeConfig>::Entry) -> EntryOf<S> {
    let payload = match S::Leaders::payload(entry) {
        EntryPayload::Blank => PayloadOf::<S>::blank(),
        EntryPayload::Normal(Command(bytes)) => {
            let value = mix_bytes(0, bytes);
            let key = (value % 8) as u8;
            PayloadOf::<S>::normal(S::command(Put { key, value }))
        }
        EntryPayload::Membership(members) => {
            PayloadOf::<S>::membership(members_to::<NodeOf<S>>(members))
        }
    };
    EntryOf::<S>::new(entry.log_id(), payload)
}

fn members_to<N: openraft::Node + Default>(
    members: &types::Membership,
) -> openraft::Membership<u64, N> {
    let ids: BTreeSet<u64> = members.nodes().map(|(id, ())| *id).collect();
    openraft::Membership::new_with_defaults(members.get_joint_config().clone(), ids)
}

fn members_from<N: openraft::Node>(members: &openraft::Membership<u64, N>) -> types::Membership {
    let ids: BTreeSet<u64> = members.nodes().map(|(id, _)| *id).collect();
    types::Membership::new_with_defaults(members.get_joint_config().clone(), ids)
}

fn stored_from<S: OwnStorage>(
    stored: &StoredMembershipOf<Types<S>>,
) -> StoredMembership<S::Leaders> {
    StoredMembership::<S::Leaders>::new(stored.log_id().clone(), members_from(stored.membership()))
}

fn stored_to<S: OwnStorage>(stored: &StoredMembership<S::Leaders>) -> StoredMembershipOf<Types<S>> {
    let members = members_to::<NodeOf<S>>(stored.membership());
    StoredMembershipOf::<Types<S>>::new(stored.log_id().clone(), members)
}

fn found<S: OwnStorage>(entries: &[EntryOf<S>]) -> Vec<Found<S::Leaders>> {
    let found = |entry: &EntryOf<S>| Found {
        id: entry.log_id(),
        words: format!("{entry:?}"),
    };
    entries.iter().map(found).collect()
}

/// What a user has, by the storage that it is of.
pub(super) struct Of<S, T>(T, PhantomData<fn() -> S>);

impl<S, T> Of<S, T> {
    pub(super) fn new(own: T) -> Self {
        Self(own, PhantomData)
    }
}

impl<S, R> OwnReader<S::Leaders> for Of<S, R>
where
    S: OwnStorage,
    R: RaftLogReader<Types<S>>,
{
    fn entries(&mut self, range: Range) -> Answer<'_, Vec<Found<S::Leaders>>> {
        async move { Ok(found::<S>(&self.0.try_get_log_entries(range).await?)) }.boxed()
    }

    fn limited(&mut self, start: u64, end: u64) -> Answer<'_, Vec<Found<S::Leaders>>> {
        async move {
            Ok(found::<S>(
                &self.0.limited_get_log_entries(start, end).await?,
            ))
        }
        .boxed()
    }

    fn read_vote(&mut self) -> Answer<'_, Option<<S::Leaders as RaftTypeConfig>::Vote>> {
        self.0.read_vote().boxed()
    }

    fn words(&self, written: &<S::Leaders as RaftTypeConfig>::Entry) -> String {
        format!("{:?}", entry::<S>(written))
    }
}

impl<S: OwnStorage> OwnLog<S::Leaders> for Of<S, S::Log> {
    fn ends(&mut self) -> Answer<'_, Ends<S::Leaders>> {
        async move {
            let LogState {
                last_purged_log_id: purged,
                last_log_id: last,
            } = self.0.get_log_state().await?;
            Ok(Ends { purged, last })
        }
        .boxed()
    }

    fn reader(&mut self) -> BoxFuture<'_, Box<dyn OwnReader<S::Leaders>>> {
        async move {
            let reader = Of::<S, _>::new(self.0.get_log_reader().await);
            Box::new(reader) as Box<dyn OwnReader<S::Leaders>>
        }
        .boxed()
    }

    fn save_vote(&mut self, vote: <S::Leaders as RaftTypeConfig>::Vote) -> Answer<'_, ()> {
        async move { self.0.save_vote(&vote).await }.boxed()
    }

    fn save_committed(&mut self, committed: Option<EntryId<S::Leaders>>) -> Answer<'_, ()> {
        self.0.save_committed(committed).boxed()
    }

    fn read_committed(&mut self) -> Answer<'_, Option<EntryId<S::Leaders>>> {
        self.0.read_committed().boxed()
    }

    fn append(&mut self, entries: &[<S::Leaders as RaftTypeConfig>::Entry]) -> Answer<'_, Flush> {
        let entries: Vec<EntryOf<S>> = entries.iter().map(entry::<S>).collect();
        async move {
            type Channel<S> = <<Types<S> as RaftTypeConfig>::AsyncRuntime as AsyncRuntime>::Oneshot;
            let (sender, receiver) = Channel::<S>::channel();
            let callback = IOFlushed::<Types<S>>::signal(sender);
            self.0.append(entries, callback).await?;
            Ok(async move { receiver.await.ok() }.boxed())
        }
        .boxed()
    }

    fn truncate_after(&mut self, last: Option<EntryId<S::Leaders>>) -> Answer<'_, ()> {
        self.0.truncate_after(last).boxed()
    }

    fn purge(&mut self, through: EntryId<S::Leaders>) -> Answer<'_, ()> {
        self.0.purge(through).boxed()
    }
}

impl<S: OwnStorage> OwnMachine<S::Leaders> for Of<S, S::Machine> {
    fn applied(
        &mut self,
    ) -> Answer<'_, (Option<EntryId<S::Leaders>>, StoredMembership<S::Leaders>)> {
        async move {
            let (applied, members) = self.0.applied_state().await?;
            Ok((applied, stored_from::<S>(&members)))
        }
        .boxed()
    }

    fn apply(&mut self, entries: &[<S::Leaders as RaftTypeConfig>::Entry]) -> Answer<'_, ()> {
        let entries: Vec<_> = entries
            .iter()
            .map(|one| Ok((entry::<S>(one), None)))
            .collect();
        async move { self.0.apply(stream::iter(entries)).await }.boxed()
    }

    fn builder(&mut self, force: bool) -> BoxFuture<'_, Option<Box<dyn OwnBuilder<S::Leaders>>>> {
        async move {
            let builder = self.0.try_create_snapshot_builder(force).await?;
            Some(Box::new(Of::<S, _>::new(builder)) as Box<dyn OwnBuilder<S::Leaders>>)
        }
        .boxed()
    }

    fn install(&mut self, snapshot: OwnSnapshot<S::Leaders>) -> Answer<'_, ()> {
        let meta = SnapshotMetaOf::<Types<S>> {
            last_log_id: snapshot.meta.last_log_id,
            last_membership: stored_to::<S>(&snapshot.meta.last_membership),
        };
        let data = SnapshotBytes::from_bytes(snapshot.data);
        async move { self.0.install_snapshot(&meta, data).await }.boxed()
    }

    fn current_snapshot(&mut self) -> Answer<'_, Option<OwnSnapshot<S::Leaders>>> {
        async move {
            let snapshot = self.0.get_current_snapshot().await?;
            let taken = snapshot.map(|one| taken::<S, _>(&one.meta, one.snapshot));
            taken.transpose()
        }
        .boxed()
    }

    fn state(&mut self) -> Answer<'_, Vec<u8>> {
        S::state(&mut self.0).boxed()
    }
}

impl<S, B> OwnBuilder<S::Leaders> for Of<S, B>
where
    S: OwnStorage,
    B: RaftSnapshotBuilder<Types<S>, SnapshotData: SnapshotBytes>,
{
    fn build(&mut self) -> Answer<'_, OwnSnapshot<S::Leaders>> {
        async move {
            let built = self.0.build_snapshot().await?;
            taken::<S, _>(&built.meta, built.snapshot)
        }
        .boxed()
    }
}

fn taken<S: OwnStorage, D: SnapshotBytes>(
    meta: &SnapshotMetaOf<Types<S>>,
    data: D,
) -> io::Result<OwnSnapshot<S::Leaders>> {
    let meta = SnapshotMeta::<S::Leaders> {
        last_log_id: meta.last_log_id.clone(),
        last_membership: stored_from::<S>(&meta.last_membership),
    };
    let data = data.into_bytes()?;
    Ok(OwnSnapshot { meta, data })
}

//! openraft's storage of log and vote, over the harness's disk.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;

use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::vote::RaftVote;
use openraft::{LogState, OptionalSend, RaftLogReader};
use squall_core::ids::Role;
use squall_core::options::{DriverOptions, Persistence};
use squall_core::storage::{HardState, Record};

use super::desk::{Desk, Then};
use super::storage::{LogOfOwn, ReaderOfOwn};
use super::types::{self, EntryId, Mode};

/// The storage, and what reads from it.
pub(super) struct LogStorage<C: Mode> {
    desk: Desk<C>,
    /// An append waits until it is durable, and openraft with it.
    waits: bool,
    /// The commit index is written too.
    keeps_commit: bool,
    /// How long the service takes to get to what is committed.
    apply_lag_us: u64,
    /// A user's, which the log here is a copy of.
    own: Option<LogOfOwn<C>>,
}

impl<C: Mode> LogStorage<C> {
    pub(super) fn new(
        desk: Desk<C>,
        options: &DriverOptions,
        keeps_commit: bool,
        own: Option<LogOfOwn<C>>,
    ) -> Self {
        Self {
            desk,
            waits: options.persistence == Persistence::Synchronous,
            keeps_commit,
            apply_lag_us: options.apply_lag_us,
            own,
        }
    }
}

/// What reads from the storage.
pub(super) enum LogReader<C: Mode> {
    Copy(Desk<C>),
    Own(ReaderOfOwn<C>),
}

impl<C: Mode> RaftLogReader<C> for LogReader<C> {
    async fn try_get_log_entries<R>(&mut self, range: R) -> io::Result<Vec<C::Entry>>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        match self {
            Self::Copy(desk) => Ok(desk.open().log.range(range)),
            Self::Own(own) => own.entries(range).await,
        }
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<C::Entry>> {
        match self {
            Self::Copy(desk) => Ok(desk.open().log.range(start..end)),
            Self::Own(own) => own.limited(start, end).await,
        }
    }

    async fn read_vote(&mut self) -> io::Result<Option<C::Vote>> {
        match self {
            Self::Copy(desk) => Ok(desk.open().log.vote),
            Self::Own(own) => own.read_vote().await,
        }
    }
}

impl<C: Mode> RaftLogStorage<C> for LogStorage<C> {
    type LogReader = LogReader<C>;

    async fn get_log_state(&mut self) -> io::Result<LogState<C>> {
        if let Some(own) = &mut self.own {
            let (last_purged_log_id, last_log_id) = own.ends().await?;
            return Ok(LogState {
                last_purged_log_id,
                last_log_id,
            });
        }
        let things = self.desk.open();
        Ok(LogState {
            last_purged_log_id: things.log.purged(),
            last_log_id: things.log.last(),
        })
    }

    async fn get_log_reader(&mut self) -> LogReader<C> {
        match &mut self.own {
            Some(own) => LogReader::Own(own.reader().await),
            None => LogReader::Copy(self.desk.clone()),
        }
    }

    /// A vote for the node itself makes it a candidate, and a leader once it is elected.
    async fn save_vote(&mut self, vote: &C::Vote) -> io::Result<()> {
        let (term, whom) = (
            types::term_of_vote::<C>(vote),
            types::node_of_vote::<C>(vote),
        );
        {
            let mut things = self.desk.open();
            let role = match (whom == things.id, vote.is_committed()) {
                (true, true) => Role::Leader,
                (true, false) => Role::Candidate,
                (false, _) => Role::Follower,
            };
            if role != Role::Candidate {
                things.show_role(role, term);
            }
            let vote_of_whom = Some(whom);
            let before = things.log.vote.replace(*vote);
            let leader = |vote: C::Vote| *vote.leader_id();
            // That the one was elected whom it voted for is nothing to write.
            if before.map(leader) != Some(leader(*vote)) {
                things.out.write(Record::HardState(HardState {
                    term,
                    vote: vote_of_whom,
                }));
            }
            things.show_role(role, term);
            if self.own.is_some() {
                things.hold();
            }
        }
        if let Some(own) = &mut self.own {
            own.save_vote(*vote).await?;
            self.desk.open().release();
        }
        self.desk.synced().await
    }

    async fn save_committed(&mut self, committed: Option<EntryId<C>>) -> io::Result<()> {
        if let Some(own) = &mut self.own {
            own.save_committed(committed.clone()).await?;
        }
        let mut things = self.desk.open();
        let index = committed.as_ref().map_or(0, types::index::<C>);
        let things = &mut *things;
        if self.keeps_commit && self.own.is_none() {
            things.out.write(Record::Commit { index });
        }
        // What was reported when it was deposed openraft may have yet to say.
        let said = things.log.committed.as_ref().map_or(0, types::index::<C>);
        let known = match index < said {
            true => index,
            false => index.max(things.reports.last_commit()),
        };
        things.reports.commit(known, &mut things.out);
        things.machine.applies_later(index, self.apply_lag_us);
        things.log.committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<EntryId<C>>> {
        if let Some(own) = &mut self.own {
            return own.read_committed().await;
        }
        let things = self.desk.open();
        Ok(things.log.committed.clone().filter(|_| self.keeps_commit))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<C>) -> io::Result<()>
    where
        I: IntoIterator<Item = C::Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        if let Some(own) = &mut self.own {
            let entries: Vec<C::Entry> = entries.into_iter().collect();
            {
                let mut things = self.desk.open();
                let things = &mut *things;
                for entry in &entries {
                    things.log.append(entry.clone(), &mut things.out);
                }
                if !entries.is_empty() {
                    things.hold();
                }
            }
            return own.append(&entries, callback).await;
        }
        {
            let mut things = self.desk.open();
            let things = &mut *things;
            for entry in entries {
                things.log.append(entry, &mut things.out);
            }
            let index = things.log.last().as_ref().map_or(0, types::index::<C>);
            things.sync(Then::Flushed(index, callback));
            if !self.waits {
                return Ok(());
            }
        }
        // Nothing was written since: this sync is over when the other is.
        self.desk.synced().await
    }

    async fn truncate_after(&mut self, last: Option<EntryId<C>>) -> io::Result<()> {
        {
            let mut things = self.desk.open();
            let things = &mut *things;
            things.log.cut_after(last.as_ref(), &mut things.out);
        }
        match &mut self.own {
            Some(own) => own.truncate_after(last).await,
            None => Ok(()),
        }
    }

    async fn purge(&mut self, through: EntryId<C>) -> io::Result<()> {
        {
            let mut things = self.desk.open();
            let things = &mut *things;
            things.log.purge(through.clone(), &mut things.out);
        }
        match &mut self.own {
            Some(own) => own.purge(through).await,
            None => Ok(()),
        }
    }
}

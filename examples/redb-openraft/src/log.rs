//! openraft's log and vote in a redb database.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex};

use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::base::{Base, META, decode, encode, failed, put};
use crate::bug::Bug;
use crate::types::Types;

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

/// The log. Clones are the same log.
#[derive(Clone)]
pub struct Log {
    base: Base,
    bug: Option<Bug>,
    /// What mistakes keep in memory.
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    end: Option<u64>,
    purged: Option<LogIdOf<Types>>,
}

impl Log {
    /// The log in this database, which may be new.
    ///
    /// # Errors
    /// Those of redb.
    pub fn open(database: Database, bug: Option<Bug>) -> io::Result<Self> {
        let base = Base(Arc::new(database));
        base.write(Durability::Immediate, |transaction| {
            transaction.open_table(ENTRIES)?;
            transaction.open_table(META)?;
            Ok(())
        })?;
        Ok(Self {
            base,
            bug,
            memory: Arc::default(),
        })
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn durability_unless(&self, bug: Bug) -> Durability {
        match self.has(bug) {
            true => Durability::None,
            false => Durability::Immediate,
        }
    }

    fn purged(&self) -> io::Result<Option<LogIdOf<Types>>> {
        match self.has(Bug::PurgedIdInMemory) {
            true => Ok(self.memory.lock().expect("nobody panics").purged),
            false => self.base.get("purged"),
        }
    }

    fn insert(&self, entries: &[EntryOf<Types>], durability: Durability) -> io::Result<()> {
        self.base.write(durability, |transaction| {
            let mut table = transaction.open_table(ENTRIES)?;
            for entry in entries {
                let bytes = encode(entry).map_err(redb::Error::Io)?;
                table.insert(entry.index(), &*bytes)?;
            }
            Ok(())
        })
    }

    fn insert_all(&self, entries: &[EntryOf<Types>]) -> io::Result<()> {
        let mut memory = self.memory.lock().expect("nobody panics");
        if let (Some(end), Some(last)) = (&mut memory.end, entries.last()) {
            *end = last.index() + 1;
        }
        drop(memory);
        if self.has(Bug::FlushedAfterFirst) {
            for (place, entry) in entries.iter().enumerate() {
                let durability = match place {
                    0 => Durability::Immediate,
                    _ => Durability::None,
                };
                self.insert(std::slice::from_ref(entry), durability)?;
            }
            return Ok(());
        }
        let done = self.insert(entries, self.durability_unless(Bug::FlushNotAwaited));
        match self.has(Bug::SyncErrorIgnored) {
            true => Ok(()),
            false => done,
        }
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R>(&mut self, range: R) -> io::Result<Vec<EntryOf<Types>>>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let transaction = self.base.0.begin_read().map_err(failed)?;
        let table = transaction.open_table(ENTRIES).map_err(failed)?;
        let end = self.memory.lock().expect("nobody panics").end;
        let mut entries = Vec::new();
        for found in table.range(range.clone()).map_err(failed)? {
            let (index, bytes) = found.map_err(failed)?;
            if end.is_none_or(|end| index.value() < end) {
                entries.push(decode(bytes.value())?);
            }
        }
        let is_bounded = !matches!(range.end_bound(), Bound::Unbounded);
        if self.has(Bug::RangeOffByOne) && is_bounded && entries.len() > 1 {
            entries.pop();
        }
        Ok(entries)
    }

    async fn read_vote(&mut self) -> io::Result<Option<VoteOf<Types>>> {
        self.base.get("vote")
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let transaction = self.base.0.begin_read().map_err(failed)?;
        let table = transaction.open_table(ENTRIES).map_err(failed)?;
        let end = self.memory.lock().expect("nobody panics").end;
        let last = table
            .range(..end.unwrap_or(u64::MAX))
            .map_err(failed)?
            .next_back();
        let last = match last.transpose().map_err(failed)? {
            Some((_, bytes)) => Some(decode::<EntryOf<Types>>(bytes.value())?.log_id()),
            None => None,
        };
        let purged = self.purged()?;
        Ok(LogState {
            last_purged_log_id: purged,
            last_log_id: last.or(purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &VoteOf<Types>) -> io::Result<()> {
        let before: Option<VoteOf<Types>> = self.base.get("vote")?;
        let is_same_term =
            before.is_some_and(|before| before.leader_id().term == vote.leader_id().term);
        if self.has(Bug::VoteOfSameTermSkipped) && is_same_term {
            return Ok(());
        }
        let durability = self.durability_unless(Bug::VoteNotSynced);
        self.base
            .write(durability, |transaction| put(transaction, "vote", vote))
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf<Types>>) -> io::Result<()> {
        // Nothing is lost with it: a restart applies a little less.
        self.base.write(Durability::None, |transaction| {
            put(transaction, "committed", &committed)
        })
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogIdOf<Types>>> {
        Ok(self.base.get("committed")?.flatten())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = EntryOf<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        self.insert_all(&entries)?;
        callback.io_completed(Ok(()));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogIdOf<Types>>) -> io::Result<()> {
        let end = last.map_or(0, |last| last.index() + 1);
        if self.has(Bug::TruncateInMemory) {
            self.memory.lock().expect("nobody panics").end = Some(end);
            return Ok(());
        }
        self.base.write(Durability::Immediate, |transaction| {
            transaction
                .open_table(ENTRIES)?
                .retain_in(end.., |_, _| false)?;
            Ok(())
        })
    }

    async fn purge(&mut self, through: LogIdOf<Types>) -> io::Result<()> {
        self.memory.lock().expect("nobody panics").purged = Some(through);
        self.base.write(Durability::Immediate, |transaction| {
            transaction
                .open_table(ENTRIES)?
                .retain_in(..=through.index(), |_, _| false)?;
            put(transaction, "purged", &Some(through))
        })
    }
}

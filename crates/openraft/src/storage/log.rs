//! A user's log under openraft: each call goes on to it, and what it says of itself is noted, and
//! held against what was written.

use std::future::{poll_fn, ready};
use std::io;
use std::ops::{Bound, RangeBounds};
use std::task::Poll;

use openraft::entry::RaftEntry;
use openraft::storage::IOFlushed;

use super::own::{Flush, Found, OwnLog, OwnReader, Range};
use super::{Keeper, Power, broken};
use crate::desk::{Desk, Then};
use crate::node::spawn;
use crate::types::{self, EntryId, Mode};

/// A user's log, and the book that is kept of it.
pub(crate) struct LogOfOwn<C: Mode> {
    desk: Desk<C>,
    log: Box<dyn OwnLog<C>>,
    reader: Box<dyn OwnReader<C>>,
    keeper: Keeper<C>,
    power: Power,
}

/// A user's log reader.
pub(crate) struct ReaderOfOwn<C: Mode> {
    desk: Desk<C>,
    reader: Box<dyn OwnReader<C>>,
    power: Power,
}

fn range_of(range: &impl RangeBounds<u64>) -> Range {
    let copied = |bound: Bound<&u64>| bound.cloned();
    (copied(range.start_bound()), copied(range.end_bound()))
}

impl<C: Mode> LogOfOwn<C> {
    pub(super) fn new(
        desk: Desk<C>,
        log: Box<dyn OwnLog<C>>,
        reader: Box<dyn OwnReader<C>>,
        keeper: Keeper<C>,
        power: Power,
    ) -> Self {
        Self {
            desk,
            log,
            reader,
            keeper,
            power,
        }
    }

    pub(crate) async fn ends(&mut self) -> io::Result<(Option<EntryId<C>>, Option<EntryId<C>>)> {
        let ends = self.power.after(self.log.ends().await)?;
        Ok((ends.purged, ends.last))
    }

    pub(crate) async fn reader(&mut self) -> ReaderOfOwn<C> {
        ReaderOfOwn {
            desk: self.desk.clone(),
            reader: self.log.reader().await,
            power: self.power.clone(),
        }
    }

    /// The vote is noted as durable when the call returns, and not before.
    pub(crate) async fn save_vote(&mut self, vote: C::Vote) -> io::Result<()> {
        self.keeper.saving_vote(vote);
        self.power.after(self.log.save_vote(vote).await)?;
        self.keeper.saved_vote(vote);
        let found = self.power.after(self.reader.read_vote().await)?;
        if found != Some(vote) {
            let found = found.map_or_else(|| "None".to_owned(), |vote| vote.to_string());
            broken(&format!(
                "after save_vote({vote}), read_vote() returns {found}"
            ));
        }
        Ok(())
    }

    pub(crate) async fn save_committed(&mut self, committed: Option<EntryId<C>>) -> io::Result<()> {
        self.keeper.committing(committed.clone());
        self.power.after(self.log.save_committed(committed).await)
    }

    pub(crate) async fn read_committed(&mut self) -> io::Result<Option<EntryId<C>>> {
        self.power.after(self.log.read_committed().await)
    }

    /// The entries are in the node's log already. openraft is told that they are durable when the
    /// storage has said so, and the harness's disk, which goes by that, has followed.
    pub(crate) async fn append(
        &mut self,
        entries: &[C::Entry],
        callback: IOFlushed<C>,
    ) -> io::Result<()> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            callback.io_completed(Ok(()));
            return Ok(());
        };
        let (first, last) = (first.log_id().index(), last.log_id());
        let number = self.keeper.appending(entries);
        let mut flush = self.power.after(self.log.append(entries).await)?;
        // What is claimed is noted before anything else can fail.
        let early = poll_fn(|context| Poll::Ready(flush.as_mut().poll(context))).await;
        let flush: Flush = match early {
            Poll::Ready(flushed) => {
                let flushed = flushed.map(|flushed| self.power.after(flushed));
                if matches!(flushed, Some(Ok(()))) {
                    self.keeper.flushed(number);
                }
                Box::pin(ready(flushed))
            }
            Poll::Pending => flush,
        };
        self.look_back(first, last.index(), entries).await?;
        let index = types::index::<C>(&last);
        let report = Report {
            desk: self.desk.clone(),
            keeper: self.keeper.clone(),
            power: self.power.clone(),
            number,
            index,
            call: format!("append({first} to {})", last.index()),
        };
        spawn(report.when(flush, callback));
        Ok(())
    }

    /// What has just been appended can be read.
    async fn look_back(&mut self, first: u64, last: u64, entries: &[C::Entry]) -> io::Result<()> {
        let range = (Bound::Included(first), Bound::Included(last));
        let found = self.power.after(self.reader.entries(range).await)?;
        compare(
            &*self.reader,
            &found,
            entries,
            Least::All,
            "after append(..), try_get_log_entries",
        );
        Ok(())
    }

    pub(crate) async fn truncate_after(&mut self, last: Option<EntryId<C>>) -> io::Result<()> {
        self.keeper.truncating(last.as_ref());
        self.power
            .after(self.log.truncate_after(last.clone()).await)?;
        let ends = self.power.after(self.log.ends().await)?;
        if ends.last != last.clone().max(ends.purged.clone()) {
            let (last, found) = (told(last.as_ref()), told(ends.last.as_ref()));
            broken(&format!(
                "after truncate_after({last}), get_log_state() has the last log id at {found}"
            ));
        }
        Ok(())
    }

    pub(crate) async fn purge(&mut self, through: EntryId<C>) -> io::Result<()> {
        self.keeper.purging(through.clone());
        let before = self.power.after(self.log.ends().await)?;
        self.power.after(self.log.purge(through.clone()).await)?;
        let ends = self.power.after(self.log.ends().await)?;
        let through = Some(through);
        let (purged, last) = (
            before.purged.max(through.clone()),
            before.last.max(through.clone()),
        );
        if ends.purged != purged {
            let (through, found) = (told(through.as_ref()), told(ends.purged.as_ref()));
            broken(&format!(
                "after purge({through}), get_log_state() has the last purged log id at {found}"
            ));
        }
        if ends.last != last {
            let (through, found) = (told(through.as_ref()), told(ends.last.as_ref()));
            broken(&format!(
                "after purge({through}), get_log_state() has the last log id at {found}"
            ));
        }
        Ok(())
    }
}

/// What is to be done when an append is flushed.
struct Report<C: Mode> {
    desk: Desk<C>,
    keeper: Keeper<C>,
    power: Power,
    number: u64,
    index: u64,
    call: String,
}

impl<C: Mode> Report<C> {
    async fn when(self, flush: Flush, callback: IOFlushed<C>) {
        let flushed = flush.await.map(|flushed| self.power.after(flushed));
        match flushed {
            Some(Ok(())) => {
                self.keeper.flushed(self.number);
                let mut things = self.desk.open();
                things.sync(Then::Flushed(self.index, callback));
                things.release();
            }
            Some(Err(why)) => callback.io_completed(Err(why)),
            None => broken(&format!(
                "the callback of {} was dropped, and never called",
                self.call
            )),
        }
    }
}

impl<C: Mode> ReaderOfOwn<C> {
    pub(crate) async fn entries(
        &mut self,
        range: impl RangeBounds<u64>,
    ) -> io::Result<Vec<C::Entry>> {
        let range = range_of(&range);
        let before = self.desk.open().log.range(range);
        let found = self.power.after(self.reader.entries(range).await)?;
        Ok(self.held_against(&found, before, range, Least::All, "try_get_log_entries"))
    }

    pub(crate) async fn limited(&mut self, start: u64, end: u64) -> io::Result<Vec<C::Entry>> {
        let range = (Bound::Included(start), Bound::Excluded(end));
        let before = self.desk.open().log.range(range);
        let found = self.power.after(self.reader.limited(start, end).await)?;
        Ok(self.held_against(&found, before, range, Least::One, "limited_get_log_entries"))
    }

    pub(crate) async fn read_vote(&mut self) -> io::Result<Option<C::Vote>> {
        self.power.after(self.reader.read_vote().await)
    }

    /// The entries that were written, as far as the reader has found them. Where they have changed
    /// while it looked, it may have found either.
    fn held_against(
        &self,
        found: &[Found<C>],
        mut written: Vec<C::Entry>,
        range: Range,
        least: Least,
        call: &str,
    ) -> Vec<C::Entry> {
        let after = self.desk.open().log.range(range);
        let ids = |entries: &[C::Entry]| entries.iter().map(RaftEntry::log_id).collect::<Vec<_>>();
        if ids(&written) == ids(&after) {
            // What a snapshot stands for may be there still, until it is purged.
            let first = written
                .first()
                .map_or(u64::MAX, |entry| entry.log_id().index());
            let from = found
                .iter()
                .position(|one| one.id.index() >= first)
                .unwrap_or(found.len());
            let found = &found[from..];
            compare(&*self.reader, found, &written, least, call);
            written.truncate(found.len());
        }
        written
    }
}

/// How much of what was asked for has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Least {
    All,
    One,
}

fn compare<C: Mode>(
    reader: &dyn OwnReader<C>,
    found: &[Found<C>],
    written: &[C::Entry],
    least: Least,
    call: &str,
) {
    for (one, entry) in found.iter().zip(written) {
        let should_be = reader.words(entry);
        if one.words != should_be {
            broken(&format!(
                "{call} returns {}, where {should_be} was appended",
                one.words
            ));
        }
    }
    let (count, asked) = (found.len(), written.len());
    let enough = match least {
        Least::All => count == asked,
        Least::One => count <= asked && count >= asked.min(1),
    };
    if !enough {
        let first = written.first().map_or(0, |entry| entry.log_id().index());
        broken(&format!(
            "{call} returns {count} of {asked} entries from {first} on"
        ));
    }
}

fn told<L: std::fmt::Display>(id: Option<&L>) -> String {
    id.map_or_else(|| "None".to_owned(), ToString::to_string)
}

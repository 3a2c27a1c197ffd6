//! The log of a node as its storage holds it, and how it is written.

use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};

use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use squall_core::configuration::Configuration;
use squall_core::ids::Index;
use squall_core::replica::{Observation, Output};
use squall_core::storage::{self, EntryKind, Record, StableState};

use super::membership;
use super::messages::Message;
use super::types::{self, Command, EntryId, Mode, Payload};

/// Entries, vote and commit index.
pub(super) struct Log<C: Mode> {
    /// Where the first entry stands, in openraft's counting.
    first: u64,
    entries: VecDeque<C::Entry>,
    /// The last entry that is gone because a snapshot stands for it.
    purged: Option<EntryId<C>>,
    pub(super) vote: Option<C::Vote>,
    pub(super) committed: Option<EntryId<C>>,
    /// The log was cut off, and its end is to be written.
    was_cut: bool,
    /// The configurations in the log, each with its entry's place, after the one before the log.
    configurations: Vec<(Index, Configuration)>,
}

pub(super) fn written<C: Mode>(entry: &C::Entry) -> storage::Entry {
    let (kind, data) = match C::payload(entry) {
        EntryPayload::Blank => (EntryKind::Normal, bytes::Bytes::new()),
        EntryPayload::Normal(Command(data)) => (EntryKind::Normal, data.clone()),
        EntryPayload::Membership(members) => (
            EntryKind::Configuration(membership::FORMAT),
            membership::encode(members),
        ),
    };
    let id: EntryId<C> = entry.log_id();
    storage::Entry {
        term: C::term_of_entry(id.committed_leader_id()),
        kind,
        data,
    }
}

fn read<C: Mode>(index: Index, entry: &storage::Entry) -> C::Entry {
    let payload: Payload = match entry.kind {
        EntryKind::Normal if entry.data.is_empty() => EntryPayload::Blank,
        EntryKind::Normal => EntryPayload::Normal(Command(entry.data.clone())),
        EntryKind::Configuration(_) => {
            let members = membership::decode(&entry.data);
            EntryPayload::Membership(members.expect("what was written is read"))
        }
    };
    let id = types::entry_id::<C>(index, entry.term).expect("entries begin at 1");
    C::Entry::new(id, payload)
}

fn id<C: Mode>(entry: &C::Entry) -> EntryId<C> {
    entry.log_id()
}

impl<C: Mode> Log<C> {
    /// What a disk has kept, where `configuration` is in force before its first entry.
    pub(super) fn of(state: &StableState, configuration: Configuration) -> Self {
        let first = state.log.first();
        let entries = state.log.iter();
        let entries: VecDeque<C::Entry> = entries.map(|(at, entry)| read::<C>(at, entry)).collect();
        let purged = match first - 1 == state.snapshot_index() {
            true => state.snapshot.as_ref().map(|snapshot| snapshot.term),
            false => Some(state.term_before_log),
        };
        let purged_term = purged;
        let purged = purged.and_then(|term| types::entry_id::<C>(first - 1, term));
        let last = entries.back().map(|last| written::<C>(last).term);
        let last = last.or(purged_term);
        let vote = (state.hard.term > 0).then(|| {
            // A leader is elected before it makes an entry.
            let is_elected = last == Some(state.hard.term);
            vote::<C>(C::leader(state.hard.term, state.hard.vote), is_elected)
        });
        let mut log = Self {
            first: first - 1,
            entries,
            purged,
            vote,
            committed: None,
            was_cut: false,
            configurations: vec![(state.snapshot_index(), configuration)],
        };
        log.committed = log.id_at(state.commit).or_else(|| log.purged.clone());
        for (index, configuration) in log.changes(state.snapshot_index() + 1) {
            log.configurations.push((index, configuration));
        }
        log
    }

    /// The entries from `index` on that change the configuration.
    fn changes(&self, index: Index) -> Vec<(Index, Configuration)> {
        let change = |entry: &C::Entry| {
            let EntryPayload::Membership(members) = C::payload(entry) else {
                return None;
            };
            let at = types::index::<C>(&id::<C>(entry));
            (at >= index).then(|| (at, membership::configuration(members)))
        };
        self.entries.iter().filter_map(change).collect()
    }

    /// Reports the configurations that recovery found in the log.
    pub(super) fn show_configurations(&self, out: &mut Output<Message<C>>) {
        for (index, configuration) in &self.configurations[1..] {
            out.observe(Observation::Configured {
                index: *index,
                configuration: *configuration,
            });
        }
    }

    /// This configuration is in force at this index, by what a user's machine has applied, and what
    /// comes after in the log is reported.
    pub(super) fn goes_by(
        &mut self,
        (index, configuration): (Index, Configuration),
        out: &mut Output<Message<C>>,
    ) {
        self.configurations = vec![(index, configuration)];
        for change in self.changes(index + 1) {
            self.configurations.push(change);
        }
        self.show_configurations(out);
    }

    fn get(&self, place: u64) -> Option<&C::Entry> {
        let offset = place.checked_sub(self.first)?;
        self.entries.get(usize::try_from(offset).ok()?)
    }

    /// Names the entry at `index`, in Squall's counting, if it is there.
    fn id_at(&self, index: Index) -> Option<EntryId<C>> {
        self.get(index.checked_sub(1)?).map(id::<C>)
    }

    /// The term of the entry at `index`, if it is there.
    pub(super) fn term_of(&self, index: Index) -> Option<u64> {
        let id = self.id_at(index)?;
        Some(C::term_of_entry(id.committed_leader_id()))
    }

    /// The configuration in force.
    pub(super) fn configuration(&self) -> Configuration {
        self.configurations[self.configurations.len() - 1].1
    }

    pub(super) fn purged(&self) -> Option<EntryId<C>> {
        self.purged.clone()
    }

    pub(super) fn last(&self) -> Option<EntryId<C>> {
        let last = self.entries.back().map(id::<C>);
        last.or_else(|| self.purged.clone())
    }

    /// The entries of a range that are there.
    pub(super) fn range(&self, range: impl RangeBounds<u64>) -> Vec<C::Entry> {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let from = from.max(self.first);
        let end = end.min(self.first + self.entries.len() as u64);
        (from..end)
            .filter_map(|place| self.get(place).cloned())
            .collect()
    }

    /// Adds an entry at its place, in place of what was there and after.
    pub(super) fn append(&mut self, entry: C::Entry, out: &mut Output<Message<C>>) {
        let place = id::<C>(&entry).index();
        let kept = place.saturating_sub(self.first);
        self.entries.truncate(usize::try_from(kept).unwrap_or(0));
        if self.entries.is_empty() {
            self.first = place;
        }
        let index = place + 1;
        let configuration = match C::payload(&entry) {
            EntryPayload::Membership(members) => Some(membership::configuration(members)),
            _ => None,
        };
        let record = written::<C>(&entry);
        out.write(Record::Entry {
            index,
            entry: record,
        });
        self.was_cut = false;
        self.entries.push_back(entry);
        if let Some(configuration) = configuration {
            self.configurations.push((index, configuration));
            out.observe(Observation::Configured {
                index,
                configuration,
            });
        }
    }

    /// Cuts off what follows `last`.
    pub(super) fn cut_after(&mut self, last: Option<&EntryId<C>>, out: &mut Output<Message<C>>) {
        let end = last.map_or(0, |last| last.index() + 1);
        let kept = end.saturating_sub(self.first);
        self.entries.truncate(usize::try_from(kept).unwrap_or(0));
        self.was_cut = true;
        let before = self.configurations.len();
        let left = |(index, _): &(Index, Configuration)| *index <= end;
        while self.configurations.len() > 1 && !self.configurations.last().is_some_and(left) {
            self.configurations.pop();
        }
        if self.configurations.len() < before {
            let (index, configuration) = self.configurations[self.configurations.len() - 1];
            out.observe(Observation::Configured {
                index,
                configuration,
            });
        }
    }

    /// Writes where the log ends, unless what came after it was cut off has said so. The record of
    /// an entry stands for the end of the log too, so the last that is left is written again; where
    /// none is left, it is what comes next that says so.
    pub(super) fn write_end(&mut self, out: &mut Output<Message<C>>) {
        if !std::mem::take(&mut self.was_cut) {
            return;
        }
        if let Some(last) = self.entries.back() {
            let index = types::index::<C>(&id::<C>(last));
            let entry = written::<C>(last);
            out.write(Record::Entry { index, entry });
        }
    }

    /// Drops what a snapshot stands for: everything up to `through`, and all of the log where that
    /// entry is not in it. What has been dropped already, as for a leader's snapshot when that was
    /// installed, stays dropped.
    pub(super) fn purge(&mut self, through: EntryId<C>, out: &mut Output<Message<C>>) {
        if self.purged.as_ref() >= Some(&through) {
            return;
        }
        let index = types::index::<C>(&through);
        match self.get(through.index()).map(id::<C>) {
            Some(held) if held == through => {
                while self
                    .entries
                    .front()
                    .is_some_and(|entry| id::<C>(entry).index() < index)
                {
                    self.entries.pop_front();
                }
                out.write(Record::LogCompact { through: index });
            }
            _ => {
                self.entries.clear();
                out.write(Record::LogReset { next: index + 1 });
            }
        }
        self.first = index;
        self.purged = Some(through);
    }

    /// A leader's snapshot stands for the log up to `index`, after which this is in force.
    pub(super) fn installed(
        &mut self,
        index: Index,
        configuration: Configuration,
        out: &mut Output<Message<C>>,
    ) {
        self.configurations.retain(|(at, _)| *at > index);
        self.configurations.insert(0, (index, configuration));
        let (index, configuration) = self.configurations[self.configurations.len() - 1];
        out.observe(Observation::Configured {
            index,
            configuration,
        });
    }
}

/// A vote for `leader`, who may be elected.
pub(super) fn vote<C: Mode>(leader: C::LeaderId, is_elected: bool) -> C::Vote {
    use openraft::vote::RaftVote;
    C::Vote::from_leader_id(leader, is_elected)
}

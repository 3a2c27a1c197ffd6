//! What a node's storage has claimed to be durable, over all its lives, and what it was asked for
//! since; and what the states of machines are, on all nodes. It lies where no crash reaches it.
//! Knows nothing of disks: what a disk has kept, the storage says when it is read back.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use squall_core::ids::NodeId;
use squall_core::replica::RunNotes;
use squall_core::service::Service;
use squall_world::hash::of_bytes;

use super::broken;
use super::own::{Ends, Found};
use crate::types::{Command, EntryId, Mode, SnapshotMeta, StoredMembership};

/// The notes of a run.
struct Notes<C: Mode> {
    books: BTreeMap<NodeId, Book<C>>,
    /// What a machine holds after an entry, by place and term, and who said so first; at place 0,
    /// before any.
    states: BTreeMap<(u64, u64), Held>,
}

/// What a machine holds, so far as two can be told apart.
#[derive(Clone)]
struct Held {
    by: NodeId,
    hash: u64,
    /// Its beginning, in words.
    shown: String,
}

impl<C: Mode> Default for Notes<C> {
    fn default() -> Self {
        Self {
            books: BTreeMap::new(),
            states: BTreeMap::new(),
        }
    }
}

/// Keeps the book of one node.
pub(crate) struct Keeper<C: Mode> {
    notes: RunNotes,
    node: NodeId,
    /// In its first state.
    service: Service,
    of: PhantomData<fn() -> C>,
}

impl<C: Mode> Clone for Keeper<C> {
    fn clone(&self) -> Self {
        Self {
            notes: self.notes.clone(),
            service: self.service.clone(),
            ..*self
        }
    }
}

/// An entry that was appended.
#[derive(Clone)]
struct Written<C: Mode> {
    entry: C::Entry,
    /// The call, in words.
    by: Arc<str>,
}

/// A log by place.
type Places<C> = BTreeMap<u64, Written<C>>;

/// What a storage was asked to do to its log.
enum Change<C: Mode> {
    Append(Vec<Written<C>>),
    /// Everything from this place on goes.
    Cut(u64),
}

impl<C: Mode> Change<C> {
    fn apply(&self, log: &mut Places<C>) {
        match self {
            Self::Append(entries) => {
                for written in entries {
                    let place = written.entry.log_id().index();
                    drop(log.split_off(&place));
                    log.insert(place, written.clone());
                }
            }
            Self::Cut(place) => drop(log.split_off(place)),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Append(entries) => entries
                .first()
                .map_or_else(String::new, |one| one.by.to_string()),
            Self::Cut(0) => "truncate_after(None)".to_owned(),
            Self::Cut(place) => format!("truncate_after({})", place - 1),
        }
    }
}

/// A state of the service that a snapshot or a machine stands for, and how far it is.
#[derive(Clone)]
pub(crate) struct Shadow<C: Mode> {
    pub(crate) at: Option<EntryId<C>>,
    pub(crate) service: Service,
    pub(crate) members: StoredMembership<C>,
}

/// What is known of one node's storage.
pub(super) struct Book<C: Mode> {
    /// Files lost so far: a book is of one disk.
    wipes: u64,
    /// The vote that is sure, and those since that may be there.
    vote: Option<C::Vote>,
    votes_since: Vec<C::Vote>,
    /// The log when an append was last flushed, and what was asked since, by number.
    log: Places<C>,
    since: Vec<(u64, Change<C>)>,
    changes: u64,
    /// How far a purge was asked for.
    purged: Option<EntryId<C>>,
    /// How far entries were given to the machine, or a snapshot that was installed.
    applied: Option<EntryId<C>>,
    /// Beyond which nothing was saved as committed.
    committed: Option<EntryId<C>>,
    /// The newest snapshot that was claimed, and by which call.
    snapshot: Option<(EntryId<C>, &'static str)>,
    /// The service as of the newest snapshot, as bytes.
    base: Option<(SnapshotMeta<C>, Bytes)>,
    /// A snapshot that the machine was given to install, and the service there: it may be durable
    /// before the call returns.
    offered: Option<(SnapshotMeta<C>, Bytes)>,
    /// Entries that were given to the machine, and that the log has lost in a crash: they are
    /// committed, so that openraft applies them without waiting for the log.
    unlogged: Places<C>,
}

impl<C: Mode> Book<C> {
    fn new(wipes: u64) -> Self {
        Self {
            wipes,
            vote: None,
            votes_since: Vec::new(),
            log: BTreeMap::new(),
            since: Vec::new(),
            changes: 0,
            purged: None,
            applied: None,
            committed: None,
            snapshot: None,
            base: None,
            offered: None,
            unlogged: BTreeMap::new(),
        }
    }

    /// The log with all that was asked for.
    fn newest(&self) -> Places<C> {
        let mut log = self.log.clone();
        for (_, change) in &self.since {
            change.apply(&mut log);
        }
        log
    }

    fn base_place(&self) -> u64 {
        let last = self
            .base
            .as_ref()
            .and_then(|(meta, _)| meta.last_log_id.as_ref());
        last.map_or(0, |last| last.index() + 1)
    }

    fn note(&mut self, change: Change<C>) -> u64 {
        self.changes += 1;
        self.since.push((self.changes, change));
        self.changes
    }

    fn flushed(&mut self, number: u64) {
        let later = self.since.iter().position(|(other, _)| *other > number);
        let later = later.unwrap_or(self.since.len());
        for (_, change) in self.since.drain(..later) {
            change.apply(&mut self.log);
        }
        // Nobody asks for what both a snapshot stands for and a purge has gone over.
        let purged = self
            .purged
            .as_ref()
            .map_or(0, |through| through.index() + 1);
        self.log = self.log.split_off(&purged.min(self.base_place()));
        self.unlogged = self.unlogged.split_off(&self.base_place());
    }
}

fn words<C: Mode>(id: Option<&EntryId<C>>) -> String {
    id.map_or_else(
        || "nothing".to_owned(),
        |id| format!("entry {} of term {}", id.index(), term::<C>(id)),
    )
}

fn term<C: Mode>(id: &EntryId<C>) -> u64 {
    C::term_of_entry(id.committed_leader_id())
}

/// The place where a log ends, in words.
fn end_words(end: u64) -> String {
    match end {
        0 => "the log is empty".to_owned(),
        end => format!("the log ends at {}", end - 1),
    }
}

impl<C: Mode> Keeper<C> {
    /// The book of a node, whose files were lost so often: after each loss it begins anew.
    pub(super) fn new(notes: &RunNotes, node: NodeId, service: &Service, wipes: u64) -> Self {
        let keeper = Self {
            notes: notes.clone(),
            node,
            service: service.clone(),
            of: PhantomData,
        };
        keeper.notes(|notes| {
            let book = notes.books.entry(node).or_insert_with(|| Book::new(wipes));
            if book.wipes != wipes {
                *book = Book::new(wipes);
            }
        });
        keeper
    }

    fn notes<R>(&self, look: impl FnOnce(&mut Notes<C>) -> R) -> R {
        self.notes.with(look)
    }

    fn book<R>(&self, look: impl FnOnce(&mut Book<C>) -> R) -> R {
        self.notes(|notes| look(notes.books.get_mut(&self.node).expect("it was begun")))
    }

    /// The log as it was found last.
    pub(super) fn entries(&self) -> Vec<C::Entry> {
        self.book(|book| {
            book.newest()
                .into_values()
                .map(|written| written.entry)
                .collect()
        })
    }

    pub(super) fn saving_vote(&self, vote: C::Vote) {
        self.book(|book| book.votes_since.push(vote));
    }

    /// `save_vote` has returned.
    pub(super) fn saved_vote(&self, vote: C::Vote) {
        self.book(|book| {
            book.vote = Some(vote);
            book.votes_since.clear();
        });
    }

    /// Entries are about to be appended. Returns the number of the call.
    pub(super) fn appending(&self, entries: &[C::Entry]) -> u64 {
        let place = |entry: Option<&C::Entry>| entry.map_or(0, |entry| entry.log_id().index());
        let by = format!(
            "append({} to {})",
            place(entries.first()),
            place(entries.last())
        );
        let by: Arc<str> = by.into();
        let written = |entry: &C::Entry| Written {
            entry: entry.clone(),
            by: by.clone(),
        };
        let entries = entries.iter().map(written).collect();
        self.book(|book| book.note(Change::Append(entries)))
    }

    /// The append of that number was reported as flushed, and so is all that was asked before.
    pub(super) fn flushed(&self, number: u64) {
        self.book(|book| book.flushed(number));
    }

    pub(super) fn truncating(&self, last: Option<&EntryId<C>>) {
        let place = last.map_or(0, |last| last.index() + 1);
        self.book(|book| book.note(Change::Cut(place)));
    }

    pub(super) fn purging(&self, through: EntryId<C>) {
        self.book(|book| book.purged = book.purged.take().max(Some(through)));
    }

    pub(super) fn committing(&self, committed: Option<EntryId<C>>) {
        self.book(|book| book.committed = book.committed.take().max(committed));
    }

    /// The machine is about to be given a snapshot, and `service` is the service there.
    pub(super) fn offering(&self, meta: &SnapshotMeta<C>, service: Bytes) {
        self.book(|book| book.offered = Some((meta.clone(), service)));
    }

    /// The machine has been found at `at` after a restart: a snapshot there that it was given is
    /// in place, though the call had not returned.
    pub(super) fn found_at(&self, at: Option<&EntryId<C>>) {
        self.book(|book| {
            let stands_there = |(meta, _): &&(SnapshotMeta<C>, Bytes)| {
                at.is_some() && meta.last_log_id.as_ref() == at
            };
            if let Some(taken) = book.offered.as_ref().filter(stands_there).cloned() {
                book.base = Some(taken);
            }
        });
    }

    /// The machine is about to be given entries or a snapshot up to here.
    pub(super) fn applying(&self, last: EntryId<C>) {
        self.book(|book| book.applied = book.applied.take().max(Some(last)));
    }

    /// A snapshot was built or installed, says the machine. `service` is the service there.
    pub(super) fn has_snapshot(&self, meta: &SnapshotMeta<C>, service: Bytes, by: &'static str) {
        let Some(last) = meta.last_log_id.clone() else {
            return;
        };
        self.book(|book| {
            if book.base_place() <= last.index() {
                book.snapshot = Some((last, by));
                book.base = Some((meta.clone(), service));
            }
        });
    }

    /// The service after the entry `at`, which the log had, or which the newest snapshot stands
    /// for. None where the log has no such entry.
    pub(super) fn shadow(&self, at: Option<&EntryId<C>>) -> Option<Shadow<C>> {
        self.book(|book| {
            let mut shadow = Shadow {
                at: None,
                service: self.service.clone(),
                members: StoredMembership::<C>::default(),
            };
            let is_offered = |(meta, _): &&(SnapshotMeta<C>, Bytes)| {
                at.is_some() && meta.last_log_id.as_ref() == at
            };
            let offered = book.offered.as_ref().filter(is_offered);
            if let Some((meta, service)) = offered.or(book.base.as_ref()) {
                assert!(shadow.service.restore(service), "it was one");
                shadow.at.clone_from(&meta.last_log_id);
                shadow.members = meta.last_membership.clone();
            }
            if shadow.at.as_ref() == at {
                return Some(shadow);
            }
            let at = at.filter(|at| at.index() >= book.base_place())?;
            let newest = book.newest();
            for place in book.base_place()..=at.index() {
                let written = newest.get(&place).or_else(|| book.unlogged.get(&place))?;
                feed::<C>(&written.entry, &mut shadow);
            }
            (shadow.at.as_ref() == Some(at)).then_some(shadow)
        })
    }

    /// Whether a snapshot has come that goes further than one at `at`.
    pub(super) fn is_overtaken(&self, at: Option<&EntryId<C>>) -> bool {
        let newest = self.book(|book| {
            book.base
                .as_ref()
                .and_then(|(meta, _)| meta.last_log_id.clone())
        });
        at < newest.as_ref()
    }

    /// The machine of this node holds this after the entry `at`, which it has come to by `by`.
    pub(super) fn holds(&self, at: Option<&EntryId<C>>, state: &[u8], by: &str) {
        let entry = at.map_or((0, 0), |at| (at.index() + 1, term::<C>(at)));
        let here = Held {
            by: self.node,
            hash: of_bytes(state),
            shown: shown(state),
        };
        let first = self.notes(|notes| {
            let first = notes.states.entry(entry);
            first.or_insert_with(|| here.clone()).clone()
        });
        if first.hash != here.hash {
            let (at, here, there) = (words::<C>(at), here.shown, first.shown);
            broken(&format!(
                "after {by}, the machine of {} that has applied {at} holds {here}, and {}'s held {there}",
                self.node, first.by
            ));
        }
    }

    /// What `read_vote` returned after a restart.
    pub(super) fn check_vote(&self, found: Option<C::Vote>) {
        let (sure, is_known) = self.book(|book| {
            let is_known =
                found == book.vote || found.is_some_and(|found| book.votes_since.contains(&found));
            (book.vote, is_known)
        });
        let told =
            |vote: Option<C::Vote>| vote.map_or_else(|| "None".to_owned(), |vote| vote.to_string());
        if !is_known {
            let (sure, found) = (told(sure), told(found));
            broken(&format!(
                "save_vote({sure}) had returned, and after the restart read_vote() returns {found}"
            ));
        }
        self.book(|book| {
            book.vote = found;
            book.votes_since.clear();
        });
    }

    /// What the log was found to be after a restart: its ends, and its entries; `words` says what
    /// an entry should be found as.
    pub(super) fn check_log(
        &self,
        ends: &Ends<C>,
        found: &[Found<C>],
        words: impl Fn(&C::Entry) -> String,
    ) {
        check_ends(ends, found);
        let asked = self.book(|book| book.purged.clone());
        if ends.purged > asked {
            let (purged, asked) = (
                self::words::<C>(ends.purged.as_ref()),
                self::words::<C>(asked.as_ref()),
            );
            broken(&format!(
                "after the restart the log is purged up to {purged}, and purge was asked for up to {asked}"
            ));
        }
        let end = ends.last.as_ref().map_or(0, |last| last.index() + 1);
        let first = end - found.len() as u64;
        let (versions, since) = self.book(|book| {
            let mut versions = vec![book.log.clone()];
            for (_, change) in &book.since {
                let mut next = versions[versions.len() - 1].clone();
                change.apply(&mut next);
                versions.push(next);
            }
            let since: Vec<String> = book
                .since
                .iter()
                .map(|(_, change)| change.words())
                .collect();
            (versions, since)
        });
        // What all versions have was flushed, and nothing has asked for it to go.
        let sure = &versions[0];
        let stays = |(place, written): &(&u64, &Written<C>)| {
            let id = written.entry.log_id();
            versions.iter().all(|one| {
                one.get(place)
                    .is_some_and(|other| other.entry.log_id() == id)
            })
        };
        let last_sure = sure.iter().take_while(stays).last();
        if let Some((place, written)) = last_sure.filter(|(place, _)| **place >= end) {
            let (by, ends_at) = (&written.by, end_words(end));
            broken(&format!(
                "{by} was reported as flushed, with entry {place}, and after the restart {ends_at}"
            ));
        }
        let is_at = |version: &Places<C>, one: &Found<C>| {
            let written = version.get(&one.id.index());
            written.is_some_and(|written| written.entry.log_id() == one.id)
        };
        let oldest = versions.iter().filter_map(|one| one.keys().next()).min();
        let known = |one: &&Found<C>| oldest.is_some_and(|oldest| one.id.index() >= *oldest);
        let fits = |version: &&Places<C>| found.iter().filter(known).all(|one| is_at(version, one));
        let Some(version) = versions.iter().rev().find(fits) else {
            let odd = found
                .iter()
                .filter(known)
                .find(|one| !is_at(&versions[versions.len() - 1], one));
            let odd = odd.map_or_else(String::new, |odd| self::words::<C>(Some(&odd.id)));
            let since = match since.is_empty() {
                true => "nothing was asked for since an append was flushed".to_owned(),
                false => format!("since an append was flushed: {}", since.join(", ")),
            };
            broken(&format!(
                "after the restart the log has entries {first} to {}, among them {odd}, and there was no such log ({since})",
                end.saturating_sub(1)
            ));
        };
        for one in found.iter().filter(known) {
            let should_be = words(&version[&one.id.index()].entry);
            if one.words != should_be {
                let found = &one.words;
                broken(&format!(
                    "after the restart an entry is {found}, and was {should_be}"
                ));
            }
        }
        let mut kept = version.clone();
        let lost = kept.split_off(&end);
        self.book(|book| {
            let applied = book.applied.as_ref().map_or(0, |last| last.index() + 1);
            let was_applied = lost.into_iter().filter(|(place, _)| *place < applied);
            book.unlogged.extend(was_applied);
            book.log = kept;
            book.since.clear();
        });
    }

    /// What `read_committed` returned after a restart.
    pub(super) fn check_committed(&self, found: Option<&EntryId<C>>) {
        let saved = self.book(|book| book.committed.clone());
        if found > saved.as_ref() {
            let (found, saved) = (words::<C>(found), words::<C>(saved.as_ref()));
            broken(&format!(
                "read_committed() returns {found} after the restart, and save_committed was called up to {saved}"
            ));
        }
    }

    /// How far machine and snapshot are found to be after a restart. The further of the two has to
    /// stand for all that is not in the log.
    pub(super) fn check_machine(
        &self,
        applied: Option<&EntryId<C>>,
        snapshot: Option<&EntryId<C>>,
        purged: Option<&EntryId<C>>,
    ) {
        let (given, claimed) = self.book(|book| (book.applied.clone(), book.snapshot.clone()));
        let known = applied.max(snapshot);
        if known > given.as_ref() {
            let (known, given) = (words::<C>(known), words::<C>(given.as_ref()));
            broken(&format!(
                "after the restart the machine or its snapshot is at {known}, and was given no more than {given}"
            ));
        }
        let at = format!(
            "the machine has applied {}, and its snapshot stands for {}",
            words::<C>(applied),
            words::<C>(snapshot)
        );
        if let Some((last, by)) = claimed.filter(|(last, _)| known < Some(last)) {
            let last = words::<C>(Some(&last));
            broken(&format!(
                "{by} had returned a snapshot at {last}, and after the restart {at}"
            ));
        }
        if known < purged {
            let purged = words::<C>(purged);
            broken(&format!(
                "after the restart the log is purged up to {purged}, while {at}"
            ));
        }
    }

    /// The membership that comes with what is applied up to `at`.
    pub(super) fn check_members(
        &self,
        at: Option<&EntryId<C>>,
        found: &StoredMembership<C>,
        by: &str,
    ) {
        let Some(shadow) = self.shadow(at) else {
            return;
        };
        let right = &shadow.members;
        let is_later = found.log_id() > right.log_id();
        if !is_later && found != right {
            let at = words::<C>(at);
            broken(&format!(
                "{by} at {at} has the membership {found}, and it is {right} there"
            ));
        }
    }
}

/// The ends fit the entries, and no entry is missing.
fn check_ends<C: Mode>(ends: &Ends<C>, found: &[Found<C>]) {
    let first = ends.purged.as_ref().map_or(0, |purged| purged.index() + 1);
    for (place, one) in (first..).zip(found) {
        if one.id.index() != place {
            let found = words::<C>(Some(&one.id));
            broken(&format!(
                "after the restart the log has a hole: try_get_log_entries(..) has {found} where {place} is due, after {}",
                words::<C>(ends.purged.as_ref())
            ));
        }
    }
    let last = found.last().map(|one| &one.id).or(ends.purged.as_ref());
    if last != ends.last.as_ref() {
        let (last, told) = (words::<C>(last), words::<C>(ends.last.as_ref()));
        broken(&format!(
            "after the restart get_log_state() has the last log id at {told}, and the log ends with {last}"
        ));
    }
}

/// Feeds an entry to the service.
pub(super) fn feed<C: Mode>(entry: &C::Entry, shadow: &mut Shadow<C>) {
    let id: EntryId<C> = entry.log_id();
    let data: &[u8] = match C::payload(entry) {
        EntryPayload::Blank => &[],
        EntryPayload::Normal(Command(data)) => data,
        EntryPayload::Membership(members) => {
            shadow.members = StoredMembership::<C>::new(Some(id.clone()), members.clone());
            &[]
        }
    };
    // Who asked is told elsewhere.
    let _ = shadow.service.apply(data);
    shadow.at = Some(id);
}

/// The beginning of a state, as text where it is text.
fn shown(state: &[u8]) -> String {
    const MOST: usize = 120;
    let text = String::from_utf8_lossy(&state[..state.len().min(MOST)]);
    match state.len() > MOST {
        true => format!("{text:?}... ({} bytes)", state.len()),
        false => format!("{text:?}"),
    }
}

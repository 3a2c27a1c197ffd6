//! A storage of your own, with what was written to it beside it. Every write goes to both, and
//! every answer of the one is held against the other. Knows nothing of disks: what is durable, the
//! driver says.

use std::fmt::{self, Display, Formatter};

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use super::messages;
use super::storage::{Kept, LogStorage};
use super::store::{Backend, Store};
use squall_core::configuration::Configuration;
use squall_core::ids::{Index, Term};
use squall_core::options::DriverOptions;
use squall_core::storage::StableState;

/// The storage `S`, held to what was written to it.
pub struct ReadBack<S> {
    own: S,
    /// What was written, with what the driver keeps beside it.
    written: Store,
    last: Write,
    /// Term and index of a snapshot that was applied, until the next hard state is written: the
    /// storage may have raised its own to these.
    raised: Option<(Term, Index)>,
}

/// A write, as it is told.
#[derive(Clone, Debug)]
enum Write {
    Open,
    Append { first: Index, last: Index },
    HardState(HardState),
    ConfState(ConfState),
    ApplySnapshot(Index),
    KeepSnapshot(Index),
    Compact(Index),
}

impl Display for Write {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open(..)"),
            Self::Append { first, last } => write!(f, "append(entries {first} to {last})"),
            Self::HardState(hard) => write!(f, "set_hard_state({})", hard_state_words(hard)),
            Self::ConfState(conf) => write!(f, "set_conf_state({})", conf_state_words(conf)),
            Self::ApplySnapshot(index) => write!(f, "apply_snapshot(at {index})"),
            Self::KeepSnapshot(index) => write!(f, "keep_snapshot(at {index})"),
            Self::Compact(through) => write!(f, "compact({through})"),
        }
    }
}

fn hard_state_words(hard: &HardState) -> String {
    let HardState {
        term, vote, commit, ..
    } = hard;
    format!("term {term}, vote {vote}, commit {commit}")
}

fn conf_state_words(conf: &ConfState) -> String {
    if conf.voters.is_empty() {
        return "no voters".to_owned();
    }
    let leaves = if conf.auto_leave { "; auto-leave" } else { "" };
    format!("{}{leaves}", messages::configuration(conf))
}

fn entry_words(entry: &Entry) -> String {
    let (index, term, bytes) = (entry.index, entry.term, entry.data.len());
    format!("entry {index} of term {term} ({bytes} bytes)")
}

fn snapshot_words(snapshot: &Snapshot) -> String {
    let meta = snapshot.get_metadata();
    let conf = conf_state_words(meta.get_conf_state());
    let (index, term, bytes) = (meta.index, meta.term, snapshot.data.len());
    format!("a snapshot at {index} of term {term} ({bytes} bytes, {conf})")
}

fn is_same(one: &Snapshot, other: &Snapshot) -> bool {
    let [a, b] = [one, other].map(Snapshot::get_metadata);
    let [conf_a, conf_b] = [a, b].map(|meta| messages::configuration(meta.get_conf_state()));
    (a.index, a.term, conf_a) == (b.index, b.term, conf_b) && one.data == other.data
}

/// Reads, and their panics. Where one of these panics is the line of the caller, for two panics are
/// taken for one defect when they come from one line.
impl<S: LogStorage> ReadBack<S> {
    #[cold]
    #[track_caller]
    fn contradicted(&self, call: &str, got: &str, written: &str) -> ! {
        let last = &self.last;
        panic!(
            "the storage contradicts what was written to it: after {last}, {call} returned {got}, not {written}"
        )
    }

    /// The answer to `call`, which must not be an error.
    #[track_caller]
    fn answer<'a, T>(&self, call: &str, got: &'a Result<T>, written: &str) -> &'a T {
        match got {
            Ok(got) => got,
            Err(error) => self.contradicted(call, &format!("the error \"{error}\""), written),
        }
    }

    #[track_caller]
    fn check_number(&self, call: &str, got: &Result<u64>, written: u64) {
        let got = *self.answer(call, got, &written.to_string());
        if got != written {
            self.contradicted(call, &got.to_string(), &written.to_string());
        }
    }

    #[track_caller]
    fn check_state(&self, got: &Result<RaftState>) {
        let (hard, conf) = (&self.written.hard, &self.written.conf);
        let call = "initial_state().hard_state";
        let state = self.answer(call, got, &hard_state_words(hard));
        if !self.may_hold(&state.hard_state) {
            let got = hard_state_words(&state.hard_state);
            self.contradicted(call, &got, &hard_state_words(hard));
        }
        if messages::configuration(&state.conf_state) != messages::configuration(conf) {
            let got = conf_state_words(&state.conf_state);
            let call = "initial_state().conf_state";
            self.contradicted(call, &got, &conf_state_words(conf));
        }
    }

    /// Whether `got` may stand for the hard state that was written.
    fn may_hold(&self, got: &HardState) -> bool {
        let written = &self.written.hard;
        let (term, commit) = self.raised.unwrap_or_default();
        let is_raised = got.term > written.term && got.term == term;
        (is_raised || (got.term, got.vote) == (written.term, written.vote))
            && (got.commit == written.commit || got.commit == commit.max(written.commit))
    }

    /// Looks at the term of `index`, which is in the log or just before it.
    #[track_caller]
    fn check_term(&self, index: Index, got: &Result<u64>) {
        let written = self.written.term(index).expect("it is known");
        self.check_number(&format!("term({index})"), got, written);
    }

    /// Looks at entries from `low` on and before `high`, which are in the log.
    #[track_caller]
    fn check_entries(&self, low: Index, high: Index, limit: Option<u64>, got: &Result<Vec<Entry>>) {
        let call = format!("entries({low}, {high}, ..)");
        let got = self.answer(&call, got, "the entries");
        for (index, entry) in (low..).zip(got) {
            let written = self.written.log.get(index).filter(|_| index < high);
            if written == Some(entry) {
                continue;
            }
            let is = entry_words(entry);
            let should_be = written.map_or_else(|| "nothing".to_owned(), entry_words);
            match is == should_be {
                true => self.contradicted(&call, &format!("{is} with other data"), &should_be),
                false => self.contradicted(&call, &is, &should_be),
            }
        }
        let (count, asked) = (got.len() as u64, high - low);
        let (least, words) = match limit.is_none_or(|limit| limit == raft::NO_LIMIT) {
            true => (asked, "all of them"),
            false => (asked.min(1), "one or more of them"),
        };
        if count < least {
            self.contradicted(&call, &format!("{count} of {asked} entries"), words);
        }
    }

    #[track_caller]
    fn check_snapshot(&self, request_index: Index, to: u64, got: &Result<Snapshot>) {
        let call = format!("snapshot({request_index}, {to})");
        let kept = &self.written.snapshot;
        let is_new_enough = self.written.snapshot_index() >= request_index.max(1);
        match got {
            Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
                if !self.written.has_snapshot_for(request_index, to) => {}
            Ok(got) if is_new_enough && is_same(got, kept) => {}
            Ok(got) if is_new_enough => {
                self.contradicted(&call, &snapshot_words(got), &snapshot_words(kept));
            }
            Ok(got) => {
                let written = "SnapshotTemporarilyUnavailable";
                self.contradicted(&call, &snapshot_words(got), written);
            }
            Err(_) => {
                self.answer(&call, got, &snapshot_words(kept));
            }
        }
    }

    /// Looks at what each write might spoil: both ends of the log, hard state and configuration.
    #[track_caller]
    fn check_ends(&self) {
        let log = &self.written.log;
        self.check_number("first_index()", &self.own.first_index(), log.first());
        self.check_number("last_index()", &self.own.last_index(), log.last());
        for index in [log.first() - 1, log.last()] {
            self.check_term(index, &self.own.term(index));
        }
        self.check_state(&self.own.initial_state());
    }

    /// Looks at the log from `low` on.
    #[track_caller]
    fn check_from(&self, low: Index) {
        self.check_ends();
        let next = self.written.log.next();
        for index in low - 1..next {
            self.check_term(index, &self.own.term(index));
        }
        if low < next {
            let context = GetEntriesContext::empty(false);
            let got = self.own.entries(low, next, None, context);
            self.check_entries(low, next, None, &got);
        }
    }

    /// Looks at everything.
    #[track_caller]
    fn check_all(&self) {
        self.check_from(self.written.log.first());
        let meta = self.written.snapshot.get_metadata();
        if let Some(member) = meta.get_conf_state().voters.first() {
            self.check_snapshot(0, *member, &self.own.snapshot(0, *member));
        }
    }
}

impl<S: LogStorage> Backend for ReadBack<S> {
    fn open(state: StableState, configuration: &Configuration, driver: &DriverOptions) -> Self {
        let written = Store::open(state, configuration, driver);
        let own = S::open(Kept {
            hard_state: written.hard.clone(),
            conf_state: written.conf.clone(),
            snapshot: written.snapshot.clone(),
            truncated: Entry {
                index: written.log.first() - 1,
                term: written.term_before,
                ..Entry::default()
            },
            entries: written.log.iter().map(|(_, entry)| entry.clone()).collect(),
        });
        let opened = Self {
            own,
            written,
            last: Write::Open,
            raised: None,
        };
        opened.check_all();
        opened
    }

    fn held(&self) -> &Store {
        &self.written
    }

    fn held_mut(&mut self) -> &mut Store {
        &mut self.written
    }

    fn set_hard(&mut self, hard: &HardState) {
        self.last = Write::HardState(hard.clone());
        self.own.set_hard_state(hard.clone());
        self.written.set_hard(hard);
        self.raised = None;
        self.check_ends();
    }

    fn set_commit(&mut self, commit: Index) {
        let mut hard = self.written.hard.clone();
        hard.commit = commit;
        self.set_hard(&hard);
    }

    fn set_conf(&mut self, conf: ConfState) {
        self.last = Write::ConfState(conf.clone());
        self.own.set_conf_state(conf.clone());
        self.written.set_conf(conf);
        self.check_all();
    }

    fn append(&mut self, entries: Vec<Entry>) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return;
        };
        let (first, last) = (first.index, last.index);
        // A cut might spoil anything.
        let low = match first <= self.written.log.last() {
            true => self.written.log.first(),
            false => first,
        };
        self.last = Write::Append { first, last };
        self.own.append(&entries);
        self.written.append(entries);
        self.check_from(low);
    }

    fn restore(&mut self, snapshot: Snapshot) {
        let meta = snapshot.get_metadata();
        self.last = Write::ApplySnapshot(meta.index);
        self.raised = Some((meta.term, meta.index));
        self.own.apply_snapshot(snapshot.clone());
        self.written.restore(snapshot);
        self.check_all();
    }

    fn keep_snapshot(&mut self, snapshot: Snapshot) {
        self.last = Write::KeepSnapshot(snapshot.get_metadata().index);
        self.own.keep_snapshot(snapshot.clone());
        self.written.keep_snapshot(snapshot);
        self.check_all();
    }

    fn compact(&mut self, through: Index) {
        self.last = Write::Compact(through);
        self.own.compact(through);
        self.written.compact(through);
        self.check_all();
    }
}

/// What the library reads is the storage's own answer, looked at.
impl<S: LogStorage> Storage for ReadBack<S> {
    fn initial_state(&self) -> Result<RaftState> {
        let got = self.own.initial_state();
        self.check_state(&got);
        got
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let limit = max_size.into();
        let may_fetch = S::FETCHES && self.written.fetches && context.can_async();
        let own_context = GetEntriesContext::empty(may_fetch);
        let got = self.own.entries(low, high, limit, own_context);
        match got {
            Err(Error::Store(StorageError::LogTemporarilyUnavailable)) if may_fetch => {
                self.written.asked.borrow_mut().push(context);
            }
            // Of what is compacted the library does not ask.
            _ if low < self.written.log.first() => {}
            _ => self.check_entries(low, high, limit, &got),
        }
        got
    }

    fn term(&self, index: u64) -> Result<u64> {
        let got = self.own.term(index);
        let log = &self.written.log;
        if (log.first() - 1..log.next()).contains(&index) {
            self.check_term(index, &got);
        }
        got
    }

    fn first_index(&self) -> Result<u64> {
        let got = self.own.first_index();
        self.check_number("first_index()", &got, self.written.log.first());
        got
    }

    fn last_index(&self) -> Result<u64> {
        let got = self.own.last_index();
        self.check_number("last_index()", &got, self.written.log.last());
        got
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        let got = self.own.snapshot(request_index, to);
        self.check_snapshot(request_index, to, &got);
        // Whether it is of any use to its receiver, and another is to be taken.
        self.written.snapshot(request_index, to)?;
        got
    }
}

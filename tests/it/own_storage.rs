//! Storages of one's own under the driver of raft-rs: `examples/my_storage.rs`, as its reader would
//! find it, and what is found of one that is broken.

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Result, Storage, StorageError};
use squall::raft_rs::storage::{Kept, LogStorage};
use squall::raft_rs::{RaftRs, with_storage};
use squall_core::counters::Counter;
use squall_core::engine::{self, Observer};
use squall_core::plan::Profile;
use squall_core::registry::RegisteredSubject;

use super::support;

#[allow(dead_code)] // Its main.
#[path = "../../examples/my_storage.rs"]
mod my_storage;

use my_storage::MyStorage;

/// What is wrong with a storage, or only looks so.
type Way = u8;

const FORGETS_HARD_STATE: Way = 0;
const FORGETS_VOTE: Way = 1;
const LEAVES_TAIL: Way = 2;
const COMPACTS_TOO_MUCH: Way = 3;
const COMPACTS_TOO_LITTLE: Way = 4;
const DROPS_SNAPSHOTS_CONFIGURATION: Way = 5;
const FORGETS_TERM_BEFORE_LOG: Way = 6;
const LOSES_ENTRY_AFTER_COMPACTION: Way = 7;
const OPENS_WITHOUT_VOTE: Way = 8;
const FORGETS_CONFIGURATION: Way = 9;
const KEEPS_OLD_SNAPSHOT: Way = 10;
const IGNORES_REQUEST_INDEX: Way = 11;
const COMPACTS_HARD_STATE: Way = 12;
const FETCHES_UNDECLARED: Way = 13;
const FETCHES: Way = 14;
const GIVES_ONE_ENTRY: Way = 15;
const RAISES_COMMIT: Way = 16;

/// The example's storage in one of these ways.
struct Other<const WAY: Way>(MyStorage);

impl<const WAY: Way> Other<WAY> {
    fn is_compacted(&self) -> bool {
        self.0.first_index().unwrap() > 1
    }
}

impl<const WAY: Way> LogStorage for Other<WAY> {
    const FETCHES: bool = WAY == FETCHES;

    fn open(mut kept: Kept) -> Self {
        if WAY == OPENS_WITHOUT_VOTE {
            kept.hard_state.vote = 0;
        }
        Self(MyStorage::open(kept))
    }

    fn append(&mut self, entries: &[Entry]) {
        let next = entries.last().unwrap().index + 1;
        let end = self.0.last_index().unwrap() + 1;
        let tail = match WAY == LEAVES_TAIL && next < end {
            true => {
                let context = GetEntriesContext::empty(false);
                self.0.entries(next, end, None, context).unwrap()
            }
            false => Vec::new(),
        };
        self.0.append(entries);
        if !tail.is_empty() {
            self.0.append(&tail);
        }
    }

    fn set_hard_state(&mut self, mut hard_state: HardState) {
        match WAY {
            FORGETS_HARD_STATE => return,
            FORGETS_VOTE => hard_state.vote = 0,
            _ => {}
        }
        self.0.set_hard_state(hard_state);
    }

    fn set_conf_state(&mut self, conf_state: ConfState) {
        if WAY != FORGETS_CONFIGURATION {
            self.0.set_conf_state(conf_state);
        }
    }

    fn apply_snapshot(&mut self, snapshot: Snapshot) {
        let before = self.0.initial_state().unwrap();
        let (index, term) = (snapshot.get_metadata().index, snapshot.get_metadata().term);
        self.0.apply_snapshot(snapshot);
        match WAY {
            DROPS_SNAPSHOTS_CONFIGURATION => self.0.set_conf_state(before.conf_state),
            RAISES_COMMIT => {
                let mut hard_state = before.hard_state;
                hard_state.commit = index;
                hard_state.term = hard_state.term.max(term);
                self.0.set_hard_state(hard_state);
            }
            _ => {}
        }
    }

    fn keep_snapshot(&mut self, snapshot: Snapshot) {
        if WAY != KEEPS_OLD_SNAPSHOT || !self.is_compacted() {
            self.0.keep_snapshot(snapshot);
        }
    }

    fn compact(&mut self, through: u64) {
        let through = match WAY {
            COMPACTS_TOO_MUCH => through + 1,
            COMPACTS_TOO_LITTLE => through - 1,
            _ => through,
        };
        self.0.compact(through);
        if WAY == COMPACTS_HARD_STATE {
            self.0.set_hard_state(HardState::default());
        }
    }
}

impl<const WAY: Way> Storage for Other<WAY> {
    fn initial_state(&self) -> Result<RaftState> {
        self.0.initial_state()
    }

    fn entries(
        &self,
        mut low: u64,
        mut high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let limit = max_size.into().filter(|limit| *limit != raft::NO_LIMIT);
        match WAY {
            FETCHES | FETCHES_UNDECLARED if context.can_async() => {
                return Err(StorageError::LogTemporarilyUnavailable.into());
            }
            FETCHES_UNDECLARED => return Err(StorageError::LogTemporarilyUnavailable.into()),
            GIVES_ONE_ENTRY if limit.is_some() => high = low + 1,
            LOSES_ENTRY_AFTER_COMPACTION if self.is_compacted() => {
                low = low.max(self.0.first_index()? + 1);
            }
            _ => {}
        }
        self.0.entries(low, high.max(low), limit, context)
    }

    fn term(&self, index: u64) -> Result<u64> {
        let is_before = index < self.0.first_index()?;
        if WAY == FORGETS_TERM_BEFORE_LOG && is_before && self.is_compacted() {
            return Err(StorageError::Compacted.into());
        }
        self.0.term(index)
    }

    fn first_index(&self) -> Result<u64> {
        self.0.first_index()
    }

    fn last_index(&self) -> Result<u64> {
        self.0.last_index()
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        match WAY {
            IGNORES_REQUEST_INDEX => self.0.snapshot(0, to),
            _ => self.0.snapshot(request_index, to),
        }
    }
}

/// What panics in the first of so many storms that fails.
fn first_failure<const WAY: Way>(seeds: u64) -> Option<(u64, String)> {
    let storm = Profile::load("storm").unwrap();
    let subject = RegisteredSubject::new("mine", "", with_storage::<Other<WAY>>());
    let space = subject.plans(&storm);
    (0..seeds).find_map(|seed| {
        let outcome = subject.runner.run(&space.draw(seed), Observer::default());
        let violation = outcome.failure?.violation;
        Some((seed, violation.to_string()))
    })
}

/// A tenth of the seeds that a sweep has where nobody says how many.
const SEEDS: u64 = 100;

#[test]
fn a_storage_that_breaks_the_contract_is_found_out_and_told_by_its_calls() {
    /// A search, and the words for the write and for the read.
    type Case = (fn(u64) -> Option<(u64, String)>, &'static str, &'static str);
    let cases: [Case; 14] = [
        (
            first_failure::<FORGETS_HARD_STATE>,
            "after set_hard_state(term ",
            "initial_state().hard_state returned term 0, vote 0, commit 0, not term ",
        ),
        (
            first_failure::<FORGETS_VOTE>,
            "after set_hard_state(term ",
            "initial_state().hard_state returned term ",
        ),
        (
            first_failure::<LEAVES_TAIL>,
            "after append(entries ",
            "last_index() returned ",
        ),
        (
            first_failure::<COMPACTS_TOO_MUCH>,
            "after compact(",
            "first_index() returned ",
        ),
        (
            first_failure::<COMPACTS_TOO_LITTLE>,
            "after compact(",
            "first_index() returned ",
        ),
        (
            first_failure::<DROPS_SNAPSHOTS_CONFIGURATION>,
            "after apply_snapshot(at ",
            "initial_state().conf_state returned ",
        ),
        (
            first_failure::<FORGETS_TERM_BEFORE_LOG>,
            "after compact(",
            ") returned the error \"log compacted\", not ",
        ),
        (
            first_failure::<LOSES_ENTRY_AFTER_COMPACTION>,
            "after compact(",
            ", ..) returned ",
        ),
        (
            first_failure::<OPENS_WITHOUT_VOTE>,
            "after open(..)",
            "vote 0",
        ),
        (
            first_failure::<FORGETS_CONFIGURATION>,
            "after set_conf_state(voters ",
            "initial_state().conf_state returned voters ",
        ),
        (
            first_failure::<KEEPS_OLD_SNAPSHOT>,
            "after keep_snapshot(at ",
            ") returned a snapshot at ",
        ),
        (
            first_failure::<IGNORES_REQUEST_INDEX>,
            "snapshot(",
            ", not SnapshotTemporarilyUnavailable",
        ),
        (
            first_failure::<COMPACTS_HARD_STATE>,
            "after compact(",
            "initial_state().hard_state returned term 0, vote 0, commit 0, not term ",
        ),
        (
            first_failure::<FETCHES_UNDECLARED>,
            "after append(entries ",
            "returned the error \"log is temporarily unavailable\", not ",
        ),
    ];
    for (nth, (search, write, read)) in cases.into_iter().enumerate() {
        let (seed, failure) =
            search(SEEDS).unwrap_or_else(|| panic!("nobody misses: {write}.. {read}"));
        println!("{nth}: seed {seed}: {failure}");
        assert!(failure.contains("panicked: the storage contradicts what was written to it: "));
        assert!(failure.contains(write), "{failure}, and not: {write}");
        assert!(failure.contains(read), "{failure}, and not: {read}");
    }
}

#[test]
fn a_storage_that_only_does_it_in_another_way_passes() {
    let seeds = support::seeds(300);
    assert_eq!(first_failure::<GIVES_ONE_ENTRY>(seeds), None);
    assert_eq!(first_failure::<RAISES_COMMIT>(seeds), None);
    assert_eq!(first_failure::<FETCHES>(seeds), None);
}

#[test]
fn a_storage_that_fetches_in_the_background_is_waited_for() {
    let storm = Profile::load("storm").unwrap();
    let subject = RegisteredSubject::new("mine", "", with_storage::<Other<FETCHES>>());
    let space = subject.plans(&storm);
    let fetched = (0..100).any(|seed| {
        let outcome = subject.runner.run(&space.draw(seed), Observer::default());
        outcome.counters.get(Counter::FetchDone) > 0
    });
    assert!(fetched);
}

/// The driver is the same, and does the same, on this storage and on that.
#[test]
fn a_run_on_a_storage_of_ones_own_is_the_run_on_ours() {
    let storm = Profile::load("storm").unwrap();
    let mine = with_storage::<MyStorage>();
    let subject = RegisteredSubject::new("my-storage", "", mine);
    let space = subject.plans(&storm);
    for seed in 0..support::seeds(300) {
        let plan = space.draw(seed);
        let [mine, ours] = [
            engine::run(&plan, &mine, Observer::default()),
            engine::run(&plan, &RaftRs, Observer::default()),
        ];
        assert_eq!(mine.failure, None, "seed {seed}");
        assert_eq!(mine.digest, ours.digest, "seed {seed}");
    }
}

#[test]
fn nothing_that_the_storm_is_to_see_is_missing() {
    squall::check(with_storage::<MyStorage>())
        .seeds(support::seeds(1_000))
        .run();
}

#[test]
fn it_is_as_short_as_the_guide_says() {
    let text = std::fs::read_to_string(support::root().join("examples/my_storage.rs"));
    let lines = text.unwrap().lines().count();
    assert!(lines < 80, "{lines} lines");
}

#[test]
fn the_guide_quotes_a_failure_as_it_is() {
    let page = std::fs::read_to_string(support::root().join("docs/guide/your-storage.md")).unwrap();
    let words: Vec<&str> = page.split_whitespace().collect();
    let (_, failure) = first_failure::<FORGETS_TERM_BEFORE_LOG>(SEEDS).unwrap();
    // The line in our source moves.
    let quoted = failure.rsplit_once(':').unwrap().0;
    assert!(words.join(" ").contains(quoted), "{quoted}");
}

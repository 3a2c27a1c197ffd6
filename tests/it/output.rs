//! What a replica wants done: nothing of it is lost or leaked, whoever puts it in, takes it out, or
//! drops it.

use std::sync::Arc;

use bytes::Bytes;
use squall_core::ids::Index;
use squall_core::replica::{Effect, Observation, Output, Reply, ReplyOutcome, SyncId};
use squall_core::storage::{Entry, EntryKind, Record};

/// Data of which it is known whether it still lies somewhere.
struct Watched {
    _left: Arc<()>,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        b"data"
    }
}

/// Makes entries, and counts those that are not freed.
#[derive(Default)]
struct Entries(Arc<()>);

impl Entries {
    fn entry(&self, index: Index) -> Record {
        Record::Entry {
            index,
            entry: Entry {
                term: 1,
                kind: EntryKind::Normal,
                data: Bytes::from_owner(Watched {
                    _left: Arc::clone(&self.0),
                }),
            },
        }
    }

    fn left(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// An output with two entries, an observation between them, and a sync behind them.
fn full(entries: &Entries) -> Output<&'static str> {
    let mut out = Output::default();
    out.write(entries.entry(1));
    out.observe(Observation::Committed { index: 1 });
    out.write(entries.entry(2));
    out.sync(SyncId(1));
    out
}

fn words(effect: &Effect<&Record, &Observation>) -> String {
    match effect {
        Effect::Write(Record::Entry { index, .. }) => format!("entry {index}"),
        Effect::Sync(SyncId(number)) => format!("sync {number}"),
        Effect::Observe(Observation::Committed { index }) => format!("commit {index}"),
        other => panic!("nobody wanted {other:?}"),
    }
}

const WANTED: [&str; 4] = ["entry 1", "commit 1", "entry 2", "sync 1"];

fn reply(client: u32) -> Reply {
    Reply {
        client,
        sequence: 1,
        outcome: ReplyOutcome::Refused { leader: None },
    }
}

#[test]
fn records_are_freed_with_their_output_and_with_a_copy_of_it() {
    let entries = Entries::default();
    let out = full(&entries);
    let copy = out.clone();
    assert_eq!(entries.left(), 2, "the copy shares the data");
    drop(out);
    assert_eq!(entries.left(), 2);
    drop(copy);
    assert_eq!(entries.left(), 0);
    let mut cleared = full(&entries);
    cleared.clear();
    assert!(cleared.is_empty());
    assert_eq!(entries.left(), 0);
}

#[test]
fn effects_come_out_in_order_each_write_with_its_own_record() {
    let entries = Entries::default();
    let mut out = full(&entries);
    let seen: Vec<String> = out.effects().map(|effect| words(&effect)).collect();
    assert_eq!(seen, WANTED);
    let taken: Vec<Effect> = out.take_effects().collect();
    assert!(out.is_empty());
    let in_words = taken.iter().map(|effect| match effect {
        Effect::Write(record) => words(&Effect::Write(record)),
        Effect::Sync(sync) => words(&Effect::Sync(*sync)),
        Effect::Observe(seen) => words(&Effect::Observe(seen)),
    });
    assert_eq!(in_words.collect::<Vec<_>>(), WANTED);
    for effect in taken {
        match effect {
            Effect::Write(record) => out.write(record),
            Effect::Sync(sync) => out.sync(sync),
            Effect::Observe(seen) => out.observe(seen),
        }
    }
    let carried_out: Vec<String> = out
        .effects_mut()
        .map(|effect| match effect {
            Effect::Write(record) => words(&Effect::Write(&record.take())),
            Effect::Sync(sync) => words(&Effect::Sync(sync)),
            Effect::Observe(seen) => words(&Effect::Observe(seen)),
        })
        .collect();
    assert_eq!(carried_out, WANTED);
    assert!(!out.is_empty(), "who carries effects out clears them");
    out.clear_effects();
    assert!(out.is_empty());
    assert_eq!(entries.left(), 0);
}

#[test]
fn records_that_nobody_takes_are_freed() {
    let entries = Entries::default();
    let mut out = full(&entries);
    assert!(out.take_effects().next().is_some());
    assert_eq!((out.is_empty(), entries.left()), (true, 0));
    // Of two records one is taken.
    let mut out = full(&entries);
    let kept = match out.effects_mut().next() {
        Some(Effect::Write(record)) => record.take(),
        other => panic!("{other:?}"),
    };
    assert_eq!(entries.left(), 2);
    out.clear_effects();
    assert_eq!((out.is_empty(), entries.left()), (true, 1));
    drop(kept);
    assert_eq!(entries.left(), 0);
}

#[test]
fn who_wraps_a_replica_can_change_all_that_it_wants_done() {
    let mut out = Output::default();
    out.write(Record::Commit { index: 5 });
    for effect in out.effects_mut() {
        if let Effect::Write(Record::Commit { index }) = effect {
            *index = 3;
        }
    }
    let written: Vec<Effect> = out.take_effects().collect();
    assert_eq!(written, [Effect::Write(Record::Commit { index: 3 })]);
    out.send("one");
    out.send_all(vec!["two", "three"]);
    out.send_all(Vec::new());
    out.retain_sends(|message| *message != "two");
    assert_eq!(out.sends(), ["one", "three"]);
    out.reply(reply(1));
    out.reply(reply(2));
    out.halt("first");
    out.halt("second");
    assert_eq!(out.halted(), Some("first"));
    let mut changed = Output::default();
    changed.send_all(out.take_sends());
    for answer in out.drain_replies() {
        changed.reply(reply(answer.client + 10));
    }
    assert!(!out.is_empty(), "it still halts");
    assert_eq!(out.take_halt(), Some("first"));
    assert!(out.is_empty());
    assert_eq!(changed.sends(), ["one", "three"]);
    let clients: Vec<u32> = changed.replies().iter().map(|reply| reply.client).collect();
    assert_eq!(clients, [11, 12]);
}

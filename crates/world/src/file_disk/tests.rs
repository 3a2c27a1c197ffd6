//! Files that forget.

use super::*;
use proptest::prelude::*;

fn choices(seed: u64) -> Choices {
    Choices::labelled(seed, "files test", 0)
}

/// A machine with a file `d/log` that is durable and reads `bytes`.
fn machine(bytes: &[u8]) -> (Files, Inode) {
    let mut files = Files::default();
    let log = files.open_or_create("d/log").unwrap();
    files.write(log, 0, bytes).unwrap();
    sync(&mut files, Target::File(log));
    sync(&mut files, Target::Directory("d".to_owned()));
    (files, log)
}

fn sync(files: &mut Files, target: Target) {
    files.complete_sync(&target, files.begin_sync());
}

fn read(files: &Files, path: &str) -> Option<Vec<u8>> {
    let inode = files.open(path).ok()?;
    Some(files.seen(inode).to_vec())
}

#[test]
fn what_is_written_is_read_and_lost_unless_it_is_synced() {
    let (mut files, log) = machine(b"abc");
    files.write(log, 3, b"def").unwrap();
    assert_eq!(read(&files, "d/log").unwrap(), b"abcdef");
    let report = files.crash(Loss::All, &mut choices(1));
    assert_eq!((report.kept, report.lost, report.torn), (0, 1, 0));
    assert_eq!(read(&files, "d/log").unwrap(), b"abc");
}

#[test]
fn a_sync_covers_what_was_written_before_it_began() {
    let (mut files, log) = machine(b"");
    files.write(log, 0, b"a").unwrap();
    let reach = files.begin_sync();
    files.write(log, 1, b"b").unwrap();
    files.complete_sync(&Target::File(log), reach);
    files.crash(Loss::All, &mut choices(1));
    assert_eq!(read(&files, "d/log").unwrap(), b"a");
}

#[test]
fn a_file_whose_directory_was_never_synced_is_not_there() {
    let (mut files, _) = machine(b"");
    let new = files.open_or_create("d/new").unwrap();
    files.write(new, 0, b"synced").unwrap();
    sync(&mut files, Target::File(new));
    files.crash(Loss::All, &mut choices(1));
    assert_eq!(read(&files, "d/new"), None);
    assert_eq!(files.list("d"), ["d/log"]);
}

#[test]
fn a_rename_before_the_data_are_synced_leaves_an_empty_file() {
    let (mut files, _) = machine(b"old");
    let new = files.open_or_create("d/tmp").unwrap();
    files.write(new, 0, b"new").unwrap();
    files.rename("d/tmp", "d/log").unwrap();
    sync(&mut files, Target::Directory("d".to_owned()));
    files.crash(Loss::All, &mut choices(1));
    assert_eq!(read(&files, "d/log").unwrap(), b"");
}

#[test]
fn a_rename_that_is_lost_leaves_the_old_file() {
    let (mut files, _) = machine(b"old");
    let new = files.open_or_create("d/tmp").unwrap();
    files.write(new, 0, b"new").unwrap();
    sync(&mut files, Target::File(new));
    files.rename("d/tmp", "d/log").unwrap();
    assert_eq!(read(&files, "d/log").unwrap(), b"new");
    files.crash(Loss::All, &mut choices(1));
    assert_eq!(read(&files, "d/log").unwrap(), b"old");
}

#[test]
fn a_failed_sync_can_be_read_and_is_lost_though_a_later_one_succeeds() {
    let (mut files, log) = machine(b"");
    files.write(log, 0, b"aa").unwrap();
    files.fail_sync(&Target::File(log), files.begin_sync());
    assert_eq!(read(&files, "d/log").unwrap(), b"aa");
    files.write(log, 2, b"bb").unwrap();
    sync(&mut files, Target::File(log));
    files.crash(Loss::All, &mut choices(1));
    assert_eq!(read(&files, "d/log").unwrap(), b"\0\0bb");
}

#[test]
fn a_full_disk_refuses_what_would_grow_and_nothing_else() {
    let (mut files, log) = machine(b"abc");
    files.fill_up();
    let refused = files.write(log, 2, b"xy").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    files.write(log, 0, b"xyz").unwrap();
    files.set_length(log, 2).unwrap();
    assert!(files.open_or_create("d/new").is_err());
    assert_eq!(read(&files, "d/log").unwrap(), b"xy");
    files.free_up();
    files.write(log, 2, b"!").unwrap();
}

#[test]
fn rot_flips_one_bit_that_a_crash_does_not_bring_back() {
    let (mut files, _) = machine(&[0; 100]);
    assert!(files.rot("d/log", &mut choices(1)).unwrap());
    files.crash(Loss::All, &mut choices(1));
    let ones: u32 = read(&files, "d/log")
        .unwrap()
        .iter()
        .map(|byte| byte.count_ones())
        .sum();
    assert_eq!(ones, 1);
}

#[test]
fn a_torn_write_is_neither_whole_nor_always_nothing() {
    let mut lengths = Vec::new();
    for seed in 0..50 {
        let (mut files, log) = machine(b"");
        files.write(log, 0, &[7; 100]).unwrap();
        let report = files.crash(Loss::Tear, &mut choices(seed));
        assert_eq!(report.torn, 1);
        lengths.push(read(&files, "d/log").unwrap().len());
    }
    assert!(lengths.iter().all(|length| *length < 100));
    assert!(lengths.iter().any(|length| *length > 0));
}

#[test]
fn a_torn_write_of_many_sectors_can_lose_one_in_the_middle() {
    let holes = (0..50).filter(|seed| {
        let (mut files, log) = machine(b"");
        files.write(log, 100, &[7; 2000]).unwrap();
        files.crash(Loss::Tear, &mut choices(*seed));
        let read = read(&files, "d/log").unwrap();
        let first_gap = read.iter().skip(100).position(|byte| *byte == 0);
        first_gap.is_some_and(|gap| read[100 + gap..].contains(&7))
    });
    assert!(holes.count() > 0);
}

#[test]
fn a_subset_can_keep_a_later_write_and_lose_an_earlier_one() {
    let found = (0..100).any(|seed| {
        let (mut files, log) = machine(b"");
        files.write(log, 0, b"a").unwrap();
        files.write(log, 1, b"b").unwrap();
        files.crash(Loss::Subset, &mut choices(seed));
        read(&files, "d/log").unwrap() == b"\0b"
    });
    assert!(found);
}

proptest! {
    /// Whatever happens, each byte is one that was written there since the last sync, or the
    /// synced one, or the zero of a gap.
    #[test]
    fn every_byte_after_a_crash_was_written_or_is_a_gap(
        synced in prop::collection::vec(1u8.., 0..1200),
        writes in prop::collection::vec((0u64..1500, prop::collection::vec(1u8.., 1..700)), 0..6),
        mode in 0..4, seed in any::<u64>(),
    ) {
        let (mut files, log) = machine(&synced);
        for (offset, bytes) in &writes {
            files.write(log, *offset, bytes).unwrap();
        }
        let loss = [Loss::All, Loss::Prefix, Loss::Subset, Loss::Tear][mode as usize];
        let report = files.crash(loss, &mut choices(seed));
        prop_assert_eq!(report.kept + report.lost, writes.len() as u64);
        let read = read(&files, "d/log").unwrap();
        prop_assert!(read.len() >= synced.len());
        for (place, byte) in read.iter().enumerate() {
            let before = synced.get(place).copied().unwrap_or(0);
            let written = writes.iter().any(|(offset, bytes)| {
                let inside = (place as u64).checked_sub(*offset);
                inside.and_then(|inside| bytes.get(inside as usize)) == Some(byte)
            });
            prop_assert!(*byte == before || written, "byte {place}");
        }
        if loss == Loss::All { prop_assert_eq!(read, synced); }
    }
}

//! A disk that forgets: writes go to a cache, and only a completed sync makes
//! them durable. Knows no Raft, no plan, no network and no clock: it is told
//! when a sync is done and when the power fails, and holds no time of its own.
//!
//! What can happen here:
//! - a crash loses every write that no completed sync covers, or keeps a prefix of them, or a
//!   subset, or a prefix whose next record is torn;
//! - a sync fails: what it covered is dropped from the cache and never becomes durable, and the
//!   error is reported once; a later sync succeeds without it (as Linux does: Rebello et al., "Can
//!   Applications Recover from fsync Failures?", USENIX ATC 2020);
//! - the disk is full: a write is refused, and the sync after it fails;
//! - a durable record rots, and its checksum tells so when it is read at boot.
//!
//! What never happens: a write that a completed sync covers is lost (but for
//! rot), or a record is read back changed without its checksum telling so. A
//! sync in flight at a crash did not happen; what it would have covered fares
//! as any unsynced write.
//!
//! A journal is read up to its first missing or damaged record. So a record
//! that outlives an earlier lost one of the same journal is lost with it, and a
//! journal from which a failed sync dropped a record is readable only up to
//! there, however much is synced after.

use crate::rng::Choices;

/// The state that durable records add up to.
pub trait Image {
    /// One record of one journal.
    type Record;

    /// How many journals there are.
    const JOURNALS: usize;

    /// The journal, counted from 0, that a record belongs to.
    fn journal(record: &Self::Record) -> usize;

    /// Takes in one more durable record.
    fn apply(&mut self, record: Self::Record);
}

/// What a crash does to writes that no completed sync covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All are lost.
    All,
    /// The oldest few are kept.
    Prefix,
    /// Any may be kept, each journal for itself.
    Subset,
    /// The oldest few are kept, and the next is half written.
    Tear,
}

/// What a crash did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// Unsynced records that were on the platter after all.
    pub kept: u64,
    /// Unsynced records that are gone.
    pub lost: u64,
    /// Records half written, which their checksum gives away.
    pub torn: u64,
}

/// How far a sync reaches: all writes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SyncPoint(u64);

#[derive(Debug)]
enum Write<R> {
    Cached(R),
    /// Refused by a full disk: a hole in this journal.
    Refused(usize),
}

/// One node's disk.
#[derive(Debug)]
pub struct Disk<I: Image> {
    durable: I,
    pending: Vec<Write<I::Record>>,
    /// How many records were ever written or refused.
    written: u64,
    /// The journals that a record was dropped from, so that nothing after it can be read: one bit
    /// each.
    broken: u32,
    rotten: Vec<usize>,
    full: u32,
    /// How many of the pending writes were refused.
    refused: usize,
}

impl<I: Image + Default> Default for Disk<I> {
    fn default() -> Self {
        Self {
            durable: I::default(),
            pending: Vec::new(),
            written: 0,
            broken: 0,
            rotten: Vec::new(),
            full: 0,
            refused: 0,
        }
    }
}

impl<I: Image> Disk<I> {
    /// What would be read back if the power failed now and every unsynced write were lost.
    #[inline]
    pub fn durable(&self) -> &I {
        &self.durable
    }

    /// Whether some write is not durable yet.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// How many writes are not durable yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Puts a record into the cache. On a full disk it is refused, which the next sync reports.
    #[inline(always)]
    pub fn write(&mut self, record: I::Record) {
        self.written += 1;
        match self.full {
            0 => self.pending.push(Write::Cached(record)),
            _ => self.refuse(&record),
        }
    }

    #[cold]
    fn refuse(&mut self, record: &I::Record) {
        self.refused += 1;
        self.pending.push(Write::Refused(I::journal(record)));
    }

    /// Begins a sync of all that has been written so far.
    #[inline]
    pub fn begin_sync(&self) -> SyncPoint {
        SyncPoint(self.written)
    }

    /// Whether a sync that begins now must fail, because a write before it was refused.
    pub fn would_fail(&self) -> bool {
        self.refused > 0
    }

    /// The sync is done: all that was written before it began is durable.
    #[inline(always)]
    pub fn complete_sync(&mut self, point: SyncPoint) {
        let count = self.before(point);
        for write in self.pending.drain(..count) {
            match write {
                Write::Cached(record) if reads(self.broken, &record, I::journal) => {
                    self.durable.apply(record);
                }
                Write::Cached(_) => {}
                Write::Refused(journal) => {
                    self.refused -= 1;
                    self.broken |= 1 << journal;
                }
            }
        }
    }

    /// The sync failed: what it was to make durable is dropped for good.
    pub fn fail_sync(&mut self, point: SyncPoint) {
        let count = self.before(point);
        for write in self.pending.drain(..count) {
            self.refused -= usize::from(matches!(write, Write::Refused(_)));
            self.broken |= 1 << write.journal::<I>();
        }
    }

    /// How many of the pending writes came before `point`.
    fn before(&self, point: SyncPoint) -> usize {
        let oldest = self.written - self.pending.len() as u64;
        let count = point.0.saturating_sub(oldest) as usize;
        count.min(self.pending.len())
    }

    /// The disk has no room until as many calls of [`Disk::free_up`] have come.
    pub fn fill_up(&mut self) {
        self.full += 1;
    }

    /// Ends one [`Disk::fill_up`].
    pub fn free_up(&mut self) {
        self.full = self.full.saturating_sub(1);
    }

    /// A durable record of `journal` rots. Its checksum tells at the next boot.
    pub fn rot(&mut self, journal: usize) {
        if !self.rotten.contains(&journal) {
            self.rotten.push(journal);
        }
    }

    /// The journals with a rotten record.
    pub fn rotten(&self) -> &[usize] {
        &self.rotten
    }

    /// The power fails. What survives of the unsynced writes becomes durable; the rest is gone.
    pub fn crash(&mut self, loss: Loss, choices: &mut Choices) -> CrashReport {
        let mut report = CrashReport::default();
        let count = self.pending.len() as u64;
        let keep_first = match loss {
            Loss::All | Loss::Subset => 0,
            Loss::Prefix => choices.between(0, count),
            Loss::Tear => choices.below(count.max(1)),
        };
        if loss == Loss::Tear && count > 0 {
            report.torn = 1;
        }
        // Each journal of a subset is as likely to keep most of its records as to lose them.
        let odds: Vec<u64> = match loss {
            Loss::Subset => (0..I::JOURNALS).map(|_| choices.between(0, 4)).collect(),
            _ => Vec::new(),
        };
        for (position, write) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            let journal = write.journal::<I>();
            let survives = match loss {
                Loss::Subset => choices.below(4) < odds[journal],
                _ => (position as u64) < keep_first,
            };
            match write {
                Write::Cached(record) if survives && self.broken & 1 << journal == 0 => {
                    self.durable.apply(record);
                    report.kept += 1;
                }
                _ => {
                    self.broken |= 1 << journal;
                    report.lost += 1;
                }
            }
        }
        // The next incarnation cuts each journal where it stops being readable, and writes on from
        // there.
        self.broken = 0;
        self.refused = 0;
        report
    }
}

/// Whether a record can be read when the journals in `broken` cannot.
#[inline(always)]
fn reads<R>(broken: u32, record: &R, journal: impl Fn(&R) -> usize) -> bool {
    broken == 0 || broken & 1 << journal(record) == 0
}

impl<R> Write<R> {
    fn journal<I: Image<Record = R>>(&self) -> usize {
        match self {
            Write::Cached(record) => I::journal(record),
            Write::Refused(journal) => *journal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two journals of numbers.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Numbers([Vec<u32>; 2]);

    impl Image for Numbers {
        type Record = (usize, u32);
        const JOURNALS: usize = 2;
        fn journal(record: &Self::Record) -> usize {
            record.0
        }
        fn apply(&mut self, (journal, number): Self::Record) {
            self.0[journal].push(number);
        }
    }

    fn choices(seed: u64) -> Choices {
        Choices::labelled(seed, "disk test", 0)
    }

    fn disk_with(records: &[(usize, u32)]) -> Disk<Numbers> {
        let mut disk = Disk::default();
        records.iter().for_each(|record| disk.write(*record));
        disk
    }

    #[test]
    fn a_sync_covers_what_was_written_before_it_and_nothing_after() {
        let mut disk = disk_with(&[(0, 1)]);
        let point = disk.begin_sync();
        disk.write((0, 2));
        disk.complete_sync(point);
        assert_eq!(disk.durable().0[0], [1]);
        disk.crash(Loss::All, &mut choices(1));
        assert_eq!(disk.durable().0[0], [1]);
    }

    #[test]
    fn a_later_sync_makes_an_earlier_one_a_matter_of_course() {
        let mut disk = disk_with(&[(0, 1)]);
        let early = disk.begin_sync();
        disk.write((0, 2));
        let late = disk.begin_sync();
        disk.complete_sync(late);
        disk.write((0, 3));
        disk.complete_sync(early);
        assert_eq!(disk.durable().0[0], [1, 2]);
    }

    #[test]
    fn a_failed_sync_breaks_the_journal_for_good_though_later_syncs_succeed() {
        let mut disk = disk_with(&[(0, 1), (1, 7)]);
        disk.fail_sync(disk.begin_sync());
        disk.write((0, 2));
        disk.complete_sync(disk.begin_sync());
        assert_eq!(*disk.durable(), Numbers::default());
        disk.crash(Loss::Prefix, &mut choices(1));
        disk.write((0, 3));
        disk.complete_sync(disk.begin_sync());
        assert_eq!(disk.durable().0[0], [3]);
    }

    #[test]
    fn a_full_disk_refuses_writes_and_says_so_at_the_next_sync() {
        let mut disk = disk_with(&[]);
        disk.fill_up();
        disk.write((0, 1));
        assert!(disk.would_fail());
        disk.fail_sync(disk.begin_sync());
        disk.free_up();
        assert!(!disk.would_fail());
    }

    #[test]
    fn an_earlier_sync_that_fails_does_not_report_a_later_refusal() {
        let mut disk = disk_with(&[(0, 1)]);
        let early = disk.begin_sync();
        disk.fill_up();
        disk.write((0, 2));
        disk.fail_sync(early);
        assert!(disk.would_fail());
    }

    #[test]
    fn a_sync_begun_before_the_disk_was_full_still_holds() {
        let mut disk = disk_with(&[(0, 1)]);
        let early = disk.begin_sync();
        disk.fill_up();
        disk.write((0, 2));
        disk.complete_sync(early);
        assert_eq!(disk.durable().0[0], [1]);
    }

    #[test]
    fn a_torn_crash_always_tears_one_record() {
        for seed in 0..50 {
            let mut disk = disk_with(&[(0, 1), (0, 2), (0, 3)]);
            let report = disk.crash(Loss::Tear, &mut choices(seed));
            assert_eq!((report.torn, report.kept + report.lost), (1, 3));
            assert!(report.lost >= 1);
        }
    }

    #[test]
    fn a_subset_can_keep_one_journal_and_lose_the_other() {
        let outcomes: Vec<(usize, usize)> = (0..200)
            .map(|seed| {
                let mut disk = disk_with(&[(0, 1), (1, 2)]);
                disk.crash(Loss::Subset, &mut choices(seed));
                let Numbers([first, second]) = disk.durable();
                (first.len(), second.len())
            })
            .collect();
        for wanted in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(outcomes.contains(&wanted), "never {wanted:?}");
        }
    }

    proptest! {
        /// Whatever happens, a journal reads as a prefix of what was written to
        /// it since it was last cut, and what a completed sync covered is in it.
        #[test]
        fn a_journal_is_a_prefix_that_includes_all_that_was_synced(
            before in prop::collection::vec((0usize..2, any::<u32>()), 0..12),
            after in prop::collection::vec((0usize..2, any::<u32>()), 0..12),
            mode in 0..4, seed in any::<u64>(),
        ) {
            let mut disk = disk_with(&before);
            disk.complete_sync(disk.begin_sync());
            after.iter().for_each(|record| disk.write(*record));
            let loss = [Loss::All, Loss::Prefix, Loss::Subset, Loss::Tear][mode as usize];
            let report = disk.crash(loss, &mut choices(seed));
            prop_assert_eq!(report.kept + report.lost, after.len() as u64);
            for journal in 0..2 {
                let of = |records: &[(usize, u32)]| -> Vec<u32> {
                    records.iter().filter(|r| r.0 == journal).map(|r| r.1).collect()
                };
                let (synced, unsynced) = (of(&before), of(&after));
                let read = &disk.durable().0[journal];
                prop_assert!(read.starts_with(&synced));
                prop_assert!(unsynced.starts_with(&read[synced.len()..]));
                if loss == Loss::All { prop_assert_eq!(read.len(), synced.len()); }
            }
        }
    }
}

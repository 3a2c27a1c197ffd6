//! The target `disk`: operations and crashes on [`Disk`], against a model that forgets nothing.
//!
//! The disk keeps what it must and no more. The model keeps every write of an incarnation with its
//! fate, and reads a journal by going through them all: so it is slow, and there is little in it to
//! get wrong.

use super::{Finding, demand};
use squall_world::journal_disk::{CrashReport, Disk, Image, Loss, SyncPoint};
use squall_world::rng::Choices;

/// Most operations of an input.
const MOST_OPERATIONS: usize = 400;

const JOURNALS: usize = 3;

/// Journals of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers([Vec<u32>; JOURNALS]);

impl Image for Numbers {
    type Record = (usize, u32);
    const JOURNALS: usize = JOURNALS;
    fn journal(record: &Self::Record) -> usize {
        record.0
    }
    fn apply(&mut self, (journal, number): Self::Record) {
        self.0[journal].push(number);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No sync that covers it is over.
    Unsynced,
    /// The same, and the disk had no room for it.
    Refused,
    /// It is on the platter.
    Kept,
    /// It never will be.
    Missing,
}

#[derive(Clone, Debug)]
struct Written {
    journal: usize,
    number: u32,
    fate: Fate,
}

impl Written {
    fn is_pending(&self) -> bool {
        matches!(self.fate, Fate::Unsynced | Fate::Refused)
    }

    /// It is on the platter, if there was room for it.
    fn keep(&mut self) {
        self.fate = match self.fate {
            Fate::Unsynced | Fate::Kept => Fate::Kept,
            Fate::Refused | Fate::Missing => Fate::Missing,
        };
    }
}

/// All writes of an incarnation, and what was readable when it began.
#[derive(Clone, Debug, Default)]
struct Incarnation {
    before: Numbers,
    writes: Vec<Written>,
}

impl Incarnation {
    /// Each journal is read up to its first missing record.
    fn read(&self) -> Numbers {
        let mut read = self.before.clone();
        for (journal, records) in read.0.iter_mut().enumerate() {
            let own = self.writes.iter().filter(|write| write.journal == journal);
            let readable = own.take_while(|write| write.fate == Fate::Kept);
            records.extend(readable.map(|write| write.number));
        }
        read
    }

    /// What is read if, of the writes whose fate is open, those are kept that `survives` says,
    /// counted from 0.
    fn after_crash(&self, survives: impl Fn(usize, &Written) -> bool) -> Numbers {
        let mut after = self.clone();
        let pending = after.writes.iter_mut().filter(|write| write.is_pending());
        for (nth, write) in pending.enumerate() {
            match survives(nth, write) {
                true => write.keep(),
                false => write.fate = Fate::Missing,
            }
        }
        after.read()
    }

    fn pending(&self) -> usize {
        self.writes
            .iter()
            .filter(|write| write.is_pending())
            .count()
    }

    /// Whether a crash may leave this.
    fn allows(&self, loss: Loss, found: &Numbers) -> bool {
        let pending = self.pending();
        let oldest = |count: usize| self.after_crash(|nth, _| nth < count);
        match loss {
            Loss::All => *found == oldest(0),
            Loss::Prefix => (0..=pending).any(|count| *found == oldest(count)),
            Loss::Tear => (0..pending.max(1)).any(|count| *found == oldest(count)),
            // Each journal for itself: what is read of it ends at some number of its records.
            Loss::Subset => (0..JOURNALS).all(|journal| {
                let within = |count: usize| {
                    let limit = found.0[journal]
                        .get(..count)
                        .and_then(<[u32]>::last)
                        .copied();
                    self.after_crash(|_, write| Some(write.number) <= limit)
                };
                let all = found.0[journal].len();
                within(all).0[journal] == found.0[journal]
            }),
        }
    }
}

/// A sync under way.
struct Sync {
    point: SyncPoint,
    /// How many writes of the incarnation it covers.
    covers: usize,
    must_fail: bool,
}

/// Carries out the operations that `bytes` stand for.
///
/// # Errors
/// Where the disk is not as the model has it, with all operations up to there.
pub fn check(bytes: &[u8]) -> Result<(), Finding> {
    carry_out(bytes, &mut Vec::new())
}

/// The operations that `bytes` stand for, one a line, up to the first at which the disk is not as
/// it should be.
pub fn in_words(bytes: &[u8]) -> String {
    let mut done = Vec::new();
    let _ = carry_out(bytes, &mut done);
    done.join("\n")
}

fn carry_out(bytes: &[u8], done: &mut Vec<String>) -> Result<(), Finding> {
    let mut choices = Choices::finite(bytes);
    let mut disk: Disk<Numbers> = Disk::default();
    let mut incarnation = Incarnation::default();
    let mut syncs: Vec<Sync> = Vec::new();
    let (mut full, mut number) = (0_u32, 0);
    while choices.bytes_left() > 0 && done.len() < MOST_OPERATIONS {
        match choices.below(16) {
            0..=6 => {
                let journal = choices.below(JOURNALS as u64) as usize;
                number += 1;
                disk.write((journal, number));
                let fate = match full {
                    0 => Fate::Unsynced,
                    _ => Fate::Refused,
                };
                incarnation.writes.push(Written {
                    journal,
                    number,
                    fate,
                });
                done.push(format!("write {number} to journal {journal}"));
            }
            7..=9 => {
                let refused = |write: &Written| write.fate == Fate::Refused;
                let must_fail = incarnation.writes.iter().any(refused);
                done.push(format!("begin sync {}", syncs.len()));
                agree(disk.would_fail(), must_fail, "would_fail", done)?;
                syncs.push(Sync {
                    point: disk.begin_sync(),
                    covers: incarnation.writes.len(),
                    must_fail,
                });
            }
            10..=12 if !syncs.is_empty() => {
                let which = choices.below(syncs.len() as u64) as usize;
                let sync = syncs.remove(which);
                let fails = sync.must_fail || choices.below(4) == 0;
                let covered = incarnation.writes[..sync.covers].iter_mut();
                for write in covered.filter(|write| write.is_pending()) {
                    match fails {
                        true => write.fate = Fate::Missing,
                        false => write.keep(),
                    }
                }
                match fails {
                    true => disk.fail_sync(sync.point),
                    false => disk.complete_sync(sync.point),
                }
                done.push(format!(
                    "end sync {which} of those under way; it fails: {fails}"
                ));
            }
            13 => {
                full += 1;
                disk.fill_up();
                done.push("the disk is full".to_owned());
            }
            14 => {
                full = full.saturating_sub(1);
                disk.free_up();
                done.push("room is made".to_owned());
            }
            _ => {
                let loss = *choices.pick(&[Loss::All, Loss::Prefix, Loss::Subset, Loss::Tear]);
                done.push(format!("crash: {loss:?}"));
                let report = disk.crash(loss, &mut choices);
                crashed(&incarnation, loss, &report, disk.durable(), done)?;
                incarnation = Incarnation {
                    before: disk.durable().clone(),
                    writes: Vec::new(),
                };
                syncs.clear();
            }
        }
        agree(
            disk.durable().clone(),
            incarnation.read(),
            "what is durable",
            done,
        )?;
        agree(
            disk.has_pending(),
            incarnation.pending() > 0,
            "has_pending",
            done,
        )?;
    }
    Ok(())
}

fn crashed(
    incarnation: &Incarnation,
    loss: Loss,
    report: &CrashReport,
    found: &Numbers,
    done: &[String],
) -> Result<(), Finding> {
    let pending = incarnation.pending() as u64;
    let gained = |numbers: &Numbers| numbers.0.iter().map(Vec::len).sum::<usize>() as u64;
    let kept = gained(found) - gained(&incarnation.read());
    agree(report.kept, kept, "records kept by a crash", done)?;
    agree(
        report.kept + report.lost,
        pending,
        "records kept or lost",
        done,
    )?;
    let torn = u64::from(loss == Loss::Tear && pending > 0);
    agree(report.torn, torn, "records torn", done)?;
    demand(incarnation.allows(loss, found), || {
        let list = done.join("\n  ");
        format!("a crash left {found:?}, which it must not\n{incarnation:#?}\nafter\n  {list}")
    })
}

fn agree<T: PartialEq + std::fmt::Debug>(
    disk: T,
    model: T,
    what: &str,
    done: &[String],
) -> Result<(), Finding> {
    demand(disk == model, || {
        let list = done.join("\n  ");
        format!("{what}: the disk has {disk:?}, the model {model:?}\nafter\n  {list}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_as_the_model_has_it() {
        for seed in 0..4_000 {
            let mut choices = Choices::labelled(seed, "disk against a model", 0);
            let length = choices.between(1, 60);
            let bytes: Vec<u8> = (0..length).map(|_| choices.below(256) as u8).collect();
            if let Err(Finding(text)) = check(&bytes) {
                panic!("seed {seed}: {text}");
            }
        }
    }
}

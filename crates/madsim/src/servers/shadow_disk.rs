//! What a server must have kept on its disk, as far as it has told: a shadow of it, which forgets
//! as little and as much as the real one. After a power failure the server says what it has read;
//! the shadow finds which of the writes that were not synced have survived for that to be so, and
//! if none could, something is lost that must not be.

use squall_core::ids::Index;
use squall_core::storage::{ChainedRecord, Entry, HardState, Journal, Record, StableState};
use squall_world::journal_disk::{Disk, Image as _, Loss};
use squall_world::rng::Choices;

use super::Started;

/// One node's.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    /// Writes since what is durable, in order.
    unsynced: Vec<ChainedRecord>,
}

impl Shadow {
    /// A record is written.
    pub(super) fn write(&mut self, disk: &mut Disk<StableState>, marked: ChainedRecord) {
        self.unsynced.push(marked.clone());
        disk.write(marked);
    }

    /// All that is written is durable now.
    pub(super) fn synced_all(&mut self, disk: &mut Disk<StableState>) {
        disk.complete_sync(disk.begin_sync());
        self.unsynced.clear();
    }

    /// What was written before `point` is durable now.
    pub(super) fn synced(
        &mut self,
        disk: &mut Disk<StableState>,
        point: squall_world::journal_disk::SyncPoint,
    ) {
        let before = disk.pending();
        disk.complete_sync(point);
        self.unsynced.drain(..before - disk.pending());
    }

    /// The power fails: all that is not durable may be gone.
    pub(super) fn crash(&mut self, disk: &mut Disk<StableState>, choices: &mut Choices) {
        disk.crash(Loss::All, choices);
    }

    /// The server has read this: what of the writes that were not synced it must have found becomes
    /// durable.
    pub(super) fn recover(&mut self, disk: &mut Disk<StableState>, started: &Started) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let hard = HardState {
            term: started.term,
            vote: started.vote,
        };
        for journal in [Journal::HardState, Journal::Log] {
            let records: Vec<&ChainedRecord> = unsynced
                .iter()
                .filter(|marked| StableState::journal(marked) == journal as usize)
                .collect();
            let fits = |kept: &StableState| match journal {
                Journal::HardState => kept.hard == hard,
                _ => fits(kept, started),
            };
            // The longest prefix that explains it, with or without the half of the next write that
            // comes first.
            let survived = (0..=records.len()).rev().find_map(|count| {
                let mut kept = disk.durable().clone();
                let mut writes: Vec<ChainedRecord> = records[..count]
                    .iter()
                    .map(|marked| (*marked).clone())
                    .collect();
                writes.iter().for_each(|marked| kept.apply(marked.clone()));
                if fits(&kept) {
                    return Some(writes);
                }
                let cut = cut_before(&kept, records.get(count)?)?;
                kept.apply(cut.clone());
                writes.push(cut);
                fits(&kept).then_some(writes)
            });
            for marked in survived.into_iter().flatten() {
                disk.write(marked);
            }
            disk.complete_sync(disk.begin_sync());
        }
    }
}

/// What a server does first that writes an entry over others, where it keeps its log in a file: it
/// cuts the file. A power failure may come before it has written the entry.
fn cut_before(kept: &StableState, write: &ChainedRecord) -> Option<ChainedRecord> {
    let Record::Entry { index, .. } = write.record else {
        return None;
    };
    if index > kept.log.last() || index < kept.log.first() {
        return None;
    }
    let before = kept.log.get(index - 1).zip(kept.log.chain_at(index - 1));
    Some(match before {
        // To write an entry is to cut off what follows it.
        Some((entry, chain)) => ChainedRecord {
            record: Record::Entry {
                index: index - 1,
                entry: entry.clone(),
            },
            chain,
        },
        None => ChainedRecord {
            record: Record::LogReset { next: index },
            chain: kept.chain_before_log(),
        },
    })
}

/// Whether a disk with this log is read like that.
fn fits(kept: &StableState, started: &Started) -> bool {
    kept.log.last() == started.last() && differs(kept, started).is_none()
}

/// The first entry that was read and is another than the one on the disk.
pub(super) fn differs(kept: &StableState, started: &Started) -> Option<Index> {
    let read = (started.log_start + 1..).zip(&started.entries);
    let differs = |(index, entry): (Index, &Entry)| {
        let same = index < kept.log.first() || kept.log.get(index) == Some(entry);
        (!same).then_some(index)
    };
    read.map(differs).find_map(|differs| differs)
}

impl Started {
    /// The last index of the log.
    pub(super) fn last(&self) -> Index {
        self.log_start + self.entries.len() as u64
    }
}

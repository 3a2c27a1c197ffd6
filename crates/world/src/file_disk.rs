//! A file system that forgets: the files of one machine, down to their bytes. The counterpart of
//! [`disk`](crate::journal_disk), which forgets whole records, for code that writes files itself.
//! Knows no runtime and no clock: it is told when a sync is done and when the power fails.
//!
//! What can happen here:
//! - a crash loses every change that no completed sync covers, or keeps the oldest few, or any of
//!   them, or the oldest few with the next write torn. A change is a write, a new length, or a name
//!   that was made, moved or removed;
//! - a file's data survive and its name does not, because its directory was never synced; or the
//!   reverse, and the file is there and shorter than it was, or has zeros where a write was lost;
//! - a write of several sectors survives in some of them, and a write of one in its first bytes;
//! - a sync fails: what it covered is never durable, though it can be read until the machine
//!   restarts, and a later sync succeeds without it (Rebello et al., "Can Applications Recover from
//!   fsync Failures?", USENIX ATC 2020);
//! - the disk is full: what would make a file longer, or a new one, is refused at once;
//! - a bit of what is durable flips.
//!
//! What never happens: a change that a completed sync covers is lost, a byte outside of a lost or
//! torn write changes (but for rot), a rename is half done, or a name of one directory survives
//! while an earlier change of the same directory is lost.
//!
//! A sync of a file covers its data and its length, and not its name: POSIX promises no more.

use std::collections::BTreeMap;
use std::io;

use crate::journal_disk::{CrashReport, Loss};
use crate::rng::Choices;

/// Bytes that a disk writes at once.
const SECTOR: u64 = 512;

/// A file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inode(u64);

/// What a sync is to make durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The data and the length of this file.
    File(Inode),
    /// The names in this directory.
    Directory(String),
}

/// How far a sync reaches: all changes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach(u64);

#[derive(Debug)]
enum Change {
    Bytes {
        inode: Inode,
        offset: u64,
        bytes: Vec<u8>,
    },
    Length {
        inode: Inode,
        length: u64,
    },
    Made {
        path: String,
        inode: Inode,
    },
    Removed {
        path: String,
    },
    Renamed {
        from: String,
        to: String,
        inode: Inode,
    },
}

#[derive(Debug, Default)]
struct Content {
    /// What is read now.
    seen: Vec<u8>,
    /// What is read after a crash that loses all it can.
    durable: Vec<u8>,
}

/// The files of one machine.
#[derive(Debug, Default)]
pub struct Files {
    contents: BTreeMap<Inode, Content>,
    names: BTreeMap<String, Inode>,
    durable_names: BTreeMap<String, Inode>,
    /// Changes that are not durable, in the order in which they were made.
    pending: Vec<(u64, Change)>,
    changes: u64,
    full: u32,
    inodes: u64,
}

fn no_such(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file {path}"))
}

fn no_room(path: &str) -> io::Error {
    let text = format!("no room for {path}");
    io::Error::new(io::ErrorKind::StorageFull, text)
}

/// The directory that a path lies in: all before its last slash.
pub fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

impl Files {
    /// The file of that name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn open(&self, path: &str) -> io::Result<Inode> {
        self.names.get(path).copied().ok_or_else(|| no_such(path))
    }

    /// The file of that name, new and empty if there is none.
    ///
    /// # Errors
    /// `StorageFull` when it is new and the disk is full.
    pub fn open_or_create(&mut self, path: &str) -> io::Result<Inode> {
        if let Some(inode) = self.names.get(path) {
            return Ok(*inode);
        }
        if self.full > 0 {
            return Err(no_room(path));
        }
        self.inodes += 1;
        let inode = Inode(self.inodes);
        self.contents.insert(inode, Content::default());
        self.names.insert(path.to_owned(), inode);
        let path = path.to_owned();
        self.note(Change::Made { path, inode });
        Ok(inode)
    }

    /// Its length in bytes, as it is read now.
    pub fn length(&self, inode: Inode) -> u64 {
        self.seen(inode).len() as u64
    }

    /// Its bytes, as they are read now. Nothing of a file that is gone.
    pub fn seen(&self, inode: Inode) -> &[u8] {
        self.contents
            .get(&inode)
            .map_or(&[], |content| &content.seen)
    }

    /// Writes `bytes` at `offset`. A gap before them reads as zeros.
    ///
    /// # Errors
    /// `StorageFull` when the file would grow and the disk is full: nothing is written then.
    pub fn write(&mut self, inode: Inode, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let full = self.full > 0;
        let content = self.contents.entry(inode).or_default();
        if full && offset + bytes.len() as u64 > content.seen.len() as u64 {
            return Err(no_room("what is written"));
        }
        put(&mut content.seen, offset, bytes);
        let bytes = bytes.to_vec();
        self.note(Change::Bytes {
            inode,
            offset,
            bytes,
        });
        Ok(())
    }

    /// Cuts the file off at `length`, or fills it up with zeros.
    ///
    /// # Errors
    /// As [`Files::write`].
    pub fn set_length(&mut self, inode: Inode, length: u64) -> io::Result<()> {
        let full = self.full > 0;
        let content = self.contents.entry(inode).or_default();
        if full && length > content.seen.len() as u64 {
            return Err(no_room("a longer file"));
        }
        if length != content.seen.len() as u64 {
            content.seen.resize(length as usize, 0);
            self.note(Change::Length { inode, length });
        }
        Ok(())
    }

    /// Gives the file another name. A file that had that name is gone, at the same moment.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.open(from)?;
        if from == to {
            return Ok(());
        }
        self.names.remove(from);
        self.names.insert(to.to_owned(), inode);
        let (from, to) = (from.to_owned(), to.to_owned());
        self.note(Change::Renamed { from, to, inode });
        Ok(())
    }

    /// Removes the file's name. Who has it open can go on with it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove(&mut self, path: &str) -> io::Result<()> {
        self.names.remove(path).ok_or_else(|| no_such(path))?;
        let path = path.to_owned();
        self.note(Change::Removed { path });
        Ok(())
    }

    /// The paths of the files in a directory, in order.
    pub fn list(&self, directory: &str) -> Vec<String> {
        let inside = |path: &&String| directory_of(path) == directory;
        self.names.keys().filter(inside).cloned().collect()
    }

    /// Begins a sync: it reaches all changes so far.
    pub fn begin_sync(&self) -> Reach {
        Reach(self.changes)
    }

    /// The sync is done: the changes of `target` that it reaches are durable.
    pub fn complete_sync(&mut self, target: &Target, reach: Reach) {
        for change in self.take(target, reach) {
            self.make_durable(&change);
        }
    }

    /// The sync has failed: the changes of `target` that it reaches are never going to be durable.
    pub fn fail_sync(&mut self, target: &Target, reach: Reach) {
        drop(self.take(target, reach));
    }

    fn take(&mut self, target: &Target, reach: Reach) -> Vec<Change> {
        let (taken, left) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|(number, change)| *number < reach.0 && change.is_of(target));
        self.pending = left;
        let taken: Vec<(u64, Change)> = taken;
        taken.into_iter().map(|(_, change)| change).collect()
    }

    /// The disk has no room until as many calls of [`Files::free_up`] have come.
    pub fn fill_up(&mut self) {
        self.full += 1;
    }

    /// Ends one [`Files::fill_up`].
    pub fn free_up(&mut self) {
        self.full = self.full.saturating_sub(1);
    }

    /// A bit of what is durable of the file flips. Whether there was one to flip.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn rot(&mut self, path: &str, choices: &mut Choices) -> io::Result<bool> {
        let inode = self.open(path)?;
        let content = self.contents.entry(inode).or_default();
        if content.durable.is_empty() {
            return Ok(false);
        }
        let place = choices.below(content.durable.len() as u64) as usize;
        let bit = 1 << choices.below(8);
        content.durable[place] ^= bit;
        if let Some(seen) = content.seen.get_mut(place) {
            *seen ^= bit;
        }
        Ok(true)
    }

    /// Changes that would be lost if the power failed now.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The power fails, and the machine comes back to what is durable.
    pub fn crash(&mut self, loss: Loss, choices: &mut Choices) -> CrashReport {
        let pending = std::mem::take(&mut self.pending);
        let mut fates = Fates::draw(loss, &pending, choices);
        let mut report = CrashReport::default();
        for (place, (_, change)) in pending.into_iter().enumerate() {
            match fates.of(place, &change, choices) {
                Fate::Kept => {
                    self.make_durable(&change);
                    report.kept += 1;
                }
                Fate::Lost => report.lost += 1,
                Fate::Torn => {
                    self.tear(change, choices);
                    report.torn += 1;
                    report.lost += 1;
                }
            }
        }
        self.names.clone_from(&self.durable_names);
        let named: Vec<Inode> = self.names.values().copied().collect();
        self.contents.retain(|inode, _| named.contains(inode));
        for content in self.contents.values_mut() {
            content.seen.clone_from(&content.durable);
        }
        report
    }

    fn note(&mut self, change: Change) {
        self.pending.push((self.changes, change));
        self.changes += 1;
    }

    fn make_durable(&mut self, change: &Change) {
        match change {
            Change::Bytes {
                inode,
                offset,
                bytes,
            } => put(self.durable(*inode), *offset, bytes),
            Change::Length { inode, length } => self.durable(*inode).resize(*length as usize, 0),
            Change::Made { path, inode } => {
                self.durable_names.insert(path.clone(), *inode);
            }
            Change::Removed { path } => {
                self.durable_names.remove(path);
            }
            Change::Renamed { from, to, inode } => {
                if self.durable_names.get(from) == Some(inode) {
                    self.durable_names.remove(from);
                }
                self.durable_names.insert(to.clone(), *inode);
            }
        }
    }

    fn durable(&mut self, inode: Inode) -> &mut Vec<u8> {
        &mut self.contents.entry(inode).or_default().durable
    }

    /// Some of a write's sectors survive, or its first bytes.
    fn tear(&mut self, change: Change, choices: &mut Choices) {
        let Change::Bytes {
            inode,
            offset,
            bytes,
        } = change
        else {
            return;
        };
        let durable = self.durable(inode);
        let end = offset + bytes.len() as u64;
        let sectors: Vec<u64> = (offset / SECTOR..end.div_ceil(SECTOR)).collect();
        if let [_] = sectors[..] {
            let kept = choices.below(bytes.len() as u64) as usize;
            return put(durable, offset, &bytes[..kept]);
        }
        let lost = *choices.pick(&sectors);
        for sector in sectors {
            if sector != lost && choices.below(2) == 0 {
                let from = (sector * SECTOR).max(offset);
                let to = ((sector + 1) * SECTOR).min(end);
                put(
                    durable,
                    from,
                    &bytes[(from - offset) as usize..(to - offset) as usize],
                );
            }
        }
    }
}

/// What a crash does to one change.
enum Fate {
    Kept,
    Lost,
    Torn,
}

/// What a crash does to the pending changes.
enum Fates {
    /// So many of the oldest are kept.
    Oldest(usize),
    /// The same, and the next is torn.
    TornAt(usize),
    /// Any may be kept: of a file so many in four, of a directory those up to a place.
    Any {
        files: BTreeMap<Inode, u64>,
        directories: BTreeMap<String, usize>,
    },
}

impl Fates {
    fn draw(loss: Loss, pending: &[(u64, Change)], choices: &mut Choices) -> Self {
        let count = pending.len() as u64;
        match loss {
            Loss::All => Fates::Oldest(0),
            Loss::Prefix => Fates::Oldest(choices.between(0, count) as usize),
            Loss::Tear => {
                let is_write = |place: &usize| matches!(pending[*place].1, Change::Bytes { .. });
                let writes: Vec<usize> = (0..pending.len()).filter(is_write).collect();
                match writes.is_empty() {
                    true => Fates::Oldest(choices.below(count.max(1)) as usize),
                    false => Fates::TornAt(*choices.pick(&writes)),
                }
            }
            Loss::Subset => {
                let mut files = BTreeMap::new();
                let mut directories = BTreeMap::new();
                for (_, change) in pending {
                    match change.inode_of_data() {
                        Some(inode) => {
                            files.entry(inode).or_insert_with(|| choices.between(0, 4));
                        }
                        None => {
                            let up_to = choices.between(0, count) as usize;
                            let directory = change.directory().to_owned();
                            directories.entry(directory).or_insert(up_to);
                        }
                    }
                }
                Fates::Any { files, directories }
            }
        }
    }

    fn of(&mut self, place: usize, change: &Change, choices: &mut Choices) -> Fate {
        let kept = match self {
            Fates::Oldest(count) => place < *count,
            Fates::TornAt(torn) if place == *torn => return Fate::Torn,
            Fates::TornAt(torn) => place < *torn,
            Fates::Any { files, directories } => match change.inode_of_data() {
                Some(inode) => choices.below(4) < files.get(&inode).copied().unwrap_or(0),
                None => directories
                    .get(change.directory())
                    .is_some_and(|up_to| place < *up_to),
            },
        };
        match kept {
            true => Fate::Kept,
            false => Fate::Lost,
        }
    }
}

impl Change {
    fn inode_of_data(&self) -> Option<Inode> {
        match self {
            Change::Bytes { inode, .. } | Change::Length { inode, .. } => Some(*inode),
            _ => None,
        }
    }

    /// The directory whose sync makes the change of a name durable: of a move, the one it goes to.
    fn directory(&self) -> &str {
        match self {
            Change::Made { path, .. } | Change::Removed { path } => directory_of(path),
            Change::Renamed { to, .. } => directory_of(to),
            Change::Bytes { .. } | Change::Length { .. } => "",
        }
    }

    fn is_of(&self, target: &Target) -> bool {
        match (target, self.inode_of_data()) {
            (Target::File(wanted), Some(inode)) => *wanted == inode,
            (Target::Directory(wanted), None) => wanted == self.directory(),
            _ => false,
        }
    }
}

/// Puts `bytes` at `offset`, after zeros where there is nothing yet.
fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (from, to) = (offset as usize, offset as usize + bytes.len());
    if content.len() < to {
        content.resize(to, 0);
    }
    content[from..to].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests;

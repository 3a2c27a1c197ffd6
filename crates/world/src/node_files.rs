//! The files of one node, as code that runs on the node has them: handles with calls that come back
//! at once. Knows no Raft, no runtime and no clock.
//!
//! Beside what [`file_disk`] does at a crash, here the power may fail *between
//! two calls* of code that makes several in one step, or a call may fail ([`NodeFiles::arm`]): code
//! that waits for nothing would otherwise never be caught half way.
//!
//! A handle is of one life of the node. Once the power has failed its calls fail, and who runs the
//! node stops doing so ([`NodeFiles::power_failure`]): what runs until then, or while the node is
//! being dropped, changes nothing.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::file_disk::{self, Files, Inode, Reach, Target};
use crate::journal_disk::{CrashReport, Loss};
use crate::rng::Choices;

/// The files of a node over all its lives. Clones are the same files.
#[derive(Clone, Debug, Default)]
pub struct NodeFiles(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: Files,
    /// Lives so far.
    lives: u64,
    is_on: bool,
    /// Nothing fails any more but what has failed.
    is_calm: bool,
    is_used: bool,
    wipes: u64,
    armed: Option<(u64, Trouble)>,
    seen: Seen,
    /// Set when the power fails within a step of the present life.
    power_failure: Arc<AtomicBool>,
}

/// What is to go wrong, at a call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The power fails: what the call changed may survive in part, and this call and all after it
    /// fail.
    PowerFails,
    /// The call fails. A sync that fails never makes durable what it was to.
    CallFails,
}

/// What has gone wrong in the present life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The power has failed within a step.
    pub power_failed: bool,
    /// A call has failed, because it was to or because the disk was full.
    pub call_failed: bool,
}

fn no_power() -> io::Error {
    io::Error::other("the power has failed")
}

impl NodeFiles {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder panics")
    }

    /// A life of the node begins.
    pub fn power_on(&self) {
        let mut state = self.state();
        state.lives += 1;
        state.is_on = true;
        state.armed = None;
        state.seen = Seen::default();
        state.power_failure = Arc::default();
    }

    /// Whether the power has failed within a step of the present life, as a flag to look at.
    pub fn power_failure(&self) -> Arc<AtomicBool> {
        self.state().power_failure.clone()
    }

    /// The files for code of the present life.
    pub fn open(&self) -> OpenFiles {
        let life = self.state().lives;
        let files = self.clone();
        OpenFiles { files, life }
    }

    /// After so many more calls that change something, this happens in the next. The power, or the
    /// call, fails no more once the files are calm.
    pub fn arm(&self, calls: u64, trouble: Trouble) {
        let mut state = self.state();
        if !state.is_calm {
            state.armed = Some((calls, trouble));
        }
    }

    /// Nothing is to go wrong by itself from now on.
    pub fn calm(&self) {
        let mut state = self.state();
        state.is_calm = true;
        state.armed = None;
    }

    /// What has gone wrong in the present life.
    pub fn seen(&self) -> Seen {
        self.state().seen
    }

    /// Whether something was ever written.
    pub fn is_used(&self) -> bool {
        self.state().is_used
    }

    /// How often all files were lost.
    pub fn wipes(&self) -> u64 {
        self.state().wipes
    }

    /// The life ends, and with it goes what `loss` takes of what is not durable; where the power
    /// has failed within a step, `seed` says how much.
    pub fn crash(&self, loss: Loss, seed: u64) -> CrashReport {
        let mut state = self.state();
        state.is_on = false;
        state.armed = None;
        let mut choices = Choices::labelled(seed, "files", state.lives);
        let loss = match state.seen.power_failed {
            true => *choices.pick(&[Loss::All, Loss::Prefix, Loss::Subset, Loss::Tear]),
            false => loss,
        };
        state.files.crash(loss, &mut choices)
    }

    /// All files are gone, durable or not.
    pub fn wipe(&self) {
        let mut state = self.state();
        state.files = Files::default();
        state.wipes += 1;
    }

    /// The disk has no room until [`NodeFiles::free_up`].
    pub fn fill_up(&self) {
        self.state().files.fill_up();
    }

    /// Ends one [`NodeFiles::fill_up`].
    pub fn free_up(&self) {
        self.state().files.free_up();
    }
}

/// The files of a node in one of its lives. Clones are the same files. Every path is a name, with
/// slashes where files lie in directories; directories are there without being made.
#[derive(Clone, Debug)]
pub struct OpenFiles {
    files: NodeFiles,
    life: u64,
}

impl OpenFiles {
    fn on(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.files.state();
        match state.is_on && state.lives == self.life {
            true => Ok(state),
            false => Err(no_power()),
        }
    }

    /// Makes a change, unless what is armed comes first.
    fn change<T>(&self, act: impl FnOnce(&mut Files) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.on()?;
        state.is_used = true;
        let trouble = state.due();
        if trouble == Some(Trouble::CallFails) {
            return Err(io::Error::other("the disk has failed"));
        }
        let done = act(&mut state.files);
        if let Err(why) = &done {
            state.seen.call_failed |= why.kind() == io::ErrorKind::StorageFull;
        }
        match trouble {
            Some(_) => power_fails(state),
            None => done,
        }
    }

    fn sync(&self, target: &Target) -> io::Result<()> {
        let state = self.on()?;
        let reach = state.files.begin_sync();
        end_sync(state, target, reach)
    }

    /// The file of that name.
    ///
    /// # Errors
    /// `NotFound`; any error once the power has failed, as of all calls here.
    pub fn open(&self, path: &str) -> io::Result<File> {
        let inode = self.on()?.files.open(path)?;
        Ok(self.file(inode))
    }

    /// The file of that name, new and empty if there is none. Its name is durable once the
    /// directory is synced ([`OpenFiles::sync_directory`]).
    ///
    /// # Errors
    /// `StorageFull`; others when the disk fails.
    pub fn open_or_create(&self, path: &str) -> io::Result<File> {
        if let Ok(file) = self.open(path) {
            return Ok(file);
        }
        let inode = self.change(|files| files.open_or_create(path))?;
        Ok(self.file(inode))
    }

    fn file(&self, inode: Inode) -> File {
        let files = self.clone();
        File { files, inode }
    }

    /// Whether there is a file of that name.
    pub fn exists(&self, path: &str) -> bool {
        self.open(path).is_ok()
    }

    /// Gives a file another name. A file that had that name is gone, at the same moment.
    ///
    /// # Errors
    /// `NotFound`; others when the disk fails.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|files| files.rename(from, to))
    }

    /// Removes a file's name.
    ///
    /// # Errors
    /// `NotFound`; others when the disk fails.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        self.change(|files| files.remove(path))
    }

    /// The paths of the files in a directory, in order; `""` is the one that names without a slash
    /// lie in.
    ///
    /// # Errors
    /// Once the power has failed.
    pub fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        Ok(self.on()?.files.list(directory))
    }

    /// The names in this directory are durable when this returns.
    ///
    /// # Errors
    /// When the sync fails: what it was to make durable may never be.
    pub fn sync_directory(&self, directory: &str) -> io::Result<()> {
        self.sync(&Target::Directory(directory.to_owned()))
    }

    /// Begins a sync of the names in a directory, which takes time.
    ///
    /// # Errors
    /// Once the power has failed.
    pub fn begin_sync_of_directory(&self, directory: &str) -> io::Result<Syncing> {
        self.begin_sync(Target::Directory(directory.to_owned()))
    }

    fn begin_sync(&self, target: Target) -> io::Result<Syncing> {
        let reach = self.on()?.files.begin_sync();
        let files = self.clone();
        Ok(Syncing {
            files,
            target,
            reach,
        })
    }

    /// A file with these bytes under this name, durably and at once: written beside it, synced, and
    /// moved.
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let beside = format!("{path}.new");
        let file = self.open_or_create(&beside)?;
        file.set_len(0)?;
        file.write_at(0, bytes)?;
        file.sync()?;
        self.rename(&beside, path)?;
        self.sync_directory(file_disk::directory_of(path))
    }

    /// All bytes of the file of that name; none where there is none.
    ///
    /// # Errors
    /// Once the power has failed.
    pub fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let state = self.on()?;
        let inode = state.files.open(path).ok();
        Ok(inode.map(|inode| state.files.seen(inode).to_vec()))
    }
}

impl State {
    /// What is to go wrong in this call.
    fn due(&mut self) -> Option<Trouble> {
        match &mut self.armed {
            None => None,
            Some((0, trouble)) => {
                let trouble = *trouble;
                self.armed = None;
                self.seen.call_failed |= trouble == Trouble::CallFails;
                Some(trouble)
            }
            Some((calls, _)) => {
                *calls -= 1;
                None
            }
        }
    }
}

/// The sync is over, unless what is armed comes first.
fn end_sync(mut state: MutexGuard<'_, State>, target: &Target, reach: Reach) -> io::Result<()> {
    match state.due() {
        None => {
            state.files.complete_sync(target, reach);
            Ok(())
        }
        Some(Trouble::CallFails) => {
            state.files.fail_sync(target, reach);
            Err(io::Error::other("the sync has failed"))
        }
        Some(Trouble::PowerFails) => power_fails(state),
    }
}

/// The power fails in the middle of a step.
fn power_fails<T>(mut state: MutexGuard<'_, State>) -> io::Result<T> {
    state.is_on = false;
    state.seen.power_failed = true;
    state.power_failure.store(true, Ordering::Relaxed);
    Err(no_power())
}

/// A file that is open.
#[derive(Clone, Debug)]
pub struct File {
    files: OpenFiles,
    inode: Inode,
}

impl File {
    /// Its length in bytes.
    ///
    /// # Errors
    /// Once the power has failed, as of all calls here.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.files.on()?.files.length(self.inode))
    }

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// As [`File::len`].
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file ends before.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.files.on()?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let held = state.files.seen(self.inode).get(from..);
        let held = held.and_then(|held| held.get(..bytes.len()));
        let held = held.ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(held);
        Ok(())
    }

    /// All its bytes.
    ///
    /// # Errors
    /// As [`File::len`].
    pub fn read_all(&self) -> io::Result<Vec<u8>> {
        Ok(self.files.on()?.files.seen(self.inode).to_vec())
    }

    /// Writes `bytes` at `offset`. A gap before them reads as zeros.
    ///
    /// # Errors
    /// `StorageFull`, and nothing is written then; others when the disk fails.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let inode = self.inode;
        self.files.change(|files| files.write(inode, offset, bytes))
    }

    /// Writes `bytes` at its end, and returns where that was.
    ///
    /// # Errors
    /// As [`File::write_at`].
    pub fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let end = self.len()?;
        self.write_at(end, bytes)?;
        Ok(end)
    }

    /// Cuts it off, or fills it up with zeros.
    ///
    /// # Errors
    /// As [`File::write_at`].
    pub fn set_len(&self, length: u64) -> io::Result<()> {
        let inode = self.inode;
        self.files.change(|files| files.set_length(inode, length))
    }

    /// Its data and its length are durable when this returns; its name is not: that takes
    /// [`OpenFiles::sync_directory`].
    ///
    /// # Errors
    /// When the sync fails: what it was to make durable may never be.
    pub fn sync(&self) -> io::Result<()> {
        self.files.sync(&Target::File(self.inode))
    }

    /// Begins a sync, which takes time.
    ///
    /// # Errors
    /// As [`File::len`].
    pub fn begin_sync(&self) -> io::Result<Syncing> {
        self.files.begin_sync(Target::File(self.inode))
    }
}

/// A sync that is under way.
#[derive(Debug)]
pub struct Syncing {
    files: OpenFiles,
    target: Target,
    reach: Reach,
}

impl Syncing {
    /// It is over, well or not.
    ///
    /// # Errors
    /// When it has failed, or the power has meanwhile.
    pub fn end(self) -> io::Result<()> {
        let state = self.files.on()?;
        end_sync(state, &self.target, self.reach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> (NodeFiles, OpenFiles) {
        let files = NodeFiles::default();
        files.power_on();
        let open = files.open();
        (files, open)
    }

    #[test]
    fn what_is_synced_is_there_in_the_next_life_and_the_rest_is_not() {
        let (files, open) = running();
        let file = open.open_or_create("log").unwrap();
        open.sync_directory("").unwrap();
        file.append(b"one").unwrap();
        file.sync().unwrap();
        file.append(b"two").unwrap();
        files.crash(Loss::All, 1);
        assert!(file.append(b"of an earlier life").is_err());
        files.power_on();
        assert!(file.read_all().is_err(), "a handle is of one life");
        assert_eq!(files.open().read("log").unwrap().unwrap(), b"one");
    }

    #[test]
    fn the_power_fails_after_so_many_calls_and_then_all_fail() {
        let (files, open) = running();
        files.arm(3, Trouble::PowerFails);
        let failure = files.power_failure();
        let file = open.open_or_create("log").unwrap();
        let calls = (0..9).take_while(|_| file.append(b"x").is_ok()).count();
        assert_eq!(calls, 2);
        assert!(files.seen().power_failed && failure.load(Ordering::Relaxed));
        assert!(open.open("log").is_err());
        files.crash(Loss::All, 1);
        files.power_on();
        assert!(!files.seen().power_failed && files.open().open_or_create("log").is_ok());
    }

    #[test]
    fn a_sync_that_fails_makes_nothing_durable_and_a_calm_disk_has_none() {
        let (files, open) = running();
        let file = open.open_or_create("log").unwrap();
        open.sync_directory("").unwrap();
        file.append(b"one").unwrap();
        files.arm(0, Trouble::CallFails);
        assert!(file.sync().is_err());
        assert!(files.seen().call_failed);
        file.append(b"two").unwrap();
        file.sync().unwrap();
        files.crash(Loss::All, 1);
        files.power_on();
        let bytes = files.open().read("log").unwrap().unwrap();
        assert_eq!(bytes, b"\0\0\0two");
        files.calm();
        files.arm(0, Trouble::CallFails);
        files.open().open("log").unwrap().sync().unwrap();
    }
}

//! What is being run, on the disk: the seed that each job is in, so that a process which dies in
//! the middle of a run (aborted, out of memory or stack, killed) leaves behind where it was. The
//! folder of these notes is held by a lock for as long as its process lives; whoever comes after it
//! and gets the lock knows that the process is gone.
//!
//! And a subject that ends the whole process by `exit` is caught in the act: what a sweep says with
//! its exit status must come from the sweep.

use std::cell::Cell;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use tempfile::TempDir;

use squall_core::fsutil;
use squall_core::plan::Plan;

/// How the names of such folders begin.
const PREFIX: &str = ".squall-running-";

/// The file that says what the runs are of, and that is locked.
const ABOUT: &str = "about.json";

/// Bytes of a note before the plan, where there is one: a seed, and the end of the line.
const HEAD: usize = 21;

/// What stands in place of a seed between runs.
const IDLE: &str = "idle";

/// Notes of what runs in this process.
#[derive(Debug)]
pub struct Running {
    folder: TempDir,
    /// Locked until this is dropped, or the process ends in any way.
    _lock: File,
    /// One file for each job.
    notes: Vec<File>,
    /// What ends the process in the middle of a run is told by this name.
    title: String,
}

/// A run that a process was in when it died.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// Its seed in its sweep.
    pub seed: u64,
    /// Its plan, where its seed alone does not say it.
    pub plan: Option<Plan>,
}

/// What a dead process left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Died<T> {
    /// What its runs were of.
    pub about: T,
    /// Those that it was in, in order of seeds.
    pub runs: Vec<Left>,
}

impl Running {
    /// Begins notes in `folder` for runs on `jobs` threads. `about` says for those who find them
    /// what the runs are of, `title` for people.
    ///
    /// # Errors
    /// As the file system has them.
    pub fn begin(
        folder: &Path,
        jobs: usize,
        about: &impl Serialize,
        title: String,
    ) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(folder)?;
        let mut lock = File::create_new(folder.path().join(ABOUT))?;
        // Where there are no locks, nobody will take this process for dead.
        let _ = lock.lock();
        lock.write_all(&serde_json::to_vec(about)?)?;
        let note = |job: usize| File::create_new(folder.path().join(format!("job-{job}")));
        let notes = (0..jobs).map(note).collect::<io::Result<_>>()?;
        Ok(Self {
            folder,
            _lock: lock,
            notes,
            title,
        })
    }

    /// A folder for temporary files, on the same file system; it goes when the notes go.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// A run begins on this thread, which is that of `job`. With its plan, where its seed alone
    /// does not say it.
    pub fn begins(&self, job: usize, seed: u64, plan: Option<&Plan>) {
        let mut note = format!("{seed:0width$}\n", width = HEAD - 1).into_bytes();
        if let Some(plan) = plan {
            note.extend(plan.to_json().into_bytes());
        }
        self.note(job, &note);
        guard::arm(&format!("{}, seed {seed}", self.title));
    }

    /// The run of this thread is over.
    pub fn ends(&self, job: usize) {
        guard::disarm();
        self.note(job, format!("{IDLE:width$}\n", width = HEAD - 1).as_bytes());
    }

    /// Notes are for the worst case alone: where they cannot be written, the runs go on.
    fn note(&self, job: usize, note: &[u8]) {
        if let Some(file) = self.notes.get(job) {
            let _ = file.write_all_at(note, 0);
            if note.len() > HEAD {
                let _ = file.set_len(note.len() as u64);
            }
        }
    }

    /// Removes the notes of a process that ends in the middle of runs, and says so itself.
    pub fn remove(&self) {
        guard::disarm();
        let _ = fs::remove_dir_all(self.folder.path());
    }
}

/// What processes that are dead have left in `folder`. It is gone from there afterwards, and so
/// told once.
pub fn left_in<T: DeserializeOwned>(folder: &Path) -> Vec<Died<T>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_ours = |entry: &fs::DirEntry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_folder && entry.file_name().to_string_lossy().starts_with(PREFIX)
    };
    let mut folders: Vec<PathBuf> = entries.filter(is_ours).map(|entry| entry.path()).collect();
    folders.sort();
    folders.iter().filter_map(|notes| take(notes)).collect()
}

/// Reads the notes in a folder, if their process is dead and said what it did, and removes them.
fn take<T: DeserializeOwned>(folder: &Path) -> Option<Died<T>> {
    let lock = File::open(folder.join(ABOUT)).ok()?;
    match lock.try_lock() {
        Ok(()) => {}
        // It lives, or there are no locks to tell by.
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
    }
    let about = fsutil::read(&folder.join(ABOUT)).ok();
    let about = about.and_then(|about| serde_json::from_slice(&about).ok());
    let mut runs: Vec<Left> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("job-"))
        .filter_map(|entry| left(&fsutil::read(&entry.path()).ok()?))
        .collect();
    runs.sort_by_key(|run| run.seed);
    let _ = fs::remove_dir_all(folder);
    about.map(|about| Died { about, runs })
}

/// The run that a note tells of.
fn left(note: &[u8]) -> Option<Left> {
    let (head, plan) = note.split_at_checked(HEAD)?;
    let seed = std::str::from_utf8(head).ok()?.trim().parse().ok()?;
    let plan = std::str::from_utf8(plan).ok()?;
    let plan = Plan::parse(plan, Path::new("a note")).ok();
    Some(Left { seed, plan })
}

mod guard {
    use super::*;

    thread_local! {
        static GUARD: Guard = const { Guard { run: Cell::new(None) } };
    }

    /// Dropped when its thread ends: in the middle of a run only when the run ends the whole
    /// process.
    struct Guard {
        run: Cell<Option<String>>,
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            let Some(run) = self.run.take() else { return };
            let run = squall_core::text::one_line(&run);
            let _ = writeln!(
                io::stderr(),
                "squall: {run}: the subject ended the process (std::process::exit); nothing is known of this run"
            );
            // The status that it asked for would be taken for what the runs came to.
            std::process::abort();
        }
    }

    /// A run begins on this thread.
    pub fn arm(run: &str) {
        GUARD.with(|guard| guard.run.set(Some(run.to_owned())));
    }

    /// It is over.
    pub fn disarm() {
        let _ = GUARD.try_with(|guard| guard.run.set(None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::plan::{PlanSpace, Profile};

    #[test]
    fn what_a_dead_process_left_is_told_once_and_what_a_living_one_notes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let running = Running::begin(folder.path(), 3, &"about", "title".to_owned()).unwrap();
        let plan = PlanSpace::new("x", &Profile::load("smoke").unwrap()).draw(1);
        let other = PlanSpace::new("x", &Profile::load("storm").unwrap()).draw(2);
        running.begins(0, 17, Some(&other));
        running.begins(0, 18, Some(&plan));
        running.begins(2, 5, None);
        running.begins(1, 6, None);
        running.ends(1);
        assert_eq!(left_in::<String>(folder.path()), []);
        // As if it had died: the lock is gone, the notes are not.
        let copy = folder.path().join(format!("{PREFIX}copy"));
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(running.scratch()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
        let died = left_in::<String>(folder.path());
        let run = |seed, plan| Left { seed, plan };
        assert_eq!(
            died,
            [Died {
                about: "about".to_owned(),
                runs: vec![run(5, None), run(18, Some(plan))],
            }]
        );
        assert_eq!(left_in::<String>(folder.path()), []);
        running.ends(0);
        drop(running);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

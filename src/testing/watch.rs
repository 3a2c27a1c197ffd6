//! The observer of a test's sweep: it notes which seed each job is in beside the test's program, so
//! that the next run of the test can say in which of them the process died, and tells of runs that
//! hang. A thread cannot be ended from outside, so a test that hangs goes on until somebody ends
//! it.

use std::path::PathBuf;
use std::time::Duration;

use super::place::Place;
use super::settings::{Settings, tell};
use squall_core::plan::Plan;
use squall_explore::running::{Running, left_in};
use squall_explore::sweep::{Lookout, Summary};
use squall_explore::watchdog::{Hang, USUAL_PATIENCE};

/// Looks on for a test.
pub(super) struct Watcher<'a> {
    place: &'a Place,
    settings: &'a Settings,
    subject: &'a str,
    running: Option<Running>,
    /// Where the notes lie.
    folder: PathBuf,
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.running = None;
        // Those above hold the notes of other tests, or are empty too.
        for folder in self.folder.ancestors().take(3) {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

impl<'a> Watcher<'a> {
    /// One for a test on `jobs` threads. Says in which seeds the test's process died the last time,
    /// if it did.
    pub(super) fn begin(
        place: &'a Place,
        settings: &'a Settings,
        subject: &'a str,
        jobs: usize,
    ) -> Self {
        let folder = place.notes();
        let mut watcher = Self {
            place,
            settings,
            subject,
            running: None,
            folder,
        };
        watcher.tell_of_the_dead();
        // Where it cannot be written to, the test goes on without notes.
        let title = place.test().to_owned();
        let begun = std::fs::create_dir_all(&watcher.folder)
            .and_then(|()| Running::begin(&watcher.folder, jobs, &title, title.clone()));
        watcher.running = begun.ok();
        watcher
    }

    fn tell_of_the_dead(&self) {
        let died = left_in::<String>(&self.folder);
        for run in died.iter().flat_map(|died| &died.runs) {
            tell(&format!(
                "{}: its process died the last time, perhaps by the run of seed {}: {}",
                self.place.test(),
                run.seed,
                self.repeat(run.seed)
            ));
        }
    }

    fn repeat(&self, seed: u64) -> String {
        self.place.command(&self.settings.repeated(Some(seed)))
    }
}

/// How long a run may stand still.
pub(super) fn patience(settings: &Settings) -> Option<Duration> {
    settings.hang_after.unwrap_or(Some(USUAL_PATIENCE))
}

/// Says that a plan hangs that a failure was to be shrunk to.
pub(super) fn tell_of_shrinking(place: &Place, hang: &Hang) {
    let Hang { step, at, .. } = hang;
    tell(&format!(
        "HANG {}: a smaller plan of a failure has stood still for {} s in step {step}, {at}; SQUALL_HANG_AFTER and shrink_for say how long that is waited for",
        place.test(),
        hang.since.as_secs()
    ));
}

impl Lookout for Watcher<'_> {
    fn patience(&self) -> Option<Duration> {
        patience(self.settings)
    }

    fn begins(&self, job: usize, seed: u64, _: &Plan) {
        if let Some(running) = &self.running {
            running.begins(job, seed, None);
        }
    }

    fn ends(&self, job: usize) {
        if let Some(running) = &self.running {
            running.ends(job);
        }
    }

    fn hangs(&self, hang: &Hang, _: &Summary) {
        let Hang { seed, step, at, .. } = hang;
        tell(&format!(
            "HANG {} of {}: seed {seed} has stood still for {} s in step {step}, {at}\n  reproduce  {}",
            self.place.test(),
            self.subject,
            hang.since.as_secs(),
            self.repeat(*seed)
        ));
    }
}

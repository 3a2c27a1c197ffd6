//! A watchdog: a thread that looks on while others run plans. It ends runs early when all is
//! to end, and tells of those that no longer go on. It goes by wall time, and so no result may
//! depend on it: a run that it has ended counts for nothing.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, scope};
use std::time::Duration;

use squall_core::engine::{Pulse, Whereabouts};
use squall_core::plan::Plan;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(50);

/// A run that is told to end, and still goes on after so long, does not end.
const GRACE: Duration = Duration::from_secs(3);

/// How long a run may stand still where nobody says: more than a thousand times what the longest
/// step takes.
pub const USUAL_PATIENCE: Duration = Duration::from_secs(60);

/// A run that does not go on.
#[derive(Clone, Debug)]
pub struct Hang {
    /// The thread that it is on, counted from 0.
    pub job: usize,
    /// Its seed.
    pub seed: u64,
    /// The run that is going on.
    pub plan: Arc<Plan>,
    /// The step that it is in, counted from 1 over the whole cluster; 0 is before the first.
    pub step: u64,
    /// Where it is in that step.
    pub at: Whereabouts,
    /// For how long it has been there.
    pub since: Duration,
    /// It was told to end, and did not.
    pub told_to_end: bool,
}

/// How long runs may stand still, and who hears of those that do.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    /// In wall time; none: for ever.
    pub time: Option<Duration>,
    /// Hears once of each run that hangs, on a thread of its own.
    pub tell: &'a (dyn Fn(&Hang) + Sync),
}

/// Looks on while runs go on, one on each thread.
#[derive(Debug)]
pub struct Watchdog {
    slots: Vec<Mutex<Option<Current>>>,
    patience: Option<Duration>,
}

/// A run that goes on.
#[derive(Debug)]
struct Current {
    seed: u64,
    plan: Arc<Plan>,
    pulse: Arc<Pulse>,
    /// Its beat as it was last seen,
    beat: u64,
    /// for so long now,
    still: Duration,
    /// and whether that has been told.
    told: bool,
}

/// A run that is looked after, until this is dropped.
#[derive(Debug)]
pub struct Watched<'a> {
    slot: &'a Mutex<Option<Current>>,
    /// To be watched with.
    pub pulse: Arc<Pulse>,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        *lock(self.slot) = None;
    }
}

impl Watchdog {
    /// One for runs on `jobs` threads. A run that stands still for longer than `patience` hangs;
    /// without, none does.
    pub fn new(jobs: usize, patience: Option<Duration>) -> Self {
        Self {
            slots: (0..jobs.max(1)).map(|_| Mutex::default()).collect(),
            patience,
        }
    }

    /// A run of `plan`, which came of `seed`, begins on the thread `job`.
    pub fn watch(&self, job: usize, seed: u64, plan: Arc<Plan>) -> Watched<'_> {
        let slot = &self.slots[job % self.slots.len()];
        let pulse = Arc::new(Pulse::default());
        *lock(slot) = Some(Current {
            seed,
            plan,
            pulse: pulse.clone(),
            beat: 0,
            still: Duration::ZERO,
            told: false,
        });
        Watched { slot, pulse }
    }

    /// Carries out `work` and looks on from another thread meanwhile: once `is_over` says so, every
    /// run is ended, and of each run that hangs `tell` hears once.
    ///
    /// # Errors
    /// When the operating system starts no thread; `work` is not begun then.
    pub fn beside<T>(
        &self,
        is_over: impl Fn() -> bool + Sync,
        tell: impl Fn(Hang) + Sync,
        work: impl FnOnce() -> T,
    ) -> io::Result<T> {
        let (is_done, done) = (Mutex::new(false), Condvar::new());
        let look_on = || {
            let mut over_for = None;
            loop {
                let waited = done.wait_timeout_while(lock(&is_done), EVERY, |is_done| !*is_done);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    return;
                }
                if is_over() {
                    over_for = Some(over_for.map_or(Duration::ZERO, |time| time + EVERY));
                }
                for (job, slot) in self.slots.iter().enumerate() {
                    // Told without the lock: whoever hears of it may take its time.
                    if let Some(hang) = self.look(job, slot, over_for) {
                        tell(hang);
                    }
                }
            }
        };
        scope(|scope| {
            Builder::new().spawn_scoped(scope, look_on)?;
            let result = catch_unwind(AssertUnwindSafe(work));
            *lock(&is_done) = true;
            done.notify_all();
            Ok(result.unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }

    /// Looks at one run. Time counts by looks: as long as this whole process stands still, nobody
    /// hangs.
    fn look(
        &self,
        job: usize,
        slot: &Mutex<Option<Current>>,
        over_for: Option<Duration>,
    ) -> Option<Hang> {
        let mut slot = lock(slot);
        let current = slot.as_mut()?;
        let beat = current.pulse.beat();
        match beat == current.beat {
            true => current.still += EVERY,
            false => (current.beat, current.still, current.told) = (beat, Duration::ZERO, false),
        }
        if over_for.is_some() {
            current.pulse.stop();
        }
        let told_to_end = over_for.is_some_and(|time| time >= GRACE) && current.still >= GRACE;
        let hangs = told_to_end
            || self
                .patience
                .is_some_and(|patience| current.still >= patience);
        if !hangs || current.told {
            return None;
        }
        current.told = true;
        let (step, at) = current.pulse.at();
        Some(Hang {
            job,
            seed: current.seed,
            plan: current.plan.clone(),
            step,
            at,
            since: current.still,
            told_to_end,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::plan::{PlanSpace, Profile};
    use std::sync::atomic::{AtomicBool, Ordering};

    fn plan() -> Arc<Plan> {
        let smoke = Profile::load("smoke").unwrap();
        Arc::new(PlanSpace::new("x", &smoke).draw(1))
    }

    /// Waits in wall time until `is_so`.
    fn until(is_so: impl Fn() -> bool) {
        while !is_so() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_run_that_stands_still_is_told_once_and_one_that_goes_on_is_not() {
        let watchdog = Watchdog::new(2, Some(Duration::from_millis(200)));
        let told = Mutex::new(Vec::new());
        let tell = |hang: Hang| lock(&told).push((hang.job, hang.seed, hang.told_to_end));
        let work = || {
            let _still = watchdog.watch(0, 17, plan());
            // The other thread's runs are ever new ones.
            until(|| {
                let _new = watchdog.watch(1, 18, plan());
                !lock(&told).is_empty()
            });
            "done"
        };
        let done = watchdog.beside(|| false, tell, work);
        assert_eq!(done.unwrap(), "done");
        assert_eq!(*lock(&told), [(0, 17, false)]);
    }

    #[test]
    fn once_all_is_over_runs_are_told_to_end_and_who_does_not_is_told() {
        let watchdog = Watchdog::new(1, None);
        let (over, told) = (AtomicBool::new(false), AtomicBool::new(false));
        let tell = |hang: Hang| told.store(hang.told_to_end && hang.seed == 5, Ordering::Relaxed);
        let work = || {
            let run = watchdog.watch(0, 5, plan());
            over.store(true, Ordering::Relaxed);
            until(|| run.pulse.is_told_to_stop());
            until(|| told.load(Ordering::Relaxed));
        };
        let is_over = || over.load(Ordering::Relaxed);
        watchdog.beside(is_over, tell, work).unwrap();
    }
}

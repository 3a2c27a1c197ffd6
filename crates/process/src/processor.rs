//! Which processor a run and its process are on: the same. Of the two, one always waits for the
//! other, and waking a processor that has gone to sleep takes longer than a step.
//!
//! This is for processes of one thread; others run where the system puts them.
//!
//! Left to itself, the system spreads the two over two processors. So for the length of a run both
//! are bound to one, each thread to one of its own as far as there are so many; once a second the
//! system is asked again where the thread would run. No result depends on any of this.

/// Binds this thread, and the process with that id, to one processor until this is dropped: the
/// thread is free again then.
#[must_use]
#[derive(Debug)]
pub(crate) struct Bound {
    #[cfg(target_os = "linux")]
    before: Option<rustix::thread::CpuSet>,
}

#[cfg(not(target_os = "linux"))]
impl Bound {
    pub(crate) fn with(_process: u32) -> Self {
        Self {}
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::RefCell;
    use std::sync::{Mutex, PoisonError};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use rustix::process::Pid;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

    use super::Bound;

    /// How long a thread stays on the processor that the system had put it on.
    const STAYS: Duration = Duration::from_secs(1);

    /// How long a thread sleeps for the system to put it where there is room.
    const NAP: Duration = Duration::from_micros(200);

    /// The processors that threads of this process have taken.
    static TAKEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

    thread_local! {
        static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
    }

    /// A thread's processor.
    struct Place {
        processor: usize,
        since: Instant,
    }

    impl Place {
        /// A processor of `allowed` that is free now, and that no other thread of this process has
        /// taken, where there is one.
        #[allow(clippy::disallowed_methods)] // Outside of every simulation: see above.
        fn find(allowed: &CpuSet) -> Self {
            sleep(NAP);
            let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
            let here = sched_getcpu();
            let all = 0..CpuSet::MAX_CPU;
            let mut others = all.filter(|at| allowed.is_set(*at) && !taken.contains(at));
            let processor = match taken.contains(&here) {
                false => here,
                true => others.next().unwrap_or(here),
            };
            taken.push(processor);
            Self {
                processor,
                since: Instant::now(),
            }
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
            let found = taken.iter().position(|at| *at == self.processor);
            found.map(|at| taken.swap_remove(at));
        }
    }

    impl Bound {
        pub(crate) fn with(process: u32) -> Self {
            Self {
                before: bind(process),
            }
        }
    }

    /// The threads of a process.
    fn threads(process: u32) -> Vec<Pid> {
        let Ok(all) = std::fs::read_dir(format!("/proc/{process}/task")) else {
            return Vec::new();
        };
        let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
        let all = all.filter_map(|entry| Pid::from_raw(number(entry.ok()?.file_name())?));
        all.collect()
    }

    /// Where it is not allowed, both run where the system puts them. So does a process of several
    /// threads, as Go's are: those that it has started while it was bound are set free again.
    fn bind(process: u32) -> Option<CpuSet> {
        let allowed = sched_getaffinity(None).ok()?;
        let threads = threads(process);
        let [process] = threads[..] else {
            for thread in threads {
                let _ = sched_setaffinity(Some(thread), &allowed);
            }
            return None;
        };
        let processor = PLACE.with_borrow_mut(|place| {
            if place
                .as_ref()
                .is_some_and(|place| place.since.elapsed() > STAYS)
            {
                *place = None;
            }
            place.get_or_insert_with(|| Place::find(&allowed)).processor
        });
        let mut only = CpuSet::new();
        only.set(processor);
        sched_setaffinity(Some(process), &only).ok()?;
        sched_setaffinity(None, &only).ok()?;
        Some(allowed)
    }

    impl Drop for Bound {
        fn drop(&mut self) {
            if let Some(before) = &self.before {
                let _ = sched_setaffinity(None, before);
            }
        }
    }
}

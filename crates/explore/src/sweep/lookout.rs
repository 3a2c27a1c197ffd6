//! Who looks on while a sweep goes on.

use std::time::Duration;

use super::Summary;
use crate::watchdog::Hang;
use squall_core::plan::Plan;

/// Looks on while a sweep goes on: hears of each run on the thread that it is on. No result depends
/// on it.
pub trait Lookout: Sync {
    /// How long a run may stand still, in wall time, before it hangs; none: for ever.
    fn patience(&self) -> Option<Duration>;

    /// A run of `plan` begins on this thread, which is the sweep's thread `job`, counted from 0.
    fn begins(&self, job: usize, seed: u64, plan: &Plan);

    /// The thread's run is over.
    fn ends(&self, job: usize);

    /// A run hangs: it stands still, or was told to end and does not. Called once for each, on a
    /// thread of its own; the sweep waits on, unless this ends the process. `so_far` is what
    /// all portions before this one came to.
    fn hangs(&self, hang: &Hang, so_far: &Summary);
}

/// Says that a run is over when it is dropped, however the run ends.
pub(super) struct Ends<'a> {
    pub(super) lookout: &'a dyn Lookout,
    pub(super) job: usize,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.lookout.ends(self.job);
    }
}

/// The operating system starts no more threads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot start {jobs} threads: {why}; ask for fewer jobs")]
pub struct NoThreads {
    pub(super) jobs: usize,
    pub(super) why: String,
}

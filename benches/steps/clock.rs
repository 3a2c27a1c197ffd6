//! CPU time, which other programs on the machine disturb less than wall time.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process so far, in nanoseconds.
pub fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A clock that stands still, for runs that nobody times. Under valgrind the real
/// one cannot be read: rustix looks for the kernel's own code, which is hidden there.
pub fn none() -> u64 {
    0
}

/// The middle one of `values`.
///
/// # Panics
/// When there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

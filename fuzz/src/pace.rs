//! How long the plans are that a fuzzer runs: executions a second say little without that.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that asks for it.
pub const PACE: &str = "SQUALL_FUZZ_PACE";

/// Runs between two lines.
const EVERY: u64 = 10_000;

static ASKED: LazyLock<bool> = LazyLock::new(|| std::env::var_os(PACE).is_some());
static RUNS: AtomicU64 = AtomicU64::new(0);
static STEPS: AtomicU64 = AtomicU64::new(0);

/// Takes in a run of so many steps, and says now and then how many there are in a run.
pub fn ran(steps: u64) {
    if !*ASKED {
        return;
    }
    let all = STEPS.fetch_add(steps, Ordering::Relaxed) + steps;
    let runs = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
    if runs.is_multiple_of(EVERY) {
        eprintln!("{runs} runs of {} steps on average", all / runs);
    }
}

//! Raft-state coverage beside code coverage: libFuzzer takes the bytes of one section for counters
//! of the target's
//! own, clears them before each run, and keeps inputs that set a new one.
//!
//! The one thing here that the compiler cannot vouch for is that the section of this name is for
//! such bytes and
//! nothing else. They are atomic, for libFuzzer writes to them too.

#![allow(unsafe_code)]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The environment variable that switches this off, to compare with and without.
pub const STATES: &str = "SQUALL_FUZZ_STATES";

/// How many counters there are. States of a cluster share them, as edges of code share theirs in
/// other fuzzers.
pub const COUNTERS: usize = 1 << 16;

#[cfg_attr(
    target_os = "linux",
    unsafe(link_section = "__libfuzzer_extra_counters")
)]
static SEEN: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];

/// Whether they count; they do unless switched off.
static COUNT: LazyLock<bool> = LazyLock::new(|| match std::env::var(STATES).as_deref() {
    Err(_) | Ok("on") => true,
    Ok("off") => false,
    Ok(other) => crate::refuse(&format!("{STATES} is {other}; legal: on, off, or not set")),
});

/// Counts these states of a cluster, each once.
pub fn count(states: &[u64]) {
    if !*COUNT {
        return;
    }
    for state in states {
        SEEN[*state as usize % COUNTERS].store(1, Ordering::Relaxed);
    }
}

//! Raft-state coverage beside code coverage: libFuzzer takes the bytes of one section for counters of the target's
//! own, clears them before each run, and keeps inputs that set a new one.
//!
//! The one thing here that the compiler cannot vouch for is that the section of this name is for such bytes and
//! nothing else. They are atomic, for libFuzzer writes to them too.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU8, Ordering};

/// How many counters there are. States of a cluster share them, as edges of code share theirs in other fuzzers.
pub const COUNTERS: usize = 1 << 15;

#[cfg_attr(
    target_os = "linux",
    unsafe(link_section = "__libfuzzer_extra_counters")
)]
static SEEN: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];

/// Counts these states of a cluster, each once.
pub fn count(states: &[u64]) {
    for state in states {
        SEEN[*state as usize % COUNTERS].store(1, Ordering::Relaxed);
    }
}

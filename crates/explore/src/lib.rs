//! Many plans: which to run ([`strategy`]), how to run them all ([`sweep`]), what is left of one
//! that fails ([`shrink`]), how a failure came about ([`explain`]), and how it is told
//! ([`report`]).
//!
//! Knows no Raft library, and no terminal.

pub mod explain;
pub mod export;
#[doc(hidden)] // Of use to the other crates of Squall alone.
pub mod fuzz_input;
pub mod report;
pub mod run_document;
#[doc(hidden)] // Of use to the other crates of Squall alone.
pub mod running;
pub mod scenario;
#[doc(hidden)] // Of use to the other crates of Squall alone.
pub mod seed_range;
pub mod shard;
pub mod shrink;
pub mod strategy;
pub mod sweep;
pub mod watchdog;

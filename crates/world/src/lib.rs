//! The simulated world: where chance comes from, what happens when, and what clocks, a network and
//! disks do.
//!
//! Knows neither Raft nor plans, and its parts do not know one another.

pub mod clock;
pub mod file_disk;
pub mod hash;
pub mod journal_disk;
pub mod network;
pub mod node_files;
pub mod queue;
pub mod rng;
pub mod streams;

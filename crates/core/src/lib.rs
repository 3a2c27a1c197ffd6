//! The core of Squall: the seam to a Raft implementation ([`replica`]), whole runs as data
//! ([`plan`]), what carries a plan out ([`engine`]), and what must hold after every step
//! ([`invariants`]).
//!
//! Knows no Raft library: adapters are crates of their own.

pub mod adapter;
pub mod bugs;
pub mod configuration;
pub mod counters;
pub mod coverage;
pub mod engine;
pub mod faults;
#[doc(hidden)] // Of use to the other crates of Squall alone.
pub mod fsutil;
pub mod history;
pub mod ids;
pub mod invariants;
#[doc(hidden)] // Of use to the other crates of Squall alone.
pub mod log_vec;
pub mod message_fuzzing;
pub mod operator;
pub mod options;
pub mod own;
pub mod plan;
pub mod registry;
pub mod replica;
#[doc(hidden)] // Of use to the other crates of Squall alone.
pub mod reproduction;
pub mod service;
pub mod storage;
#[doc(hidden)] // Of use to the other crates of Squall alone.
pub mod suggest;
#[doc(hidden)] // Of use to the other crates of Squall alone.
pub mod text;

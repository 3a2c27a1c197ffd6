//! Squall: a deterministic simulation and fault-injection harness for Raft.

#[cfg(all(feature = "madsim", not(madsim)))]
compile_error!(
    "the feature `madsim` needs the flag `--cfg madsim` for the whole build. Inside this project's folder `cargo madsim` in \
     place of `cargo` sets it (.cargo/config.toml); elsewhere put `[build] rustflags = [\"--cfg\", \"madsim\"]` into the \
     .cargo/config.toml of the workspace. A RUSTFLAGS in the environment replaces these flags: add `--cfg madsim` to it."
);

pub mod prelude;
mod shipped;
pub mod testing;

#[cfg(feature = "cli")]
pub use squall_cli as cli;
pub use squall_linearizability as linearizability;
#[cfg(all(feature = "madsim", madsim))]
pub use squall_madsim as madsim;
#[cfg(feature = "noraft")]
pub use squall_noraft as noraft;
#[cfg(feature = "proptest")]
pub use squall_proptest as proptest;
#[cfg(feature = "raft-rs")]
pub use squall_raft_rs as raft_rs;

pub use squall_core::{
    adapter, configuration, counters, engine, faults, ids, invariants, operator, options, plan,
    registry, replica, service, storage,
};
pub use squall_world as world;

pub use shipped::{subject, subjects};
pub use squall_macros::test;
pub use testing::{Sim, check};

/// The Rust blocks of the README compile.
#[cfg(all(doctest, feature = "proptest", feature = "raft-rs"))]
#[doc = include_str!("../README.md")]
struct Readme;

//! Squall: a deterministic simulation and fault-injection harness for Raft.

#[cfg(all(feature = "madsim", not(madsim)))]
compile_error!(
    "the feature `madsim` needs the flag `--cfg madsim` for the whole build. Inside this project's folder `cargo madsim` in \
     place of `cargo` sets it (.cargo/config.toml); elsewhere put `[build] rustflags = [\"--cfg\", \"madsim\"]` into the \
     .cargo/config.toml of the workspace. A RUSTFLAGS in the environment replaces these flags: add `--cfg madsim` to it."
);

pub mod admin;
pub mod campaign;
pub mod causes;
pub mod check;
pub mod cli;
pub mod clock;
pub mod configuration;
pub mod coverage;
pub mod disk;
pub mod engine;
pub mod files;
pub mod filesystem;
pub mod fuzzing;
pub mod history;
pub mod indexed;
pub mod linearizability;
pub mod nearest;
pub mod net;
#[cfg(all(feature = "madsim", madsim))]
pub mod on_madsim;
pub mod options;
pub mod plan;
pub mod prelude;
#[cfg(feature = "proptest")]
pub mod proptest;
pub mod queue;
pub mod replica;
pub mod report;
pub mod rng;
pub mod running;
pub mod search;
pub mod seeds;
#[cfg(all(feature = "madsim", madsim))]
pub mod servers;
pub mod service;
pub mod shrink;
pub mod sometimes;
pub mod stable;
pub mod story;
pub mod subject;
pub mod testing;
pub mod text;
pub mod types;
pub mod watchdog;

pub use squall_macros::test;
pub use testing::{Sim, check};

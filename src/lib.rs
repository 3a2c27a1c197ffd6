//! Squall: a deterministic simulation and fault-injection harness for Raft.
//!
//! Squall runs a real Raft implementation in a simulator, breaks its network, disks and clocks from
//! a seed, checks Raft's safety properties after every step, and hands over each failure as a plan
//! that replays. Here it finds that a driver of raft-rs never syncs its disk:
//!
//! ```
//! # #[cfg(feature = "raft-rs")] {
//! use squall::engine::Observer;
//! use squall::invariants::Property;
//! use squall::plan::Profile;
//!
//! let subject = squall::subject("raft-rs+skip-fsync").unwrap();
//! let profile = Profile::load("storm").unwrap();
//! let plan = subject.plans(&profile).draw(0);
//!
//! let run = || subject.runner.run(&plan, Observer::default());
//! let failure = run().failure.expect("a message leaves before what it promises is durable");
//! assert_eq!(failure.violation.property(), Property::AckBeforeDurable);
//!
//! // The plan alone determines the run.
//! assert_eq!(run().failure, Some(failure));
//! # }
//! ```
//!
//! In a test of your own crate that is one line, [`check`]`(MyRaft).run()`, or a function with the
//! attribute [`macro@test`]; in your own program, `cli::main` is the whole command line over its
//! subjects.
//!
//! # Concepts
//!
//! In the order in which you meet them:
//!
//! - A **subject** ([`replica::Subject`]) is a Raft implementation under test. It boots nodes
//!   ([`replica::Replica`]) that are stepped, and have no clock, disk, socket or randomness of
//!   their own. The subjects of this build have names ([`subjects`], [`registry::Registry`]); the
//!   [`prelude`] has all that is needed to write another.
//! - A **plan** ([`plan::Plan`]) is one whole run as plain data: the cluster, its options, what
//!   clients do, every [fault](plan::Fault), and the end. It is written as JSON.
//! - A **seed** is a number that a plan is drawn from ([`plan::PlanSpace::draw`]), and that decides
//!   all that is left to chance in its run ([`world::rng`]).
//! - A **profile** ([`plan::Profile`]) says what plans are drawn from, and what must have happened
//!   in the runs for a clean sweep to count.
//! - A **strategy** ([`explore::strategy::Strategy`]) says which plans a sweep
//!   ([`explore::sweep::Sweep`]) runs: those that the profile draws, or those that look promising
//!   given what was covered before.
//! - A **check**, or invariant, is one of Raft's rules ([`invariants::Property`]), checked in every
//!   step against what nodes write, send and report. Events are counted too
//!   ([`counters::Counter`]), because a storm in which nothing happened proves nothing.
//! - A **violation** ([`invariants::Violation`]) is a rule that was broken: by which node, and in
//!   which way, with every term, entry and key as a field ([`invariants::breach`]). It ends the run
//!   ([`engine::Outcome`]).
//! - **Shrinking** ([`explore::shrink::Shrinker`]) makes the plan of a violation as small as it
//!   will get while it breaks the same rule. [`explore::report`] shows what is left, and how the
//!   violation came about ([`explore::explain`]).
//! - **Replay** is running a plan again, from its file ([`plan::Plan::read`]), to the same
//!   violation in the same step. What failed once is kept as a plan and replayed by every later
//!   test ([`testing`]). A [story](explore::scenario) is a plan written by hand, with what is
//!   expected of it.
//! - An **engine** ([`engine::Engine`]) runs plans: [`engine::run`] in a loop of its own, or
//!   `madsim::ENGINE` with each node in a task of that runtime, to the same outcome.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `cli` | `cli`, the command line |
//! | `raft-rs` | `raft_rs`, the adapter for tikv's raft 0.7.0 |
//! | `protobuf-codec`, `prost-codec` | raft's messages by one or the other: `raft-rs` needs one |
//! | `noraft` | `noraft`, the adapter for sile's noraft 0.7.1 |
//! | `raftbare` | `raftbare`, the adapter for sile's raftbare 0.2.2 |
//! | `openraft` | `openraft`, the adapter for databend's openraft 0.10.0-alpha.37 |
//! | `process` | `process`, a Raft in another language as a subject |
//! | `proptest` | `proptest`, plans as strategies, and `testing::machine` |
//! | `madsim` | `madsim`, another engine, and async servers under the storm; needs `--cfg madsim` |
//!
//! The defaults are `cli`, `process`, `raft-rs` with `protobuf-codec`, `noraft` and `raftbare`. To
//! test a Raft of your own, leave them out.
//!
//! # Where to go on
//!
//! - `examples/bring_your_own.rs` is a complete driver of your own, in fewer than 100 lines;
//!   `squall-noraft` an adapter for another library.
//! - `examples/my_storage.rs` is a storage of your own under the driver of raft-rs, in fewer than
//!   80 lines.
//! - [`testing`] has storms in `cargo test`, and `proptest` strategies for plans.
//! - [`linearizability`] checks histories of any service, and can be used alone.
//! - The guide, `docs/guide`, has the command line, what is checked and injected, and what is not
//!   found; [`replica::contract`] what an adapter reports.

// docs.rs says of each item which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "madsim", not(madsim)))]
compile_error!(
    "the feature `madsim` needs the flag `--cfg madsim` for the whole build. Inside this project's folder `cargo madsim` in \
     place of `cargo` sets it (.cargo/config.toml); elsewhere put `[build] rustflags = [\"--cfg\", \"madsim\"]` into the \
     .cargo/config.toml of the workspace. A RUSTFLAGS in the environment replaces these flags: add `--cfg madsim` to it."
);

/// Many plans: which to run, how to run them all, and how to shrink, explain and report one that
/// fails.
pub mod explore {
    #[doc(inline)]
    pub use squall_explore::{explain, report, scenario, shard, shrink, strategy, sweep, watchdog};
}
pub mod prelude;
mod shipped;
pub mod testing;
/// The simulated world: choices, clocks, networks, disks, hashes. Knows no Raft.
pub mod world {
    // Engines alone have a use for it.
    #[doc(hidden)]
    pub use squall_world::queue;
    #[doc(inline)]
    pub use squall_world::{clock, file_disk, hash, journal_disk, network, node_files, rng};
}

#[cfg(feature = "cli")]
#[doc(inline)]
pub use squall_cli as cli;
#[doc(inline)]
pub use squall_linearizability as linearizability;
#[cfg(all(feature = "madsim", madsim))]
#[doc(inline)]
pub use squall_madsim as madsim;
#[cfg(feature = "noraft")]
#[doc(inline)]
pub use squall_noraft as noraft;
#[cfg(feature = "openraft")]
#[doc(inline)]
pub use squall_openraft as openraft;
#[cfg(feature = "process")]
#[doc(inline)]
pub use squall_process as process;
#[cfg(feature = "proptest")]
#[doc(inline)]
pub use squall_proptest as proptest;
#[cfg(feature = "raft-rs")]
#[doc(inline)]
pub use squall_raft_rs as raft_rs;
#[cfg(feature = "raftbare")]
#[doc(inline)]
pub use squall_raftbare as raftbare;

#[doc(inline)]
pub use squall_core::{
    adapter, bugs, configuration, counters, coverage, engine, faults, history, ids, invariants,
    operator, options, own, plan, registry, replica, service, storage,
};

#[cfg(not(unix))]
compile_error!("squall runs on Linux and other Unix systems");

pub use shipped::{subject, subjects};
pub use squall_macros::test;
pub use testing::{Sim, check};

/// The Rust blocks of the README and of the guide compile.
#[cfg(all(doctest, feature = "proptest", feature = "raft-rs"))]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guide/cargo-test.md")]
    struct CargoTest;
    #[doc = include_str!("../docs/guide/your-raft.md")]
    struct YourRaft;
}

//! Integration tests, one module a subject. `SQUALL_TEST_SEEDS=N` makes the
//! sweeps in here N seeds long.

mod cli;
mod determinism;
#[cfg(all(feature = "madsim", madsim))]
mod disk_on_madsim;
mod example;
mod faults;
mod findings;
mod linearizability;
mod mutants;
#[cfg(all(feature = "madsim", madsim))]
mod on_madsim;
mod planted;
mod shrink;
mod support;
mod surface;
mod tidy;

//! Integration tests, one module a subject. `SQUALL_TEST_SEEDS=N` makes the
//! sweeps in here N seeds long.

mod cli;
mod determinism;
mod example;
mod faults;
mod findings;
mod fuzzing;
mod linearizability;
mod mutants;
mod planted;
mod shrink;
mod support;
mod surface;
mod tidy;

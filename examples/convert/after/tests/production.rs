//! Three processes on this machine.
#![cfg(not(madsim))]

const PROGRAM: &str = env!("CARGO_BIN_EXE_kv-after");

include!("../../production.rs");

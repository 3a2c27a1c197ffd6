//! Three processes on this machine.

const PROGRAM: &str = env!("CARGO_BIN_EXE_kv-before");

include!("../../production.rs");

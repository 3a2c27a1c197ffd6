//! Histories against an oracle: see `squall::fuzzing::linearizability`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::linearizability;
use squall_fuzz::judge;

fuzz_target!(|bytes: &[u8]| {
    judge("linearizability", bytes, linearizability::check(bytes));
});

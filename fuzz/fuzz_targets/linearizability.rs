//! Histories against an oracle: see `squall_fuzzing::linearizability`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall_fuzz::{Input, OfLinearizability};
use squall_fuzzing::linearizability;

fuzz_target!(|input: Input<OfLinearizability>| {
    input.judge(linearizability::check(&input.0));
});

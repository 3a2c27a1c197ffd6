//! Histories against an oracle: see `squall::fuzzing::linearizability`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::linearizability;
use squall_fuzz::{Input, OfLinearizability};

fuzz_target!(|input: Input<OfLinearizability>| {
    input.judge(linearizability::check(&input.0));
});

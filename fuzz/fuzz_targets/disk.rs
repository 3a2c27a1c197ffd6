//! A disk against a model: see `squall_fuzzing::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall_fuzz::{Input, OfDisk};
use squall_fuzzing::disk;

fuzz_target!(|input: Input<OfDisk>| {
    input.judge(disk::check(&input.0));
});

//! A disk against a model: see `squall::fuzzing::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::disk;
use squall_fuzz::{Input, OfDisk};

fuzz_target!(|input: Input<OfDisk>| {
    input.judge(disk::check(&input.0));
});

//! A disk against a model: see `squall::fuzzing::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::disk;
use squall_fuzz::judge;

fuzz_target!(|bytes: &[u8]| {
    judge("disk", bytes, disk::check(bytes));
});

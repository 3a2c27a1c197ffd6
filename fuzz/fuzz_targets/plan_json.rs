//! The parser of plans: see `squall::fuzzing::plan_json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::plan_json;
use squall_fuzz::judge;

fuzz_target!(|bytes: &[u8]| {
    judge("plan_json", bytes, plan_json::check(bytes));
});

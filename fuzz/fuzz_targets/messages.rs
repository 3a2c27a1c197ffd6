//! Late, damaged and forged messages: see `squall::fuzzing::messages`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::messages::{Messages, Strictness};
use squall_fuzz::judge;

/// The environment variable that says which findings count.
const STRICT: &str = "SQUALL_FUZZ_STRICT";

static MESSAGES: LazyLock<Messages> = LazyLock::new(|| {
    let strictness = match std::env::var(STRICT).as_deref() {
        Err(_) => Strictness::Usual,
        Ok("damaged") => Strictness::Damaged,
        Ok("forged") => Strictness::Forged,
        Ok(other) => {
            eprintln!("{STRICT} is {other}; legal: damaged, forged, or not set");
            std::process::exit(2)
        }
    };
    Messages::new(strictness)
});

fuzz_target!(|bytes: &[u8]| {
    judge("messages", bytes, MESSAGES.check(bytes));
});

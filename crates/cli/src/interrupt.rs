//! Ctrl-C: what is under way ends early, with what it has.

use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that the first interrupt sets; a second one ends the process at once.
pub fn stop_at_interrupt() -> &'static AtomicBool {
    static STOP: AtomicBool = AtomicBool::new(false);
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    // Where no handler can be set, an interrupt ends the process as ever.
    let _ = ctrlc::set_handler(handler);
    &STOP
}

//! Ctrl-C: what is under way ends early, with what it has; or this program ends at once, with the
//! processes that it has started, which no terminal ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// What the first interrupt does.
type First = Box<dyn FnMut() + Send>;

static FIRST: Mutex<Option<First>> = Mutex::new(None);

/// A flag that the first interrupt sets; a second one ends this program at once.
pub fn stop_at_interrupt() -> &'static AtomicBool {
    static STOP: AtomicBool = AtomicBool::new(false);
    if !STOP.load(Ordering::Relaxed) {
        at_first_interrupt(|| STOP.store(true, Ordering::Relaxed));
    }
    &STOP
}

/// Has the first interrupt do `this`; a second one ends this program at once. Returns whether
/// interrupts are caught at all: where they cannot be, one ends the program as ever.
pub fn at_first_interrupt(this: impl FnMut() + Send + 'static) -> bool {
    *lock() = Some(Box::new(this));
    end_processes_at_interrupt()
}

/// Has an interrupt end the processes that this program has started, and then the program, where
/// nothing else is said.
pub fn end_processes_at_interrupt() -> bool {
    static SET: Once = Once::new();
    static IS_SET: AtomicBool = AtomicBool::new(false);
    SET.call_once(|| {
        let handler = || {
            let first = lock().take();
            match first {
                Some(mut first) => first(),
                None => {
                    squall_process::kill_all();
                    std::process::exit(130);
                }
            }
        };
        IS_SET.store(ctrlc::set_handler(handler).is_ok(), Ordering::Relaxed);
    });
    IS_SET.load(Ordering::Relaxed)
}

fn lock() -> MutexGuard<'static, Option<First>> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner)
}

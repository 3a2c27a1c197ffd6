//! Panics of a subject, and of a test around a run, are findings: their message is
//! kept, and nothing is printed. Panics of ours are not caught here, and print as ever.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::invariants::breach::{Panic, Place};

thread_local! {
    static IN_SUBJECT: Cell<bool> = const { Cell::new(false) };
    static IN_TEST: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// From now on, a panic while [`enter`] holds is kept and not printed.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IN_SUBJECT.get() && !IN_TEST.get() {
                return before(info);
            }
            let payload = info.payload();
            let text = payload
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic without a message".to_owned());
            // The file without its folders: where a registry lies differs by machine.
            let place = info.location().map(|at| Place {
                file: (at.file().rsplit(['/', '\\']).next().unwrap_or_default()).to_owned(),
                line: at.line(),
                column: at.column(),
            });
            let message = text.split_whitespace().collect::<Vec<_>>().join(" ");
            LAST.set(Some(Panic { message, place }));
        }));
    });
}

/// The subject's code runs from now on.
#[inline]
pub(super) fn enter() {
    IN_SUBJECT.set(true);
}

/// The subject's code is done.
#[inline]
pub(super) fn leave() {
    IN_SUBJECT.set(false);
}

/// After an unwinding: the panic if it came from the subject.
pub(super) fn take() -> Option<Panic> {
    leave();
    LAST.take()
}

/// What `test` came to: its value, or what it unwound with, and the panic if it was one.
///
/// # Errors
/// What it unwound with.
pub fn of_test<T>(test: impl FnOnce() -> T) -> Result<T, (Box<dyn Any + Send>, Option<Panic>)> {
    install();
    let outer = IN_TEST.replace(true);
    LAST.take();
    let done = catch_unwind(AssertUnwindSafe(test));
    IN_TEST.set(outer);
    done.map_err(|unwound| (unwound, take()))
}

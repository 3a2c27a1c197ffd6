//! Panics of a subject, and of a test around a run, are findings: their message is
//! kept, and nothing is printed. Panics of ours are not caught here, and print as ever.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static IN_SUBJECT: Cell<bool> = const { Cell::new(false) };
    static IN_TEST: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
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
            let place = info.location().map_or(String::new(), |at| {
                let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
                format!(" ({file}:{})", at.line())
            });
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            MESSAGE.set(Some(format!("{text}{place}")));
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

/// After an unwinding: the panic's message if it came from the subject.
pub(super) fn take() -> Option<String> {
    leave();
    MESSAGE.take()
}

/// What `test` came to: its value, or what it unwound with, and its panic's message if it was a panic.
///
/// # Errors
/// What it unwound with.
pub fn of_test<T>(test: impl FnOnce() -> T) -> Result<T, (Box<dyn Any + Send>, Option<String>)> {
    install();
    let outer = IN_TEST.replace(true);
    MESSAGE.take();
    let done = catch_unwind(AssertUnwindSafe(test));
    IN_TEST.set(outer);
    done.map_err(|unwound| (unwound, take()))
}

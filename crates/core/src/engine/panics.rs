//! Panics of a subject, and of a test around a run, are findings: their message is
//! kept, and nothing is printed. Panics of ours are not caught here, and print as ever.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use crate::invariants::breach::{Panic, Place};

thread_local! {
    static IN_SUBJECT: Cell<bool> = const { Cell::new(false) };
    static IN_TEST: Cell<bool> = const { Cell::new(false) };
    static IN_ENGINE: Cell<bool> = const { Cell::new(false) };
    /// A panic of ours is on its way through a test.
    static OURS: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// From now on, a panic while [`enter`] holds is kept and not printed.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_ours = IN_ENGINE.get() || !IN_TEST.get();
            if !IN_SUBJECT.get() && is_ours {
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
            LAST.set(Some(Panic {
                message: one_line(&text),
                place,
                printed: None,
            }));
        }));
    });
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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

/// What code of the subject's comes to.
pub(super) fn within<T>(of_subject: impl FnOnce() -> T) -> T {
    enter();
    let value = of_subject();
    leave();
    value
}

/// Ends the step of a subject whose code runs elsewhere, in another process, and has failed there:
/// the same as this panic here.
pub fn fail_elsewhere(mut panic: Panic) -> ! {
    panic.message = one_line(&panic.message);
    LAST.set(Some(panic));
    resume_unwind(Box::new(FailedElsewhere))
}

/// What unwinds out of a step that failed in another process.
struct FailedElsewhere;

/// Code of the subject's begins, or is over.
pub(super) fn guard(begins: bool) {
    IN_SUBJECT.set(begins);
}

/// What `run` came to. An engine's own code runs in it, and the subject's between [`enter`] and
/// [`leave`].
///
/// # Errors
/// The panic, if it came out of the subject.
///
/// # Panics
/// When the engine's own code does: that is no finding, whatever a subject or a test has caught
/// before.
pub(super) fn of_subject<T>(run: impl FnOnce() -> T) -> Result<T, Panic> {
    install();
    let outer = (IN_ENGINE.replace(true), IN_SUBJECT.replace(false));
    let done = catch_unwind(AssertUnwindSafe(run));
    let is_of_subject = IN_SUBJECT.replace(outer.1);
    let is_ours = IN_ENGINE.replace(outer.0);
    done.map_err(|unwound| {
        if is_of_subject {
            // What goes on unwinding without a panic of its own has no message.
            LAST.take().unwrap_or_else(|| Panic {
                message: "it unwound without a panic".to_owned(),
                place: None,
                printed: None,
            })
        } else {
            OURS.set(is_ours && IN_TEST.get());
            resume_unwind(unwound)
        }
    })
}

/// What whoever watches a run says. Its code is neither the engine's nor the subject's: if it
/// panics, that is its own doing, or that of the test which it belongs to.
pub(super) fn of_watcher<T>(watcher: impl FnOnce() -> T) -> T {
    let outer = IN_ENGINE.replace(false);
    let said = watcher();
    IN_ENGINE.set(outer);
    said
}

/// What `test` came to: its value, or what it unwound with, and the panic if it was one.
///
/// # Errors
/// What it unwound with.
///
/// # Panics
/// When an engine that the test calls does, in its own code.
pub fn of_test<T>(test: impl FnOnce() -> T) -> Result<T, (Box<dyn Any + Send>, Option<Panic>)> {
    install();
    let outer = IN_TEST.replace(true);
    LAST.take();
    OURS.set(false);
    let done = catch_unwind(AssertUnwindSafe(test));
    IN_TEST.set(outer);
    done.map_err(|unwound| match OURS.take() {
        true => resume_unwind(unwound),
        false => (unwound, LAST.take()),
    })
}

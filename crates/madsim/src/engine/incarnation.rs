//! One incarnation of a node: the runtime's task waits for a step to make, lets the replica make
//! it, and waits again, until its node is killed.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use squall_core::engine::Task;

use super::cluster::OneMore;

/// What lies between the world and the runtime's task of one incarnation.
pub(super) struct Incarnation {
    task: Rc<dyn Task>,
    /// A step is to be made.
    due: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Incarnation {
    pub(super) fn new(task: Rc<dyn Task>) -> Self {
        Self {
            task,
            due: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    /// Asks for a step.
    pub(super) fn wake(&self) {
        self.due.set(true);
        // A task that has no waker yet has not run at all, and is about to.
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    async fn due(&self) {
        poll_fn(|_| match self.due.take() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

/// The runtime's task of one incarnation.
pub(super) async fn serve(incarnation: Rc<Incarnation>, counted: OneMore) {
    let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    *incarnation.waker.borrow_mut() = Some(waker);
    loop {
        incarnation.due().await;
        incarnation.task.step();
        counted.cluster().report();
    }
}

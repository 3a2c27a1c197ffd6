//! A node's task: it waits for something to happen to its replica, lets the replica make its step,
//! and waits again, until its node is killed.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::cluster::OneMore;
use crate::engine::panics;
use crate::replica::{Input, Output, Replica};

/// A panic on its way to the world.
pub(super) type Panic = Box<dyn Any + Send>;

/// What lies between the world and the task of one life.
pub(super) struct Desk<R: Replica> {
    /// The replica, until the task takes it.
    replica: Cell<Option<R>>,
    /// What happens next, and when by the node's own clock.
    mail: Cell<Option<(u64, Input<R::Message>)>>,
    /// What the replica wants done.
    pub(super) out: RefCell<Output<R::Message>>,
    /// The step has panicked.
    pub(super) panic: Cell<Option<Panic>>,
    waker: RefCell<Option<Waker>>,
}

impl<R: Replica> Desk<R> {
    pub(super) fn new(replica: R) -> Self {
        Self {
            replica: Cell::new(Some(replica)),
            mail: Cell::new(None),
            out: RefCell::default(),
            panic: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// Puts what happens next before the task.
    pub(super) fn put(&self, now_us: u64, input: Input<R::Message>) {
        self.mail.set(Some((now_us, input)));
        // A task that has no waker yet has not run at all, and is about to.
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    async fn mail(&self) -> (u64, Input<R::Message>) {
        poll_fn(|_| self.mail.take().map_or(Poll::Pending, Poll::Ready)).await
    }
}

/// The task of one life.
pub(super) async fn serve<R: Replica>(desk: Rc<Desk<R>>, life: OneMore<R>) {
    let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    *desk.waker.borrow_mut() = Some(waker);
    let mut replica = desk.replica.take().expect("a life has one task");
    loop {
        let (now_us, input) = desk.mail().await;
        let mut out = desk.out.borrow_mut();
        panics::enter();
        let stepped = catch_unwind(AssertUnwindSafe(|| match input {
            Input::Deliver { from, message } => replica.deliver(now_us, from, message, &mut out),
            Input::Synced { ticket, result } => replica.synced(now_us, ticket, result, &mut out),
            input => replica.step(now_us, input, &mut out),
        }));
        panics::leave();
        drop(out);
        desk.panic.set(stepped.err());
        life.cluster().report();
    }
}

//! The same loop with every replica in a task of some runtime: what the world has in place of a
//! replica puts what happens before the task, and waits until the task has made the step.
//!
//! Knows no runtime: a [`Host`] is one, as far as the engine can tell.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::event_loop::run_paced;
use super::{Observer, Outcome, panics};
use crate::options::Feature;
use crate::own::{DriverOption, KnownIssue};
use crate::plan::Plan;
use crate::replica::{
    BootContext, BootError, Input, Label, Message, Output, Recovered, Replica, Subject,
};
use crate::service::Service;

/// A runtime that hosts the replicas of one run. Nodes go by their position in the plan's list,
/// from 0.
pub trait Host {
    /// An incarnation of the node begins: a task that calls [`Task::step`] whenever the host is
    /// asked for a step.
    fn start(&self, position: usize, task: Rc<dyn Task>);

    /// Lets the node's task make one step, and returns when it has. The node runs on if it was
    /// paused.
    fn step(&self, position: usize);

    /// The node's incarnation ends: its task is dropped, and all that it holds.
    fn kill(&self, position: usize);

    /// Before each event: which nodes are paused, in order of position, and the time, in
    /// microseconds.
    fn pace(&self, paused: &mut dyn Iterator<Item = bool>, now_us: u64);
}

/// One incarnation of a replica, as its host sees it.
pub trait Task {
    /// Makes the step that lies before the replica.
    ///
    /// # Panics
    /// When none does. A panic of the replica is kept for the engine, and does not unwind from
    /// here.
    fn step(&self);
}

/// Carries `plan` out on `subject`, with its replicas on `host`. The outcome is that of
/// [`run`](super::run).
///
/// # Panics
/// As [`run`](super::run).
pub fn run_hosted<S: Subject>(
    plan: &Plan,
    subject: &S,
    watch: Observer<'_>,
    host: &dyn Host,
) -> Outcome
where
    S::Replica: 'static,
    Message<S>: 'static,
{
    let subject = Hosted { subject, host };
    run_paced(plan, &subject, watch, |slots, now_us| {
        let mut paused = slots.iter().map(|slot| slot.paused_until_us.is_some());
        host.pace(&mut paused, now_us);
    })
}

/// A subject whose replicas live in tasks.
struct Hosted<'a, S: Subject> {
    subject: &'a S,
    host: &'a dyn Host,
}

impl<'a, S: Subject> Subject for Hosted<'a, S>
where
    S::Replica: 'static,
    Message<S>: 'static,
{
    type Replica = Stub<'a, S::Replica>;

    fn supports(&self) -> &'static [Feature] {
        self.subject.supports()
    }

    fn options(&self) -> &'static [DriverOption] {
        self.subject.options()
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        self.subject.known_issues()
    }

    fn uses_streams(&self) -> bool {
        self.subject.uses_streams()
    }

    fn service(&self) -> Service {
        self.subject.service()
    }

    /// A replica that refuses its disk has no task.
    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<Self>>,
    ) -> Result<Self::Replica, BootError> {
        let replica = self.subject.boot(boot, disk, out)?;
        let position = boot.id.position();
        let desk = Rc::new(Desk {
            replica: RefCell::new(replica),
            next: Cell::new(None),
            out: RefCell::default(),
            panic: Cell::new(None),
        });
        self.host
            .start(position, Rc::<Desk<S::Replica>>::clone(&desk));
        Ok(Stub {
            position,
            desk,
            host: self.host,
        })
    }
}

/// Stands in for a replica that lives in a task. The incarnation ends when the stub is dropped.
struct Stub<'a, R: Replica> {
    position: usize,
    desk: Rc<Desk<R>>,
    host: &'a dyn Host,
}

impl<R: Replica> Replica for Stub<'_, R> {
    type Message = R::Message;

    fn step(&mut self, now_us: u64, input: Input<R::Message>, out: &mut Output<R::Message>) {
        panics::leave();
        std::mem::swap(&mut *self.desk.out.borrow_mut(), out);
        self.desk.next.set(Some((now_us, input)));
        self.host.step(self.position);
        std::mem::swap(&mut *self.desk.out.borrow_mut(), out);
        panics::enter();
        if let Some(panic) = self.desk.panic.take() {
            resume_unwind(panic);
        }
    }

    fn label(message: &R::Message) -> Label {
        R::label(message)
    }

    fn describe(message: &R::Message) -> String {
        R::describe(message)
    }
}

impl<R: Replica> Drop for Stub<'_, R> {
    fn drop(&mut self) {
        self.host.kill(self.position);
    }
}

/// What lies between the world and the task of one incarnation.
struct Desk<R: Replica> {
    replica: RefCell<R>,
    /// What happens next, and when by the node's own clock.
    next: Cell<Option<(u64, Input<R::Message>)>>,
    /// What the replica wants done.
    out: RefCell<Output<R::Message>>,
    /// The step has panicked with this.
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

impl<R: Replica> Task for Desk<R> {
    fn step(&self) {
        let (now_us, input) = self.next.take().expect("a step lies before the replica");
        let mut replica = self.replica.borrow_mut();
        let mut out = self.out.borrow_mut();
        panics::enter();
        let stepped = catch_unwind(AssertUnwindSafe(|| match input {
            Input::Deliver { from, message } => replica.deliver(now_us, from, message, &mut out),
            Input::Synced { sync, result } => replica.synced(now_us, sync, result, &mut out),
            input => replica.step(now_us, input, &mut out),
        }));
        panics::leave();
        self.panic.set(stepped.err());
    }
}

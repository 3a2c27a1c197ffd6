//! What the world has in place of a replica: it puts what happens before the task that has the
//! replica, and suspends the world until the task has made its step.

use std::panic::resume_unwind;
use std::rc::Rc;

use corosensei::Yielder;

use super::Wish;
use super::cluster::Cluster;
use super::task::Desk;
use crate::engine::panics;
use crate::options::Feature;
use crate::replica::{
    Birth, BootError, Input, Label, Message, Output, Recovered, Replica, Subject,
};

/// A subject whose replicas live in tasks.
pub(super) struct Hosted<'a, S: Subject> {
    subject: &'a S,
    cluster: &'a Rc<Cluster<S::Replica>>,
    world: &'a Yielder<(), Wish>,
}

impl<'a, S: Subject> Hosted<'a, S> {
    pub(super) fn new(
        subject: &'a S,
        cluster: &'a Rc<Cluster<S::Replica>>,
        world: &'a Yielder<(), Wish>,
    ) -> Self {
        Self {
            subject,
            cluster,
            world,
        }
    }
}

impl<'a, S: Subject> Subject for Hosted<'a, S>
where
    S::Replica: 'static,
    Message<S>: 'static,
{
    type Replica = Seat<'a, S::Replica>;

    fn lacks(&self) -> &'static [Feature] {
        self.subject.lacks()
    }

    /// A replica that refuses its disk has no task.
    fn boot(
        &self,
        birth: &Birth<'_>,
        disk: Recovered,
        out: &mut Output<Message<Self>>,
    ) -> Result<Self::Replica, BootError> {
        let position = birth.id.position();
        let replica = self.subject.boot(birth, disk, out)?;
        Ok(Seat {
            position,
            desk: self.cluster.start(position, replica),
            cluster: self.cluster,
            world: self.world,
        })
    }
}

/// The place of a replica that lives in a task. The life ends when it is dropped.
pub(super) struct Seat<'a, R: Replica + 'static> {
    position: usize,
    desk: Rc<Desk<R>>,
    cluster: &'a Rc<Cluster<R>>,
    world: &'a Yielder<(), Wish>,
}

impl<R: Replica + 'static> Replica for Seat<'_, R>
where
    R::Message: 'static,
{
    type Message = R::Message;

    fn step(&mut self, now_us: u64, input: Input<R::Message>, out: &mut Output<R::Message>) {
        panics::leave();
        // A node that the world steps has gone on, whether or not the runtime was told.
        self.cluster.go_on(self.position);
        std::mem::swap(&mut *self.desk.out.borrow_mut(), out);
        self.desk.put(now_us, input);
        self.world.suspend(Wish::Step);
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

impl<R: Replica> Drop for Seat<'_, R> {
    fn drop(&mut self) {
        self.cluster.kill(self.position);
    }
}

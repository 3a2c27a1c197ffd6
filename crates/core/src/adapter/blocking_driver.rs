//! For drivers that handle one input at a time and wait for their disk: what comes in
//! meanwhile waits in line.

use std::collections::VecDeque;
use std::fmt::Debug;

use crate::replica::{Input, Label, Next, Output, Replica, SyncId, SyncResult};

/// A driver that does nothing else while it waits for its disk.
///
/// A call asks for one sync at most, which covers everything that it wrote: that is the order
/// "write, sync, go on". A driver that needs two in a row returns [`Next::WaitForSync`] from
/// [`Sequential::go_on`] again.
pub trait Sequential {
    /// What nodes send to one another.
    type Message: Clone + Debug;

    /// Handles an input, which is never [`Input::Synced`].
    fn handle(
        &mut self,
        now_us: u64,
        input: Input<Self::Message>,
        out: &mut Output<Self::Message>,
    ) -> Next;

    /// Goes on: all that it wrote is durable.
    fn go_on(&mut self, now_us: u64, out: &mut Output<Self::Message>) -> Next;

    /// See [`Replica::label`].
    fn label(message: &Self::Message) -> Label;

    /// See [`Replica::describe`].
    fn describe(message: &Self::Message) -> String {
        let label = Self::label(message);
        format!("{} of term {}", label.kind.words(), label.term)
    }
}

/// A [`Sequential`] driver as a replica. It halts when a sync fails.
#[derive(Clone, Debug)]
pub struct OneAtATime<D: Sequential> {
    driver: D,
    inbox: VecDeque<Input<D::Message>>,
    syncs: u64,
    waits: bool,
}

impl<D: Sequential> OneAtATime<D> {
    /// The replica of `driver`, which has been booted; [`Start::next`](crate::replica::Start) says
    /// what it does first.
    pub fn new(driver: D, first: Next, out: &mut Output<D::Message>) -> Self {
        let mut made = Self {
            driver,
            inbox: VecDeque::new(),
            syncs: 0,
            waits: false,
        };
        made.wait(first, out);
        made
    }

    fn wait(&mut self, next: Next, out: &mut Output<D::Message>) {
        self.waits = next == Next::WaitForSync;
        if self.waits {
            self.syncs += 1;
            out.sync(SyncId(self.syncs));
        }
    }
}

impl<D: Sequential> Replica for OneAtATime<D> {
    type Message = D::Message;

    fn step(&mut self, now_us: u64, input: Input<D::Message>, out: &mut Output<D::Message>) {
        match input {
            Input::Synced { result, .. } => {
                if result == SyncResult::Failed {
                    out.halt("a sync failed");
                    return;
                }
                let next = self.driver.go_on(now_us, out);
                self.wait(next, out);
            }
            input => self.inbox.push_back(input),
        }
        while !self.waits
            && let Some(input) = self.inbox.pop_front()
        {
            let next = self.driver.handle(now_us, input, out);
            self.wait(next, out);
        }
    }

    fn label(message: &D::Message) -> Label {
        D::label(message)
    }

    fn describe(message: &D::Message) -> String {
        D::describe(message)
    }
}

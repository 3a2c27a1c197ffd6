//! For drivers that handle one input at a time and wait for their disk: what comes in
//! meanwhile waits in line.

use std::collections::VecDeque;
use std::fmt::Debug;

use crate::replica::{Input, Label, Output, Replica, SyncId, SyncResult};

/// A driver that does nothing else while it waits for its disk.
pub trait Sequential {
    /// What nodes send to one another.
    type Message: Clone + Debug;

    /// Handles an input, which is never [`Input::Synced`]. Returns whether what it wrote must be
    /// durable before it goes on.
    fn handle(
        &mut self,
        now_us: u64,
        input: Input<Self::Message>,
        out: &mut Output<Self::Message>,
    ) -> bool;

    /// Goes on: all that it wrote is durable. Returns whether it must wait once more.
    fn go_on(&mut self, now_us: u64, out: &mut Output<Self::Message>) -> bool;

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
    /// The replica of `driver`, which has been booted, and first waits for its disk if it
    /// `must_sync`.
    pub fn new(driver: D, must_sync: bool, out: &mut Output<D::Message>) -> Self {
        let mut made = Self {
            driver,
            inbox: VecDeque::new(),
            syncs: 0,
            waits: false,
        };
        made.wait(must_sync, out);
        made
    }

    fn wait(&mut self, must_sync: bool, out: &mut Output<D::Message>) {
        self.waits = must_sync;
        if must_sync {
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
                let again = self.driver.go_on(now_us, out);
                self.wait(again, out);
            }
            input => self.inbox.push_back(input),
        }
        while !self.waits
            && let Some(input) = self.inbox.pop_front()
        {
            let must_sync = self.driver.handle(now_us, input, out);
            self.wait(must_sync, out);
        }
    }

    fn label(message: &D::Message) -> Label {
        D::label(message)
    }

    fn describe(message: &D::Message) -> String {
        D::describe(message)
    }
}

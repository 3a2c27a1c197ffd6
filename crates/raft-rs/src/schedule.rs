//! How inputs come in, and how far a node goes with each: until it waits for its disk, or has
//! nothing left to do. What is done with an input, and with what the library then wants, the driver
//! says.

use raft::eraftpb::Message;

use super::driver::{RaftNode, Wait};
use super::messages;
use super::store::Backend;
use squall_core::ids::NodeId;
use squall_core::options::MissedTicks;
use squall_core::replica::{Input, Label, Output, Replica, SyncId, SyncResult};

impl<S: Backend> Replica for RaftNode<S> {
    type Message = Message;

    /// Inlined into the engine's step, so that a message is moved once less.
    #[inline(always)]
    fn step(&mut self, now_us: u64, input: Input<Message>, out: &mut Output<Message>) {
        if self.inbox.is_empty() && self.steps_at_once(&input) {
            // Nothing is in its way: it need not move through the inbox.
            let fetched = self.look_after(now_us, out);
            if fetched >= self.options.inputs_per_ready && self.raw.has_ready() {
                self.inbox.push_back(input);
                self.handle_ready(now_us, out);
                self.run(now_us, out);
                return;
            }
            self.handle(input, out);
            self.go_on(now_us, out);
        } else if self.take_in(now_us, input, out) {
            self.run(now_us, out);
        }
    }

    #[inline(always)]
    fn deliver(&mut self, now_us: u64, from: NodeId, message: Message, out: &mut Output<Message>) {
        if self.takes_one && matches!(self.wait, Wait::Nothing) && self.is_idle() {
            self.handle_message(message, out);
            self.go_on(now_us, out);
        } else {
            self.step(now_us, Input::Deliver { from, message }, out);
        }
    }

    #[inline(always)]
    fn synced(&mut self, now_us: u64, sync: SyncId, result: SyncResult, out: &mut Output<Message>) {
        if result == SyncResult::Failed {
            out.halt("a sync failed");
            return;
        }
        self.persisted(sync, now_us, out);
        if matches!(self.wait, Wait::Nothing) && self.is_idle() {
            self.go_on(now_us, out);
        } else {
            self.run(now_us, out);
        }
    }

    fn label(message: &Message) -> Label {
        messages::label(message)
    }

    fn describe(message: &Message) -> String {
        messages::describe(message)
    }
}

impl<S: Backend> RaftNode<S> {
    /// Does all that can be done now.
    fn run(&mut self, now_us: u64, out: &mut Output<Message>) {
        while matches!(self.wait, Wait::Nothing) {
            let fetched = self.look_after(now_us, out);
            for _ in fetched..self.options.inputs_per_ready {
                match self.inbox.pop_front() {
                    Some(input) => self.handle(input, out),
                    None => break,
                }
            }
            if self.raw.has_ready() {
                self.handle_ready(now_us, out);
            } else if self.inbox.is_empty() && fetched == 0 {
                break;
            }
        }
        if !matches!(self.wait, Wait::Snapshot(..)) {
            self.show_commit(out);
        }
    }

    /// Does what has come due beside the library. Mostly there is nothing. Returns how many
    /// inputs that was for the library. A change of the configuration that was applied is one as
    /// well, where it made the library send something.
    #[inline(always)]
    fn look_after(&mut self, now_us: u64, out: &mut Output<Message>) -> u32 {
        let fetched = match self.is_quiescent() {
            true => 0,
            false => self.look_after_all(now_us, out),
        };
        fetched.max(u32::from(!self.raw.raft.msgs.is_empty()))
    }

    /// Whether nothing beside the library can come due.
    #[inline(always)]
    fn is_quiescent(&self) -> bool {
        self.backlog.is_empty()
            && self.own_snapshot.is_none()
            && !self.raw.store().held().wanted.get()
            && self.options.fetch_us == 0
    }

    #[inline(never)]
    fn look_after_all(&mut self, now_us: u64, out: &mut Output<Message>) -> u32 {
        self.drain_backlog(now_us, out);
        self.poll_snapshot(now_us, out);
        self.finish_fetches(now_us, out)
    }

    /// Whether the inputs at hand are to be stepped now. A driver that batches
    /// collects them until it has enough, or until its next tick.
    fn has_batch(&self, input: &Input<Message>) -> bool {
        let full = self.inbox.len() + 1 >= self.options.inputs_per_ready as usize;
        full || matches!(input, Input::Tick)
    }

    /// Whether an input that finds the inbox empty is to be stepped now.
    #[inline]
    fn steps_at_once(&self, input: &Input<Message>) -> bool {
        let is_sync = matches!(input, Input::Synced { .. });
        !is_sync && matches!(self.wait, Wait::Nothing) && self.has_batch(input)
    }

    /// Something has been told to the library, and nothing else is to be told to it: the same as
    /// [`RaftNode::run`]. In one place, for code that is at hand is fetched once for all kinds of
    /// input.
    #[inline(never)]
    fn go_on(&mut self, now_us: u64, out: &mut Output<Message>) {
        while self.raw.has_ready() {
            self.handle_ready(now_us, out);
            if !matches!(self.wait, Wait::Nothing) {
                return;
            }
            if !self.is_idle() {
                return self.run(now_us, out);
            }
        }
        self.show_commit(out);
    }

    /// Whether there is nothing to do but what the library wants.
    #[inline(always)]
    fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.is_quiescent()
    }

    /// Takes in what cannot be stepped at once. Returns whether there is something to run.
    #[inline(always)]
    fn take_in(&mut self, now_us: u64, input: Input<Message>, out: &mut Output<Message>) -> bool {
        match input {
            Input::Synced { sync, result } => {
                self.synced(now_us, sync, result, out);
                false
            }
            input => {
                let waiting = !matches!(self.wait, Wait::Nothing);
                let missed = matches!(input, Input::Tick)
                    && self.options.missed_ticks == MissedTicks::Skip
                    && self
                        .inbox
                        .iter()
                        .any(|queued| matches!(queued, Input::Tick));
                let run = !waiting && self.has_batch(&input);
                if !missed {
                    self.inbox.push_back(input);
                }
                run
            }
        }
    }
}

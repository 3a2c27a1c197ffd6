//! What a replica wants done after a step, in order. Knows nothing of who carries it out.

use std::mem::ManuallyDrop;

use super::{Observation, Reply, SyncId};
use crate::storage::Record;

/// One thing a replica does to its disk, or reports. `R` is a record and `O` an observation: by
/// themselves, or by reference where they stay in their [`Output`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect<R = Record, O = Observation> {
    /// Put this record into the disk's cache.
    Write(R),
    /// Make all writes before this durable, then say so.
    Sync(SyncId),
    /// Something changed inside the replica.
    Observe(O),
}

/// What a replica wants done after a step: effects (writes, syncs and observations) in the order in
/// which they happened, then messages, then answers, then a halt.
///
/// A replica adds to its output. Code that wraps a replica may change what the replica has added
/// ([`Output::effects_mut`], [`Output::retain_sends`]); or lend the replica a separate output, take
/// everything out of that, and add to the real one what is to be done instead.
#[derive(Clone, Debug)]
pub struct Output<M> {
    kinds: Vec<Kind>,
    /// The records of the writes among `kinds`, in the same order. They are kept apart, so that a
    /// kind is a plain value, and are freed by hand: usually all of them have been taken, and then
    /// nothing is left to free.
    records: Vec<ManuallyDrop<Record>>,
    sends: Vec<M>,
    replies: Vec<Reply>,
    halt: Option<&'static str>,
}

/// An effect without its record.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Kind {
    Write,
    Sync(SyncId),
    Observe(Observation),
}

const HAS_RECORD: &str = "every write has its record";

impl<M> Default for Output<M> {
    #[inline]
    fn default() -> Self {
        Self {
            kinds: Vec::new(),
            records: Vec::new(),
            sends: Vec::new(),
            replies: Vec::new(),
            halt: None,
        }
    }
}

impl<M> Output<M> {
    /// Writes a record into the disk's cache.
    #[inline]
    pub fn write(&mut self, record: Record) {
        self.kinds.push(Kind::Write);
        self.records.push(ManuallyDrop::new(record));
    }

    /// Asks for all writes so far to be made durable.
    #[inline]
    pub fn sync(&mut self, sync: SyncId) {
        self.kinds.push(Kind::Sync(sync));
    }

    /// Reports something that the replica's writes do not show.
    #[inline]
    pub fn observe(&mut self, observation: Observation) {
        self.kinds.push(Kind::Observe(observation));
    }

    /// Sends a message, after all effects of this step. Its label says to whom.
    #[inline]
    pub fn send(&mut self, message: M) {
        self.sends.push(message);
    }

    /// Sends messages, in their order. Where they are the first of a step, the list is taken as it
    /// is: messages are large, and moving them costs.
    #[inline(always)]
    pub fn send_all(&mut self, mut messages: Vec<M>) {
        if messages.is_empty() {
            return;
        }
        match self.sends.capacity() {
            // A list without room owns nothing, and not asking it to free that is cheaper.
            0 => std::mem::forget(std::mem::replace(&mut self.sends, messages)),
            _ => self.sends.append(&mut messages),
        }
    }

    /// Answers a client.
    #[inline]
    pub fn reply(&mut self, reply: Reply) {
        self.replies.push(reply);
    }

    /// The replica cannot go on and wants to be restarted. Of several reasons the first counts.
    #[inline]
    pub fn halt(&mut self, reason: &'static str) {
        self.halt.get_or_insert(reason);
    }

    /// Whether nothing is wanted.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
            && self.sends.is_empty()
            && self.replies.is_empty()
            && self.halt.is_none()
    }

    /// Empties the output for the next step.
    pub fn clear(&mut self) {
        self.clear_effects();
        self.sends.clear();
        self.replies.clear();
        self.halt = None;
    }

    /// Whether a write, a sync or an observation is wanted.
    #[inline]
    pub fn has_effects(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// The effects, in order.
    pub fn effects(&self) -> impl Iterator<Item = Effect<&Record, &Observation>> {
        let mut records = self.records.iter().map(|record| &**record);
        self.kinds.iter().map(move |kind| match kind {
            Kind::Write => Effect::Write(records.next().expect(HAS_RECORD)),
            Kind::Sync(sync) => Effect::Sync(*sync),
            Kind::Observe(seen) => Effect::Observe(seen),
        })
    }

    /// The effects, in order, with their records, which may be changed, or taken ([`Record::take`])
    /// by code that carries the effects out and clears them afterwards.
    #[inline(always)]
    pub fn effects_mut(&mut self) -> impl Iterator<Item = Effect<&mut Record, &Observation>> {
        let mut records = self.records.iter_mut().map(|record| &mut **record);
        self.kinds.iter().map(move |kind| match kind {
            Kind::Write => Effect::Write(records.next().expect(HAS_RECORD)),
            Kind::Sync(sync) => Effect::Sync(*sync),
            Kind::Observe(seen) => Effect::Observe(seen),
        })
    }

    /// Takes out all effects, in order. Those that the iterator does not come to are dropped with
    /// it.
    pub fn take_effects(&mut self) -> impl Iterator<Item = Effect> + use<M> {
        let records = std::mem::take(&mut self.records).into_iter();
        let records: Vec<Record> = records.map(ManuallyDrop::into_inner).collect();
        let mut records = records.into_iter();
        let kinds = std::mem::take(&mut self.kinds).into_iter();
        kinds.map(move |kind| match kind {
            Kind::Write => Effect::Write(records.next().expect(HAS_RECORD)),
            Kind::Sync(sync) => Effect::Sync(sync),
            Kind::Observe(seen) => Effect::Observe(seen),
        })
    }

    /// Drops all effects.
    #[inline(always)]
    pub fn clear_effects(&mut self) {
        if self.records.iter().any(|record| record.owns_memory()) {
            self.free_records();
        }
        self.kinds.clear();
        self.records.clear();
    }

    /// Drops all effects, of which every record has been taken ([`Record::take`]). One that was not
    /// would not be freed.
    #[inline(always)]
    pub(crate) fn clear_taken_effects(&mut self) {
        self.kinds.clear();
        self.records.clear();
    }

    #[cold]
    #[inline(never)]
    fn free_records(&mut self) {
        for record in self.records.drain(..) {
            drop(ManuallyDrop::into_inner(record));
        }
    }

    /// The messages to send, in order.
    #[inline]
    pub fn sends(&self) -> &[M] {
        &self.sends
    }

    /// Takes out the messages to send, in order.
    #[inline]
    pub fn take_sends(&mut self) -> Vec<M> {
        std::mem::take(&mut self.sends)
    }

    /// Drops the messages that `keep` does not keep.
    pub fn retain_sends(&mut self, keep: impl FnMut(&M) -> bool) {
        self.sends.retain(keep);
    }

    /// The answers to clients, in order.
    #[inline]
    pub fn replies(&self) -> &[Reply] {
        &self.replies
    }

    /// Takes out the answers to clients, in order. Those that the iterator does not come to are
    /// dropped with it.
    #[inline]
    pub fn drain_replies(&mut self) -> impl Iterator<Item = Reply> {
        self.replies.drain(..)
    }

    /// Why the replica cannot go on, if it cannot.
    #[inline]
    pub fn halted(&self) -> Option<&'static str> {
        self.halt
    }

    /// Takes out why the replica cannot go on, if it cannot.
    #[inline]
    pub fn take_halt(&mut self) -> Option<&'static str> {
        self.halt.take()
    }
}

impl<M> Drop for Output<M> {
    fn drop(&mut self) {
        self.free_records();
    }
}

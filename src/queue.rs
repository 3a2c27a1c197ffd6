//! The event queue: what happens next, ordered by (time, sequence number).
//!
//! Two events never tie, because no two share a sequence number. The heap holds
//! small keys only; the events themselves, which carry whole messages, lie in a
//! slab and move twice: in and out. Knows nothing of what an event means.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    time_us: u64,
    sequence: u64,
    slot: u32,
}

/// A queue of events of type `E`, soonest first; first in, first out within one microsecond.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<Key>>,
    slots: Vec<Option<E>>,
    free: Vec<u32>,
    sequence: u64,
    now_us: u64,
}

impl<E> Queue<E> {
    /// An empty queue at time 0.
    pub fn new() -> Self {
        Self {
            heap: BinaryHeap::with_capacity(64),
            slots: Vec::with_capacity(64),
            free: Vec::with_capacity(64),
            sequence: 0,
            now_us: 0,
        }
    }

    /// The time of the event taken last, in microseconds since the start.
    #[inline]
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Schedules `event` at `time_us`, or now if that has passed.
    #[inline]
    pub fn push(&mut self, time_us: u64, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(event);
                slot
            }
            None => {
                let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 events wait");
                self.slots.push(Some(event));
                slot
            }
        };
        self.sequence += 1;
        self.heap.push(Reverse(Key {
            time_us: time_us.max(self.now_us),
            sequence: self.sequence,
            slot,
        }));
    }

    /// Takes the next event, and moves time to it.
    #[inline]
    pub fn pop(&mut self) -> Option<(u64, E)> {
        let Reverse(key) = self.heap.pop()?;
        self.now_us = key.time_us;
        self.free.push(key.slot);
        let event = self.slots[key.slot as usize].take();
        Some((key.time_us, event.expect("a key's slot is filled")))
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_come_out_by_time_then_by_order_of_arrival(times in prop::collection::vec(0u64..20, 0..80)) {
            let mut queue = Queue::new();
            for (arrival, time_us) in times.iter().enumerate() {
                queue.push(*time_us, arrival);
            }
            let mut expected: Vec<(u64, usize)> = times.iter().copied().zip(0..).collect();
            expected.sort();
            let mut taken = Vec::new();
            while let Some(next) = queue.pop() {
                taken.push(next);
            }
            prop_assert_eq!(taken, expected);
        }
    }

    #[test]
    fn time_never_goes_back_and_slots_are_used_again() {
        let mut queue = Queue::new();
        for round in 0..1000u64 {
            queue.push(round * 10, round);
            queue.push(0, round);
            let first = queue.pop().unwrap();
            let second = queue.pop().unwrap();
            assert!(first.0 <= second.0);
        }
        assert!(queue.is_empty());
        assert!(queue.slots.len() <= 2);
    }
}

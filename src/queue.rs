//! The event queue: what happens next, ordered by (time, sequence number).
//!
//! Two events never tie, because no two share a sequence number. Heaps hold
//! small keys only; the events themselves lie in a slab and move twice: in and
//! out. Knows nothing of what an event means.

/// Where in a [`Slab`] a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

/// Values that stay where they are put until they are taken.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<Place>,
}

impl<T> Slab<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            slots: Vec::with_capacity(64),
            free: Vec::with_capacity(64),
        }
    }

    /// Puts `value` somewhere.
    #[inline]
    pub fn put(&mut self, value: T) -> Place {
        match self.free.pop() {
            Some(place) => {
                self.slots[place.0 as usize] = Some(value);
                place
            }
            None => {
                let place = u32::try_from(self.slots.len()).expect("fewer than 2^32 values wait");
                self.slots.push(Some(value));
                Place(place)
            }
        }
    }

    /// Takes out what lies at `place`.
    ///
    /// # Panics
    /// When nothing lies there.
    #[inline]
    pub fn take(&mut self, place: Place) -> T {
        self.free.push(place);
        let value = self.slots[place.0 as usize].take();
        value.expect("it has been put there and not been taken")
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Time, sequence number and place in one number, so that one comparison orders
/// two events: 64 bits of time, then 40, then 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

const SEQUENCE_BITS: u32 = 40;
const PLACE_BITS: u32 = 24;

impl Key {
    #[inline]
    fn new(time_us: u64, sequence: u64, place: Place) -> Self {
        assert!(sequence >> SEQUENCE_BITS == 0, "fewer than 2^40 events in a run");
        assert!(place.0 >> PLACE_BITS == 0, "fewer than 2^24 events wait");
        let low = sequence << PLACE_BITS | u64::from(place.0);
        Self(u128::from(time_us) << 64 | u128::from(low))
    }

    #[inline]
    fn time_us(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline]
    fn place(self) -> Place {
        Place(self.0 as u32 & ((1 << PLACE_BITS) - 1))
    }
}

/// A heap with four children a node: half as deep as a binary one, and the
/// children that are compared lie in one cache line.
#[derive(Debug)]
struct Heap(Vec<Key>);

impl Heap {
    #[inline]
    fn push(&mut self, key: Key) {
        let mut hole = self.0.len();
        self.0.push(key);
        let keys = self.0.as_mut_slice();
        while hole > 0 {
            let parent = (hole - 1) / 4;
            if keys[parent] < key {
                break;
            }
            keys[hole] = keys[parent];
            hole = parent;
        }
        keys[hole] = key;
    }

    /// Takes out the least key.
    #[inline]
    fn pop(&mut self) -> Option<Key> {
        let last = self.0.pop()?;
        let keys = self.0.as_mut_slice();
        let Some(&first) = keys.first() else {
            return Some(last);
        };
        let mut hole = 0;
        while let Some((mut least, rest)) = children(keys, hole) {
            for (number, key) in rest.iter().enumerate() {
                if *key < least.1 {
                    least = (hole * 4 + 2 + number, *key);
                }
            }
            if last < least.1 {
                break;
            }
            keys[hole] = least.1;
            hole = least.0;
        }
        keys[hole] = last;
        Some(first)
    }
}

/// The first child of `parent`, with its place, and its siblings; none when it has no child.
#[inline]
fn children(keys: &[Key], parent: usize) -> Option<((usize, Key), &[Key])> {
    let first = parent * 4 + 1;
    let children = &keys[first.min(keys.len())..(first + 4).min(keys.len())];
    let (child, siblings) = children.split_first()?;
    Some(((first, *child), siblings))
}

/// Events this far ahead wait in a heap of their own. They are mostly time-outs
/// that come to nothing; without them the heap of what happens soon stays flat.
/// Only speed depends on this.
const FAR_US: u64 = 8_192;

/// A queue of events of type `E`, soonest first; first in, first out within one microsecond.
#[derive(Debug)]
pub struct Queue<E> {
    near: Heap,
    far: Heap,
    events: Slab<E>,
    sequence: u64,
    now_us: u64,
}

impl<E> Queue<E> {
    /// An empty queue at time 0.
    pub fn new() -> Self {
        Self {
            near: Heap(Vec::with_capacity(64)),
            far: Heap(Vec::with_capacity(64)),
            events: Slab::new(),
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
        self.near.0.len() + self.far.0.len()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Schedules `event` at `time_us`, or now if that has passed.
    #[inline]
    pub fn push(&mut self, time_us: u64, event: E) {
        let time_us = time_us.max(self.now_us);
        self.sequence += 1;
        let key = Key::new(time_us, self.sequence, self.events.put(event));
        let heap = match time_us - self.now_us < FAR_US {
            true => &mut self.near,
            false => &mut self.far,
        };
        heap.push(key);
    }

    /// Takes the next event, and moves time to it.
    #[inline]
    pub fn pop(&mut self) -> Option<(u64, E)> {
        let far_is_first = match (self.near.0.first(), self.far.0.first()) {
            (Some(near), Some(far)) => far < near,
            (near, _) => near.is_none(),
        };
        let heap = match far_is_first {
            true => &mut self.far,
            false => &mut self.near,
        };
        let key = heap.pop()?;
        self.now_us = key.time_us();
        Some((key.time_us(), self.events.take(key.place())))
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
        fn events_come_out_by_time_then_by_order_of_arrival(times in prop::collection::vec(prop_oneof![0u64..20, 8_185..8_200u64], 0..120)) {
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
        assert!(queue.events.slots.len() <= 2);
    }
}

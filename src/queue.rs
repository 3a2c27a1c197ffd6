//! The event queue: what happens next, ordered by (time, sequence number).
//!
//! Two events never tie, because no two share a sequence number. Events are
//! small and lie in the heap itself; what is large, as a message is, lies in a
//! [`Slab`] and moves twice: in and out. Knows nothing of what an event means.

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
                let slot = &mut self.slots[place.0 as usize];
                assert!(slot.is_none(), "a free slot is empty");
                *slot = Some(value);
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

/// An event and when it happens: time and sequence number in one number, so that
/// one comparison orders two events.
#[derive(Clone, Copy, Debug)]
struct Timed<E> {
    key: u128,
    event: E,
}

/// A heap with four children a node: half as deep as a binary one.
#[derive(Debug)]
struct Heap<E>(Vec<Timed<E>>);

impl<E: Copy> Heap<E> {
    fn new() -> Self {
        Self(Vec::with_capacity(64))
    }

    /// The least key; larger than any when there is none.
    #[inline]
    fn least(&self) -> u128 {
        self.0.first().map_or(u128::MAX, |first| first.key)
    }

    #[inline]
    fn push(&mut self, timed: Timed<E>) {
        let mut hole = self.0.len();
        self.0.push(timed);
        let heap = self.0.as_mut_slice();
        while hole > 0 {
            let parent = (hole - 1) / 4;
            if heap[parent].key < timed.key {
                break;
            }
            heap[hole] = heap[parent];
            hole = parent;
        }
        heap[hole] = timed;
    }

    /// Takes out the event with the least key.
    #[inline]
    fn pop(&mut self) -> Option<Timed<E>> {
        let last = self.0.pop()?;
        let heap = self.0.as_mut_slice();
        let Some(first) = heap.first().copied() else {
            return Some(last);
        };
        let mut hole = 0;
        loop {
            // Plain loops: in builds with assertions, iterators check more than these need.
            let mut child = hole * 4 + 1;
            if child >= heap.len() {
                break;
            }
            let end = heap.len().min(child + 4);
            let (mut least, mut key) = (child, heap[child].key);
            child += 1;
            while child < end {
                if heap[child].key < key {
                    (least, key) = (child, heap[child].key);
                }
                child += 1;
            }
            if last.key < key {
                break;
            }
            heap[hole] = heap[least];
            hole = least;
        }
        heap[hole] = last;
        Some(first)
    }
}

/// Events this far ahead wait in a heap of their own. They are mostly time-outs
/// that come to nothing; without them the heap of what happens soon stays flat.
/// Only speed depends on this.
const FAR_US: u64 = 8_192;

/// A queue of events of type `E`, soonest first; first in, first out within one microsecond.
#[derive(Debug)]
pub struct Queue<E> {
    near: Heap<E>,
    far: Heap<E>,
    sequence: u64,
    now_us: u64,
}

impl<E: Copy> Queue<E> {
    /// An empty queue at time 0.
    pub fn new() -> Self {
        Self {
            near: Heap::new(),
            far: Heap::new(),
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
        let key = u128::from(time_us) << 64 | u128::from(self.sequence);
        let heap = match time_us - self.now_us < FAR_US {
            true => &mut self.near,
            false => &mut self.far,
        };
        heap.push(Timed { key, event });
    }

    /// Brings every event that `latest_us` gives a time for forward to that time,
    /// where it would come later. Events keep their order among one another.
    pub fn hasten(&mut self, latest_us: impl Fn(&E) -> Option<u64>) {
        let now_us = self.now_us;
        let mut waiting = Vec::with_capacity(self.len());
        while let Some(next) = self.pop() {
            waiting.push(next);
        }
        self.now_us = now_us;
        for (time_us, event) in waiting {
            let latest_us = latest_us(&event).unwrap_or(time_us);
            self.push(time_us.min(latest_us), event);
        }
    }

    /// Takes the next event, and moves time to it.
    #[inline]
    pub fn pop(&mut self) -> Option<(u64, E)> {
        let heap = match self.far.least() < self.near.least() {
            true => &mut self.far,
            false => &mut self.near,
        };
        let Timed { key, event } = heap.pop()?;
        self.now_us = (key >> 64) as u64;
        Some((self.now_us, event))
    }
}

impl<E: Copy> Default for Queue<E> {
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
    fn time_never_goes_back() {
        let mut queue = Queue::new();
        for round in 0..1000u64 {
            queue.push(round * 10, round);
            queue.push(0, round);
            let first = queue.pop().unwrap();
            let second = queue.pop().unwrap();
            assert!(first.0 <= second.0);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn hastened_events_come_sooner_and_the_others_when_they_were_to() {
        let mut queue = Queue::new();
        for event in [5, 20_000, 30_000, 40_001] {
            queue.push(event, event);
        }
        assert_eq!(queue.pop(), Some((5, 5)));
        queue.hasten(|event| (event % 2 == 0).then_some(100));
        let taken: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(taken, [(100, 20_000), (100, 30_000), (40_001, 40_001)]);
    }

    #[test]
    fn a_slab_gives_back_what_was_put_and_uses_its_slots_again() {
        let mut slab = Slab::new();
        for round in 0..1000u64 {
            let places = [slab.put(round), slab.put(round + 1)];
            assert_eq!(places.map(|place| slab.take(place)), [round, round + 1]);
        }
        assert_eq!(slab.slots.len(), 2);
    }
}

//! The event queue: what happens next, ordered by time, then by arrival.
//!
//! Events are small and lie in the queue itself; what is large, as a message is,
//! lies in a [`Slab`] and moves twice: in and out. Knows nothing of what an event
//! means.

/// Where in a [`Slab`] a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlabKey(u32);

/// Values that stay where they are put until they are taken.
#[derive(Debug)]
pub struct Slab<T> {
    /// One value each, or none. A list gives its last value away without a trace, where
    /// an option must be marked as empty: so a large value moves once less.
    slots: Vec<Vec<T>>,
    free: Vec<SlabKey>,
}

impl<T> Slab<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            slots: Vec::with_capacity(64),
            free: Vec::with_capacity(64),
        }
    }

    /// Sets a place aside, for a value to be put there.
    #[inline(always)]
    pub fn reserve(&mut self) -> SlabKey {
        self.free.pop().unwrap_or_else(|| {
            let place = u32::try_from(self.slots.len()).expect("fewer than 2^32 values wait");
            self.slots.push(Vec::new());
            SlabKey(place)
        })
    }

    /// Puts a value at `place`, which was set aside for it.
    #[inline(always)]
    pub fn put(&mut self, place: SlabKey, value: T) {
        self.slots[place.0 as usize].push(value);
    }

    /// Puts a list's only value at `place`, which was set aside for it. The value does not move.
    #[inline(always)]
    pub fn put_only(&mut self, place: SlabKey, list: Vec<T>) {
        debug_assert_eq!(list.len(), 1, "a place is for one value");
        self.slots[place.0 as usize] = list;
    }

    /// The value at `place`.
    #[inline]
    pub fn get(&self, place: SlabKey) -> Option<&T> {
        self.slots[place.0 as usize].first()
    }

    /// Takes out what was put at `place`; none when nothing lies there, and the place is what it
    /// was.
    #[inline(always)]
    pub fn take(&mut self, place: SlabKey) -> Option<T> {
        let list = &mut self.slots[place.0 as usize];
        // A place that is empty is free already, or set aside for a value to come. The list is
        // asked, and not what comes out of it: a value that is looked at is moved once more.
        if !list.is_empty() {
            self.free.push(place);
        }
        list.pop()
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A level splits time by one digit of this many bits, so that one word tells
/// which of its lists hold something.
const DIGIT: u32 = 6;
const DIGITS: usize = 1 << DIGIT;
/// Bits of time below the first digit: events that differ in these alone share a list.
const GRAIN: u32 = 6;
/// Enough digits for every time, and a power of two, so that a number is cheaply kept below it.
const LEVELS: usize = ((u64::BITS - GRAIN).div_ceil(DIGIT) as usize).next_power_of_two();

/// An event that waits, or a free place.
#[derive(Clone, Copy, Debug)]
struct Waiting<E> {
    time_us: u64,
    event: E,
    /// The next of its list; the last one's next is the first. Of a free place: the next free one.
    next: u32,
}

/// In place of the next free place, when there is none.
const NONE: u32 = u32::MAX;

/// A queue of events of type `E`, soonest first; first in, first out within one microsecond.
///
/// A radix heap, for simulated time never goes back. An event lies on the level
/// of the highest digit in which its time differs from now, in the list of its
/// own digit there. All on one level come after all on the levels below. When a
/// list above the lowest level comes up, now moves to the soonest time in it, and
/// the others in it move down. Lists of the lowest level span a few microseconds
/// each and are short; they are kept sorted. So each event moves once or twice in
/// all, and the order in which events of one time came is their order in a list.
#[derive(Debug)]
pub struct Queue<E> {
    waiting: Vec<Waiting<E>>,
    /// The last of each list, level by level. Only those of which `full` has the bit mean
    /// anything.
    lists: [u32; LEVELS * DIGITS],
    /// Per level: which lists hold something.
    full: [u64; LEVELS],
    /// Which levels hold something.
    levels: u32,
    /// The first free place in `waiting`.
    free: u32,
    now_us: u64,
}

impl<E: Copy> Queue<E> {
    /// An empty queue at time 0.
    pub fn new() -> Self {
        Self {
            waiting: Vec::with_capacity(64),
            lists: [0; LEVELS * DIGITS],
            full: [0; LEVELS],
            levels: 0,
            free: NONE,
            now_us: 0,
        }
    }

    /// The time of the event taken last, in microseconds since the start.
    #[inline]
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Whether no event waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.levels == 0
    }

    /// Schedules `event` at `time_us`, or now if that has passed.
    #[inline(always)]
    pub fn push(&mut self, time_us: u64, event: E) {
        let time_us = time_us.max(self.now_us);
        let place = self.free;
        if let Some(free) = self.waiting.get_mut(place as usize) {
            self.free = free.next;
            free.time_us = time_us;
            free.event = event;
            self.enter(place, time_us);
            return;
        }
        let place = self.waiting.len() as u32;
        assert!(place < NONE, "fewer than 2^32 - 1 events wait");
        self.waiting.push(Waiting {
            time_us,
            event,
            next: place,
        });
        self.enter(place, time_us);
    }

    /// Puts the event at `place` into the list where its time belongs.
    #[inline(always)]
    fn enter(&mut self, place: u32, time_us: u64) {
        let differs = time_us ^ self.now_us;
        if differs < 1 << (GRAIN + DIGIT) {
            // Most events come soon.
            let digit = (time_us >> GRAIN) as usize % DIGITS;
            if self.full[0] & 1 << digit != 0 {
                let last = self.lists[digit];
                if time_us < self.waiting[last as usize].time_us {
                    self.link(place, self.last_until(time_us, last));
                } else {
                    self.link(place, last);
                    self.lists[digit] = place;
                }
                return;
            }
            self.begin(0, digit, place);
            return;
        }
        let level = ((differs.ilog2() - GRAIN) / DIGIT) as usize % LEVELS;
        let digit = (time_us >> (GRAIN + level as u32 * DIGIT)) as usize % DIGITS;
        if self.full[level] & 1 << digit != 0 {
            self.link(place, self.lists[level * DIGITS + digit]);
            self.lists[level * DIGITS + digit] = place;
            return;
        }
        self.begin(level, digit, place);
    }

    /// Puts the event at `place` into its list, right after the one at `before`.
    #[inline(always)]
    fn link(&mut self, place: u32, before: u32) {
        let next = std::mem::replace(&mut self.waiting[before as usize].next, place);
        self.waiting[place as usize].next = next;
    }

    /// Begins a list with the event at `place`.
    #[inline(always)]
    fn begin(&mut self, level: usize, digit: usize, place: u32) {
        self.waiting[place as usize].next = place;
        self.lists[level * DIGITS + digit] = place;
        self.full[level] |= 1 << digit;
        self.levels |= 1 << level;
    }

    /// In the sorted list that ends with `last`, which is later than `time_us`: after which
    /// event one of that time belongs. That is `last` itself where it comes before all.
    fn last_until(&self, time_us: u64, last: u32) -> u32 {
        let mut before = last;
        loop {
            let next = self.waiting[before as usize].next;
            if self.waiting[next as usize].time_us > time_us {
                return before;
            }
            before = next;
        }
    }

    /// Drops all that waits. Time stays where it is.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.free = NONE;
        self.full = [0; LEVELS];
        self.levels = 0;
    }

    /// Takes the next event, if one waits, and moves time to it.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<(u64, E)> {
        match self.is_empty() {
            true => None,
            false => Some(self.take()),
        }
    }

    /// Takes the next event, and moves time to it.
    ///
    /// # Panics
    /// When no event waits.
    #[inline(always)]
    pub fn take(&mut self) -> (u64, E) {
        let level = self.levels.trailing_zeros() as usize % LEVELS;
        let digit = self.full[level].trailing_zeros() as usize % DIGITS;
        let last = self.lists[level * DIGITS + digit];
        let mut place = self.waiting[last as usize].next;
        if level > 0 && place != last {
            place = self.move_down(level, digit, last);
        } else if place == last {
            self.empty(level, digit);
        } else {
            self.waiting[last as usize].next = self.waiting[place as usize].next;
        }
        let taken = &mut self.waiting[place as usize];
        taken.next = std::mem::replace(&mut self.free, place);
        self.now_us = taken.time_us;
        (taken.time_us, taken.event)
    }

    #[inline]
    fn empty(&mut self, level: usize, digit: usize) {
        self.full[level] &= !(1 << digit);
        if self.full[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// Takes out the soonest of a list of several, which comes up now, and moves the others down.
    fn move_down(&mut self, level: usize, digit: usize, last: u32) -> u32 {
        self.empty(level, digit);
        let first = self.waiting[last as usize].next;
        let mut soonest = first;
        let mut place = first;
        while place != last {
            place = self.waiting[place as usize].next;
            if self.waiting[place as usize].time_us < self.waiting[soonest as usize].time_us {
                soonest = place;
            }
        }
        self.now_us = self.waiting[soonest as usize].time_us;
        let mut next = first;
        loop {
            place = next;
            let Waiting {
                time_us,
                next: after,
                ..
            } = self.waiting[place as usize];
            next = after;
            if place != soonest {
                self.enter(place, time_us);
            }
            if place == last {
                return soonest;
            }
        }
    }

    /// Brings every event that `latest_us` gives a time for forward to that time,
    /// where it would come later. Events keep their order among one another.
    pub fn hasten(&mut self, latest_us: impl Fn(&E) -> Option<u64>) {
        for (time_us, event) in self.take_all() {
            let latest_us = latest_us(&event).unwrap_or(time_us);
            self.push(time_us.min(latest_us), event);
        }
    }

    /// The `nth` of the events that `is_it`, counted from 1 in the order in which they are to come,
    /// with the time at which it is to come; none when there are fewer.
    pub fn find(&mut self, nth: u32, is_it: impl Fn(&E) -> bool) -> Option<(u64, E)> {
        let all = self.take_all();
        for (time_us, event) in &all {
            self.push(*time_us, *event);
        }
        let skipped = nth.saturating_sub(1) as usize;
        all.into_iter()
            .filter(|(_, event)| is_it(event))
            .nth(skipped)
    }

    /// The same, and takes it out. The others stay as they are, and so does time.
    pub fn remove(&mut self, nth: u32, is_it: impl Fn(&E) -> bool) -> Option<(u64, E)> {
        let mut all = self.take_all();
        let matching = (0..all.len()).filter(|place| is_it(&all[*place].1));
        let place = { matching }.nth(nth.saturating_sub(1) as usize);
        let found = place.map(|place| all.remove(place));
        for (time_us, event) in all {
            self.push(time_us, event);
        }
        found
    }

    /// Takes all events, in the order in which they were to come. Time stays where it is.
    pub fn take_all(&mut self) -> Vec<(u64, E)> {
        let now_us = self.now_us;
        let mut waiting = Vec::with_capacity(self.waiting.len());
        while let Some(next) = self.pop() {
            waiting.push(next);
        }
        self.now_us = now_us;
        waiting
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

    #[test]
    fn a_place_is_given_to_one_value_at_a_time_however_often_it_is_taken_from() {
        let mut slab = Slab::new();
        let place = slab.reserve();
        slab.put(place, 'a');
        assert_eq!([slab.take(place), slab.take(place)], [Some('a'), None]);
        let places = [slab.reserve(), slab.reserve()];
        slab.put(places[0], 'b');
        slab.put(places[1], 'c');
        assert_eq!(places.map(|place| slab.take(place)), [Some('b'), Some('c')]);
    }

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

    proptest! {
        /// Pushes and pops in any order, near and far, against a sorted list.
        #[test]
        fn a_queue_in_use_gives_what_a_sorted_list_gives(
            ahead_us in prop::collection::vec(
                prop::option::of(prop_oneof![0u64..4, 0..300u64, 0..10_000u64, any::<u64>()]), 0..300,
            )
        ) {
            let mut queue = Queue::new();
            let mut model: Vec<(u64, usize)> = Vec::new();
            for (arrival, ahead_us) in ahead_us.into_iter().enumerate() {
                match ahead_us {
                    Some(ahead_us) => {
                        let time_us = queue.now_us().saturating_add(ahead_us);
                        queue.push(time_us, arrival);
                        model.push((time_us, arrival));
                    }
                    None => {
                        let next = model.iter().min().copied();
                        prop_assert_eq!(queue.pop(), next);
                        model.retain(|waiting| Some(*waiting) != next);
                    }
                }
                prop_assert_eq!(queue.is_empty(), model.is_empty());
            }
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
    fn one_of_several_events_is_removed_and_the_others_stay_in_order() {
        let mut queue = Queue::new();
        for event in [5, 20_000, 7, 30_000, 40_001] {
            queue.push(event, event);
        }
        assert_eq!(queue.pop(), Some((5, 5)));
        let is_even = |event: &u64| event.is_multiple_of(2);
        assert_eq!(queue.remove(3, is_even), None);
        assert_eq!(queue.find(2, is_even), Some((30_000, 30_000)));
        assert_eq!(queue.remove(2, is_even), Some((30_000, 30_000)));
        assert_eq!(queue.now_us(), 5);
        let left = queue.take_all();
        assert_eq!(left, [7, 20_000, 40_001].map(|event| (event, event)));
    }

    #[test]
    fn a_slab_gives_back_what_was_put_and_uses_its_slots_again() {
        let mut slab = Slab::new();
        for round in 0..1000u64 {
            let places = [round, round + 1].map(|value| {
                let place = slab.reserve();
                match value % 2 {
                    0 => slab.put(place, value),
                    _ => slab.put_only(place, vec![value]),
                }
                place
            });
            let taken = places.map(|place| slab.take(place));
            assert_eq!(taken, [Some(round), Some(round + 1)]);
        }
        assert_eq!(slab.slots.len(), 2);
    }
}

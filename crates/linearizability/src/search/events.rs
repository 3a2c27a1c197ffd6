//! The invocations and returns that are not yet dealt with, as lists from which
//! an operation can be lifted and put back in constant time.

use super::super::history::Operation;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// What stands at a place of the list of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The invocation of the operation with this number.
    Call(u32),
    /// Its return.
    Return(u32),
}

/// A doubly linked list over the numbers `0..len`, with its ends at `len`.
struct List {
    next: Vec<u32>,
    previous: Vec<u32>,
}

impl List {
    /// Of `len` entries, linked in the given order, which has each once.
    fn new(len: u32, order: impl Iterator<Item = u32>) -> Self {
        let mut list = Self {
            next: vec![len; len as usize + 1],
            previous: vec![len; len as usize + 1],
        };
        let mut last = len;
        for entry in order.chain([len]) {
            list.next[last as usize] = entry;
            list.previous[entry as usize] = last;
            last = entry;
        }
        list
    }

    fn end(&self) -> u32 {
        self.next.len() as u32 - 1
    }

    fn lift(&mut self, entry: u32) {
        let (previous, next) = (self.previous[entry as usize], self.next[entry as usize]);
        self.next[previous as usize] = next;
        self.previous[next as usize] = previous;
    }

    /// Undoes the last [`List::lift`] that is not undone. A lifted entry still knows its
    /// neighbours.
    fn put_back(&mut self, entry: u32) {
        let (previous, next) = (self.previous[entry as usize], self.next[entry as usize]);
        self.next[previous as usize] = entry;
        self.previous[next as usize] = entry;
    }
}

/// The operations that returned, numbered in the order of their invocations, and
/// their events in the order of time. At one time stamp, invocations come first:
/// operations that touch are concurrent.
pub(super) struct Events {
    /// Where in the history the operation of each number is.
    at: Vec<usize>,
    /// Entry `2 n` is the invocation of number `n`, and `2 n + 1` its return.
    list: List,
}

impl Events {
    pub(super) fn new<I, O>(history: &[Operation<I, O>], members: &[usize]) -> Self {
        let returned = |at: &usize| history[*at].completed();
        let mut at: Vec<usize> = members
            .iter()
            .copied()
            .filter(|at| returned(at).is_some())
            .collect();
        at.sort_by_key(|&at| history[at].invoked);
        let count = u32::try_from(at.len())
            .ok()
            .filter(|count| *count < NONE / 2);
        let count = count.expect("a partition has fewer than 2^31 operations");
        let mut order: Vec<(u64, bool, u32)> = Vec::with_capacity(2 * at.len());
        for (number, &at) in (0..count).zip(&at) {
            let completed = returned(&at).expect("only these are kept");
            order.push((history[at].invoked, false, 2 * number));
            order.push((completed, true, 2 * number + 1));
        }
        order.sort_unstable();
        let list = List::new(2 * count, order.into_iter().map(|(.., entry)| entry));
        Self { at, list }
    }

    pub(super) fn len(&self) -> u32 {
        self.at.len() as u32
    }

    /// The places in the history, in the order of numbers.
    pub(super) fn operations(&self) -> impl Iterator<Item = usize> {
        self.at.iter().copied()
    }

    pub(super) fn at(&self, number: u32) -> usize {
        self.at[number as usize]
    }

    /// The first event; only while there is one. The last one is a return, so who stops at
    /// returns never leaves the list.
    pub(super) fn first(&self) -> u32 {
        self.next(self.list.end())
    }

    pub(super) fn next(&self, entry: u32) -> u32 {
        self.list.next[entry as usize]
    }

    pub(super) fn entry(&self, entry: u32) -> Entry {
        match entry % 2 {
            0 => Entry::Call(entry / 2),
            _ => Entry::Return(entry / 2),
        }
    }

    pub(super) fn lift(&mut self, number: u32) {
        self.list.lift(2 * number);
        self.list.lift(2 * number + 1);
    }

    pub(super) fn put_back(&mut self, number: u32) {
        self.list.put_back(2 * number + 1);
        self.list.put_back(2 * number);
    }
}

/// The operations of unknown outcome, numbered and listed in the order of their invocations.
pub(super) struct Pending {
    at: Vec<usize>,
    list: List,
}

impl Pending {
    pub(super) fn new<I, O>(history: &[Operation<I, O>], members: &[usize]) -> Self {
        let mut at: Vec<usize> = members
            .iter()
            .copied()
            .filter(|&at| history[at].completed().is_none())
            .collect();
        at.sort_by_key(|&at| history[at].invoked);
        let count = u32::try_from(at.len()).ok().filter(|count| *count < NONE);
        let count = count.expect("a partition has fewer than 2^31 operations");
        let list = List::new(count, 0..count);
        Self { at, list }
    }

    pub(super) fn at(&self, number: u32) -> usize {
        self.at[number as usize]
    }

    /// The first one, or [`NONE`].
    pub(super) fn first(&self) -> u32 {
        self.next(self.list.end())
    }

    /// The one after this, or [`NONE`].
    pub(super) fn next(&self, number: u32) -> u32 {
        let next = self.list.next[number as usize];
        if next == self.list.end() { NONE } else { next }
    }

    pub(super) fn lift(&mut self, number: u32) {
        self.list.lift(number);
    }

    pub(super) fn put_back(&mut self, number: u32) {
        self.list.put_back(number);
    }
}

//! A run of values with consecutive log indices: the shape of a log, wherever
//! one is kept. Knows nothing of Raft beyond "indices count up from 1".

use crate::ids::Index;

/// Values for the indices `first()..next()`, cut at the tail by a conflict and
/// at the head by compaction. They lie in one piece, for they are read at every step and
/// compacted, which moves what is left, once in a hundred.
#[derive(Clone, Debug)]
pub struct Indexed<T> {
    first: Index,
    values: Vec<T>,
}

impl<T> Default for Indexed<T> {
    fn default() -> Self {
        Self::starting_at(1)
    }
}

impl<T> Indexed<T> {
    /// No values yet; the first to be pushed has index `first`.
    pub fn starting_at(first: Index) -> Self {
        Self {
            first,
            values: Vec::new(),
        }
    }

    /// The index of the first value held, or the next index when none is.
    #[inline]
    pub fn first(&self) -> Index {
        self.first
    }

    /// The index the next pushed value gets.
    #[inline]
    pub fn next(&self) -> Index {
        // An index is read at every turn, and counts from 1: it does not come near the end of its
        // type.
        self.first.wrapping_add(self.values.len() as u64)
    }

    /// The index of the last value; `first() - 1` when none is held.
    #[inline]
    pub fn last(&self) -> Index {
        self.next().wrapping_sub(1)
    }

    /// How many values are held.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no value is held.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value at `index`, if held.
    #[inline]
    pub fn get(&self, index: Index) -> Option<&T> {
        self.values.get(self.offset(index))
    }

    /// The value at `index`, if held.
    #[inline]
    pub fn get_mut(&mut self, index: Index) -> Option<&mut T> {
        let offset = self.offset(index);
        self.values.get_mut(offset)
    }

    /// Where in `values` the value at `index` lies. What comes before the first is as far off as
    /// can be.
    #[inline]
    fn offset(&self, index: Index) -> usize {
        usize::try_from(index.wrapping_sub(self.first)).unwrap_or(usize::MAX)
    }

    /// Adds a value at `next()`.
    #[inline]
    pub fn push(&mut self, value: T) {
        self.values.push(value);
    }

    /// Puts `value` at `index`. What stood there and after it is cut off; when
    /// `index` does not join on to what is held, all of that is dropped.
    #[inline]
    pub fn place(&mut self, index: Index, value: T) {
        if index != self.next() {
            self.make_way(index);
        }
        self.values.push(value);
    }

    #[cold]
    fn make_way(&mut self, index: Index) {
        if index < self.first || index > self.next() {
            self.restart_at(index);
        } else {
            self.cut_from(index);
        }
    }

    /// Drops the values at `index` and after.
    pub fn cut_from(&mut self, index: Index) {
        let keep = index.saturating_sub(self.first);
        self.values.truncate(keep as usize);
    }

    /// Drops the values up to and including `index`; the next value keeps its index.
    pub fn drop_through(&mut self, index: Index) {
        let count = (index + 1)
            .saturating_sub(self.first)
            .min(self.values.len() as u64);
        self.values.drain(..count as usize);
        self.first += count;
    }

    /// Drops all values; the next to be pushed has index `first`.
    pub fn restart_at(&mut self, first: Index) {
        self.values.clear();
        self.first = first;
    }

    /// The values in order, with their indices.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Index, &T)> {
        let first = self.first;
        self.values
            .iter()
            .enumerate()
            .map(move |(offset, value)| (first + offset as u64, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(first: Index, values: &[char]) -> Indexed<char> {
        let mut log = Indexed::starting_at(first);
        values.iter().for_each(|value| log.push(*value));
        log
    }

    #[test]
    fn a_value_placed_in_the_middle_cuts_the_rest_off() {
        let mut log = log(5, &['a', 'b', 'c']);
        log.place(6, 'x');
        assert_eq!((log.first(), log.last()), (5, 6));
        assert_eq!(log.get(6), Some(&'x'));
        assert_eq!(log.get(7), None);
    }

    #[test]
    fn a_value_that_does_not_join_on_starts_the_log_anew() {
        let mut log = log(5, &['a', 'b']);
        log.place(20, 'x');
        assert_eq!((log.first(), log.last()), (20, 20));
        log.place(3, 'y');
        assert_eq!((log.first(), log.last()), (3, 3));
    }

    #[test]
    fn compaction_keeps_the_indices_of_what_is_left() {
        let mut log = log(1, &['a', 'b', 'c']);
        log.drop_through(2);
        assert_eq!(log.get(3), Some(&'c'));
        assert_eq!(log.get(2), None);
        log.drop_through(9);
        assert_eq!((log.first(), log.last(), log.len()), (4, 3, 0));
        log.drop_through(1);
        assert_eq!(log.next(), 4);
    }
}

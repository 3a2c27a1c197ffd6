//! Where the search has been. Compared by value everywhere: a hash only says
//! where to look. The hasher has no random key, and nothing is iterated in its order.

use std::hash::{BuildHasher, Hash};

use rustc_hash::{FxBuildHasher, FxHashMap};

/// Keeps each value once, and names it by a number.
pub(super) struct Interner<T> {
    /// Each value, and the one before it with the same hash.
    values: Vec<(T, Option<u32>)>,
    by_hash: FxHashMap<u64, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            by_hash: FxHashMap::default(),
        }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The number of `value`, which is cloned if it is new.
    pub(super) fn intern(&mut self, value: &T) -> u32 {
        let hash = FxBuildHasher.hash_one(value);
        let newest = self.by_hash.get(&hash).copied();
        let mut found = newest;
        while let Some(number) = found {
            let (known, before) = &self.values[number as usize];
            if known == value {
                return number;
            }
            found = *before;
        }
        let number =
            u32::try_from(self.values.len()).expect("fewer than 2^32 states fit in memory");
        self.values.push((value.clone(), newest));
        self.by_hash.insert(hash, number);
        number
    }

    pub(super) fn get(&self, number: u32) -> &T {
        &self.values[number as usize].0
    }
}

/// A set of small numbers. The last word is never 0, so that equal sets are equal words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn with(&self, number: u32) -> Self {
        let (word, bit) = (number as usize / 64, number % 64);
        let mut words = self.0.clone();
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        words[word] |= 1 << bit;
        Self(words)
    }

    fn is_subset(&self, of: &Self) -> bool {
        self.0.len() <= of.0.len() && self.0.iter().zip(&of.0).all(|(a, b)| a & !b == 0)
    }
}

/// Which of the operations that returned are placed.
///
/// All below `lowest` are, and none above `highest`; in between it depends. What lies
/// between is as wide as operations overlap and not as the history is long, and it is
/// all that a configuration has to keep.
pub(super) struct Placed {
    words: Vec<u64>,
    count: u32,
    /// The lowest number that is not placed.
    lowest: u32,
    /// One more than the highest number that is; 0 when none is.
    highest: u32,
}

impl Placed {
    pub(super) fn new(len: u32) -> Self {
        Self {
            // One word more, so that `lowest` can always be looked at.
            words: vec![0; len as usize / 64 + 1],
            count: 0,
            lowest: 0,
            highest: 0,
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn highest(&self) -> u32 {
        self.highest
    }

    fn contains(&self, number: u32) -> bool {
        self.words[number as usize / 64] >> (number % 64) & 1 == 1
    }

    pub(super) fn insert(&mut self, number: u32) {
        self.words[number as usize / 64] |= 1 << (number % 64);
        self.count += 1;
        self.highest = self.highest.max(number + 1);
        while self.lowest < self.highest && self.contains(self.lowest) {
            self.lowest += 1;
        }
    }

    /// Takes `number` out again, with what [`Placed::highest`] was before it came in.
    pub(super) fn remove(&mut self, number: u32, highest: u32) {
        self.words[number as usize / 64] &= !(1 << (number % 64));
        self.count -= 1;
        self.highest = highest;
        self.lowest = self.lowest.min(number);
    }

    pub(super) fn configuration(&self, state: u32) -> Configuration {
        let width = self.highest.saturating_sub(self.lowest);
        let window = match width {
            0..=64 => Window::Narrow(if width == 0 {
                0
            } else {
                self.word_at(self.lowest)
            }),
            _ => Window::Wide(
                (self.lowest..self.highest)
                    .step_by(64)
                    .map(|from| self.word_at(from))
                    .collect(),
            ),
        };
        Configuration {
            lowest: self.lowest,
            state,
            window,
        }
    }

    /// The 64 bits from number `from` on; none is set above `highest`.
    fn word_at(&self, from: u32) -> u64 {
        let (word, shift) = (from as usize / 64, from % 64);
        let low = self.words[word] >> shift;
        match self.words.get(word + 1) {
            Some(next) if shift > 0 => low | next << (64 - shift),
            _ => low,
        }
    }
}

/// Which operations that returned are placed, and the state that they lead to.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Configuration {
    lowest: u32,
    state: u32,
    /// The numbers from `lowest` on.
    window: Window,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Window {
    Narrow(u64),
    Wide(Box<[u64]>),
}

/// The configurations that have been met, each with the sets of operations of unknown outcome
/// that had been used up to get there.
#[derive(Default)]
pub(super) struct Memo {
    met: FxHashMap<Configuration, u32>,
    /// Each set, and the one before it for the same configuration.
    sets: Vec<(u32, Option<u32>)>,
}

impl Memo {
    /// Whether this is worth exploring: not met before with the same operations of unknown
    /// outcome used up, or with fewer of them. Remembers it, if so.
    pub(super) fn enter(
        &mut self,
        configuration: Configuration,
        pending: u32,
        sets: &Interner<Bits>,
    ) -> bool {
        let number = u32::try_from(self.sets.len()).expect("fewer than 2^32 fit in memory");
        let newest = self.met.get(&configuration).copied();
        let mut met = newest;
        while let Some(of) = met {
            let (set, before) = self.sets[of as usize];
            if set == pending || sets.get(set).is_subset(sets.get(pending)) {
                return false;
            }
            met = before;
        }
        self.sets.push((pending, newest));
        self.met.insert(configuration, number);
        true
    }
}

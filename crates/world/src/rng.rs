//! Choice streams: where every random decision of a plan or a run comes from.
//!
//! A stream is xoshiro256++ seeded through SplitMix64, a named algorithm whose
//! values are the same on every platform and in every release of its crate
//! (rand's own `StdRng` and `SmallRng` promise neither). Bounded draws are made
//! here and not by `rand`, whose sampling may change between versions. There
//! are no floats: a chance is a ratio of integers.
//!
//! A stream can also be read from bytes: a fuzzer's input decides then what a seed
//! would have decided, and a small change of the input is a small change of what is
//! drawn.

use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::hash::{finish, mix, mix_bytes};

/// Parts per million: the unit of every chance in a plan.
pub const PPM: u32 = 1_000_000;

/// One labelled stream of choices.
#[derive(Clone, Debug)]
pub struct Choices {
    source: Xoshiro256PlusPlus,
    /// Where choices come from as long as there are bytes left.
    finite: Option<Box<Finite>>,
}

/// Bytes that decide what is drawn, until they are used up.
#[derive(Clone, Debug)]
struct Finite {
    bytes: Vec<u8>,
    used: usize,
}

impl Finite {
    /// The next `count` bytes as a fraction of 2^64, the first the highest.
    fn take(&mut self, count: usize) -> Option<u64> {
        let next = self.bytes.get(self.used..self.used + count)?;
        self.used += count;
        let mut word = [0; 8];
        word[..count].copy_from_slice(next);
        Some(u64::from_be_bytes(word))
    }

    /// A fraction of 2^64 that is fine enough to choose among `bound`.
    #[cold]
    fn fraction(&mut self, bound: u64) -> Option<u64> {
        match bound {
            // Nothing is to be chosen, and no byte wasted on it.
            0 | 1 => Some(0),
            2..=0x100 => self.take(1),
            0x101..=0x1_0000 => self.take(2),
            0x1_0001..=0x1_0000_0000 => self.take(4),
            _ => self.take(8),
        }
    }
}

impl Choices {
    /// The stream that the part named `part` (and numbered `number`, where
    /// there are several) draws from in the run of `seed`.
    ///
    /// Every part has a stream of its own, so that one more draw in one part
    /// shifts no other part's choices.
    pub fn labelled(seed: u64, part: &str, number: u64) -> Self {
        let label = mix(mix_bytes(0x5175_616C_6C00, part.as_bytes()), number);
        Self {
            source: Xoshiro256PlusPlus::seed_from_u64(finish(mix(label, seed))),
            finite: None,
        }
    }

    /// A stream whose choices `bytes` make, each as few of them as it needs: one for a choice among
    /// up to 256. When they are used up, it goes on as one fixed stream, the same for all.
    pub fn finite(bytes: &[u8]) -> Self {
        Self {
            finite: Some(Box::new(Finite {
                bytes: bytes.to_vec(),
                used: 0,
            })),
            ..Self::labelled(0, "beyond the bytes", 0)
        }
    }

    /// A stream of `number`: its six lowest bytes make the first choices, the lowest byte the first
    /// one, and then it goes on as a stream of the number's own. So a number with a byte of 0 more
    /// makes a choice the least that it can be, and 0 makes the first six choices so.
    pub fn of_number(number: u64) -> Self {
        Self {
            finite: Some(Box::new(Finite {
                bytes: number.to_le_bytes()[..6].to_vec(),
                used: 0,
            })),
            ..Self::labelled(number, "number", 0)
        }
    }

    /// How many bytes of a stream read from bytes are left; 0 for any other.
    pub fn bytes_left(&self) -> usize {
        let finite = self.finite.as_ref();
        finite.map_or(0, |finite| finite.bytes.len() - finite.used)
    }

    /// A whole random word.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.fraction(u64::MAX)
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.fraction(bound)) * u128::from(bound)) >> 64) as u64
    }

    /// A random fraction of 2^64 to choose among `bound`.
    #[inline]
    fn fraction(&mut self, bound: u64) -> u64 {
        if let Some(finite) = &mut self.finite
            && let Some(fraction) = finite.fraction(bound)
        {
            return fraction;
        }
        self.source.next_u64()
    }

    /// A number in `low..=high`.
    ///
    /// # Panics
    /// When `low > high`.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range: {low}..={high}");
        // No higher than `high`.
        low.wrapping_add(self.below((high - low).saturating_add(1)))
    }

    /// True `ppm` times in a million. Draws nothing when the answer is certain.
    #[inline]
    pub fn chance_ppm(&mut self, ppm: u32) -> bool {
        match ppm {
            0 => false,
            PPM.. => true,
            _ if self.finite.is_some() => {
                // Two bytes are fine enough.
                self.below(0x1_0000) * u64::from(PPM) < u64::from(ppm) << 16
            }
            _ => self.below(u64::from(PPM)) < u64::from(ppm),
        }
    }

    /// One of `options`, each as likely as the others.
    ///
    /// # Panics
    /// When `options` is empty.
    pub fn pick<'a, T>(&mut self, options: &'a [T]) -> &'a T {
        &options[self.below(options.len() as u64) as usize]
    }

    /// A number in `low..=high`, small ones more often: uniform over the orders of magnitude.
    pub fn skewed(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range: {low}..={high}");
        let span = high - low;
        let bits = u64::from(64 - span.leading_zeros());
        let cap = 1u64
            .checked_shl(self.between(0, bits) as u32)
            .map_or(span, |power| (power - 1).min(span));
        low + self.between(0, cap)
    }

    /// Puts `items` into a random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden values: a change here means that no old seed repeats its run.
    #[test]
    fn a_stream_is_the_same_for_ever() {
        let mut choices = Choices::labelled(42, "network", 0);
        let drawn: Vec<u64> = (0..4).map(|_| choices.word()).collect();
        expect_test::expect![[r#"
            [
                1658564599259990181,
                8734621119342808662,
                13311367615260513904,
                4670376143433102554,
            ]
        "#]]
        .assert_debug_eq(&drawn);
    }

    #[test]
    fn streams_of_two_parts_and_two_numbers_differ() {
        let first = |part, number| Choices::labelled(7, part, number).word();
        assert_ne!(first("network", 0), first("disk", 0));
        assert_ne!(first("disk", 0), first("disk", 1));
    }

    #[test]
    fn bytes_decide_and_then_a_fixed_stream_goes_on() {
        let mut choices = Choices::finite(&[0, 255, 128, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!((choices.below(10), choices.below(10)), (0, 9));
        assert_eq!((choices.below(1), choices.bytes_left()), (0, 11));
        assert_eq!(choices.between(100, 1_099), 600);
        assert_eq!(choices.word(), 0x0102_0304_0506_0708);
        // One byte is too little for a chance: what is left over is left.
        assert_eq!(choices.bytes_left(), 1);
        let mut beyond = Choices::finite(&[]);
        assert_eq!(choices.word(), beyond.word());
        assert_eq!(choices.below(3), Choices::finite(&[9]).below(1));
    }

    #[test]
    fn the_bytes_of_a_number_make_choices_one_by_one() {
        let mut choices = Choices::of_number(0xFF_0000_80FF);
        let drawn = [0; 6].map(|_| choices.below(100));
        assert_eq!(drawn, [99, 50, 0, 0, 99, 0]);
        let mut other = Choices::of_number(0xFF_0000_80FE);
        let _: [u64; 6] = [0; 6].map(|_| other.below(100));
        assert_ne!(choices.word(), other.word(), "and then the number does");
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut choices = Choices::labelled(1, "test", 0);
        let drawn: Vec<u64> = (0..1000).map(|_| choices.between(3, 5)).collect();
        for wanted in 3..=5 {
            assert!(drawn.contains(&wanted));
        }
        assert!(drawn.iter().all(|n| (3..=5).contains(n)));
        assert!((0..100).all(|_| choices.skewed(10, 20) <= 20));
        assert_eq!(choices.between(9, 9), 9);
        let _ = choices.between(0, u64::MAX);
    }
}

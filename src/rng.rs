//! Choice streams: where every random decision of a plan or a run comes from.
//!
//! A stream is xoshiro256++ seeded through SplitMix64, a named algorithm whose
//! values are the same on every platform and in every release of its crate
//! (rand's own `StdRng` and `SmallRng` promise neither). Bounded draws are made
//! here and not by `rand`, whose sampling may change between versions. There
//! are no floats: a chance is a ratio of integers.

use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::types::{finish, mix, mix_bytes};

/// Parts per million: the unit of every chance in a plan.
pub const PPM: u32 = 1_000_000;

/// One labelled stream of choices.
#[derive(Clone, Debug)]
pub struct Choices {
    source: Xoshiro256PlusPlus,
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
        }
    }

    /// A whole random word.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.source.next_u64()
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    ///
    /// # Panics
    /// When `low > high`.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range: {low}..={high}");
        low + self.below((high - low).saturating_add(1))
    }

    /// True `ppm` times in a million. Draws nothing when the answer is certain.
    #[inline]
    pub fn chance_ppm(&mut self, ppm: u32) -> bool {
        match ppm {
            0 => false,
            PPM.. => true,
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

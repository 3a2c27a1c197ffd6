//! One node's clock: offset, drift and jumps against simulated time. Knows
//! nothing of nodes, ticks or faults.

use crate::rng::PPM;

/// A clock that may be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    since_us: u64,
    local_us: u64,
    drift_ppm: i32,
}

impl Clock {
    /// A clock that shows `offset_us` at time 0 and gains `drift_ppm` microseconds a second.
    ///
    /// # Panics
    /// When `drift_ppm` is -1,000,000 or less: a clock does not stand still or run backwards.
    pub fn new(offset_us: u64, drift_ppm: i32) -> Self {
        assert!(drift_ppm > -(PPM as i32), "drift of {drift_ppm} ppm");
        Self {
            since_us: 0,
            local_us: offset_us,
            drift_ppm,
        }
    }

    /// What the clock shows at `time_us`, which is no earlier than the last change to it.
    #[inline]
    pub fn local_us(&self, time_us: u64) -> u64 {
        if self.drift_ppm == 0 {
            // Asked at every step.
            return self
                .local_us
                .wrapping_add(time_us.wrapping_sub(self.since_us));
        }
        let elapsed_us = time_us - self.since_us;
        let rate = (i64::from(PPM) + i64::from(self.drift_ppm)) as u128;
        self.local_us + (u128::from(elapsed_us) * rate / u128::from(PPM)) as u64
    }

    /// The first time at which the clock shows `local_us` or more; never earlier than `now_us`.
    #[inline]
    pub fn time_us(&self, local_us: u64, now_us: u64) -> u64 {
        let ahead_us = local_us.saturating_sub(self.local_us);
        let elapsed_us = if self.drift_ppm == 0 {
            ahead_us
        } else {
            let rate = (i64::from(PPM) + i64::from(self.drift_ppm)) as u128;
            (u128::from(ahead_us) * u128::from(PPM)).div_ceil(rate) as u64
        };
        (self.since_us + elapsed_us).max(now_us)
    }

    /// From `now_us` on the clock gains `drift_ppm` microseconds a second.
    ///
    /// # Panics
    /// As [`Clock::new`].
    pub fn set_drift(&mut self, now_us: u64, drift_ppm: i32) {
        assert!(drift_ppm > -(PPM as i32), "drift of {drift_ppm} ppm");
        self.local_us = self.local_us(now_us);
        self.since_us = now_us;
        self.drift_ppm = drift_ppm;
    }

    /// At `now_us` the clock jumps by `by_us`, backwards if negative, but never below 0.
    pub fn jump(&mut self, now_us: u64, by_us: i64) {
        self.local_us = self.local_us(now_us).saturating_add_signed(by_us);
        self.since_us = now_us;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_reaches_a_time_early_and_a_slow_one_late() {
        let fast = Clock::new(0, 100_000);
        let slow = Clock::new(0, -100_000);
        assert_eq!(fast.local_us(1_000_000), 1_100_000);
        assert!(fast.time_us(1_000_000, 0) < 1_000_000);
        assert!(slow.time_us(1_000_000, 0) > 1_000_000);
    }

    #[test]
    fn the_clock_shows_a_time_exactly_when_it_says_it_will() {
        for drift_ppm in [-300_000, -7, 0, 13, 250_000] {
            let mut clock = Clock::new(777, 0);
            clock.set_drift(5_000, drift_ppm);
            for local_us in [6_000, 10_001, 999_999] {
                let at_us = clock.time_us(local_us, 5_000);
                assert!(clock.local_us(at_us) >= local_us);
                assert!(at_us == 5_000 || clock.local_us(at_us - 1) < local_us);
            }
        }
    }

    #[test]
    fn jumps_move_the_clock_and_not_time() {
        let mut clock = Clock::new(1_000, 0);
        clock.jump(500, 10_000);
        assert_eq!(clock.local_us(500), 11_500);
        clock.jump(600, -5_000);
        assert_eq!(clock.local_us(600), 6_600);
        assert_eq!(clock.time_us(6_650, 600), 650);
    }
}

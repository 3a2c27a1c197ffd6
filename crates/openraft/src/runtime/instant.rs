//! A moment of a node's own clock.

use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use super::executor;

/// A moment, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeInstant(pub(super) u64);

impl NodeInstant {
    pub(super) fn now_here() -> Self {
        Self(executor::now_ns())
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("it is shorter than 500 years")
}

impl Add<Duration> for NodeInstant {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0 + ns(by))
    }
}

impl AddAssign<Duration> for NodeInstant {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub<Duration> for NodeInstant {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0 - ns(by))
    }
}

impl SubAssign<Duration> for NodeInstant {
    fn sub_assign(&mut self, by: Duration) {
        *self = *self - by;
    }
}

impl Sub for NodeInstant {
    type Output = Duration;

    /// Nothing where the other is later, as `std::time::Instant` has it.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl openraft_rt::Instant for NodeInstant {
    fn now() -> Self {
        Self::now_here()
    }
}

//! Time by a node's own clock, in the shape of `tokio::time`, so that a `use` line chooses between
//! the two. The clock is that of [`ClockSim`], and may run fast or slow.
//!
//! It is a monotonic clock, as tokio's is: it does not jump.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::{Add, AddAssign, Sub};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use ::madsim::plugin::node;
use ::madsim::task::NodeId;

use super::clocks::ClockSim;

pub use std::time::Duration;

/// What the clock of a node shows: microseconds since the runtime began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// What the clock of this node shows now.
    pub fn now() -> Self {
        Self(ClockSim::current().shows_us(node()))
    }

    /// How long ago that was; none if it is to come.
    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    /// From `earlier` to this; none if it is later.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// As [`Instant::duration_since`].
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let span_us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(span_us))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        let span_us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(span_us))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

/// Waits until the node's clock shows a time.
pub struct Sleep {
    clocks: Arc<ClockSim>,
    node: NodeId,
    number: u64,
    deadline: Instant,
    alarm: Pin<Box<::madsim::time::Sleep>>,
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sleep until {:?}", self.deadline)
    }
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it has ended.
    pub fn is_elapsed(&self) -> bool {
        self.clocks.shows_us(self.node) >= self.deadline.0
    }

    /// It ends then.
    pub fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.deadline = deadline;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (node, deadline, number) = (self.node, self.deadline, self.number);
        let waits = self.clocks.wait(node, deadline.0, number, context.waker());
        let Some(until_us) = waits else {
            return Poll::Ready(());
        };
        let time = &self.clocks.time;
        let start = time.now_instant() - time.elapsed();
        // The runtime's own sleeps last for a millisecond at least, unless they are set anew.
        self.alarm
            .as_mut()
            .reset(start + Duration::from_micros(until_us));
        match self.alarm.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clocks.forget(self.node, self.number);
    }
}

/// Waits until the clock of this node shows `deadline`.
pub fn sleep_until(deadline: Instant) -> Sleep {
    let (clocks, node) = (ClockSim::current(), node());
    let number = clocks.number(node);
    let alarm = Box::pin(clocks.time.sleep(Duration::ZERO));
    Sleep {
        clocks,
        node,
        number,
        deadline,
        alarm,
    }
}

/// Waits for so long by the clock of this node.
pub fn sleep(span: Duration) -> Sleep {
    sleep_until(Instant::now() + span)
}

/// Something took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(late: Elapsed) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, late)
    }
}

/// Gives `future` up when it takes longer than `span` by the clock of this node.
///
/// # Errors
/// [`Elapsed`].
pub async fn timeout<F: Future>(span: Duration, future: F) -> Result<F::Output, Elapsed> {
    timeout_at(Instant::now() + span, future).await
}

/// Gives `future` up when the clock of this node shows `deadline`.
///
/// # Errors
/// [`Elapsed`].
pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    let (mut future, mut sleep) = (pin!(future), pin!(sleep_until(deadline)));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => sleep.as_mut().poll(context).map(|()| Err(Elapsed(()))),
    })
    .await
}

/// What becomes of ticks that came due while nobody waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// They come at once, one after another.
    #[default]
    Burst,
    /// The next comes a whole period later.
    Delay,
    /// They are left out, and the next comes when it would have.
    Skip,
}

/// Ticks by the clock of a node.
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    sleep: Pin<Box<Sleep>>,
    missed: MissedTickBehavior,
}

/// A tick at once, and then one each `period` by the clock of this node.
///
/// # Panics
/// When the period is shorter than a microsecond.
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// A tick at `start`, and then one each `period` by the clock of this node.
///
/// # Panics
/// When the period is shorter than a microsecond.
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period.as_micros() > 0, "a period of {period:?}");
    Interval {
        period,
        sleep: Box::pin(sleep_until(start)),
        missed: MissedTickBehavior::default(),
    }
}

impl Interval {
    /// What becomes of ticks that are missed from now on.
    pub fn set_missed_tick_behavior(&mut self, missed: MissedTickBehavior) {
        self.missed = missed;
    }

    /// The next tick. Nothing is lost when this is given up.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|context| self.sleep.as_mut().poll(context)).await;
        let (due, now) = (self.sleep.deadline(), Instant::now());
        let period_us = self.period.as_micros() as u64;
        let next = match self.missed {
            MissedTickBehavior::Burst => due + self.period,
            MissedTickBehavior::Delay => now + self.period,
            MissedTickBehavior::Skip => {
                let missed = (now.0 - due.0) / period_us;
                Instant(due.0 + (missed + 1) * period_us)
            }
        };
        self.sleep.as_mut().reset(next);
        due
    }
}

//! Time as the server uses it: tokio's in production; in simulation by a clock of each node's own,
//! which may run fast or slow.

#[cfg(madsim)]
pub use squall::madsim::shim::time::{
    Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout,
};

#[cfg(not(madsim))]
pub use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

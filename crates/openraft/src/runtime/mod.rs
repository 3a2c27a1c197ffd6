//! openraft's runtime, as one node has it: an executor on one thread, whose time is the node's own
//! clock and whose chance comes from a seed. Knows neither Raft nor Squall.
//!
//! openraft asks for its runtime by static functions. They find the executor that is *current*:
//! the one that has been entered ([`Executor::enter`]), of which a thread has one at a time.

mod executor;
mod instant;
mod join;
mod mpsc;
mod mutex;
mod oneshot;
mod sleep;
mod watch;

use std::future::Future;
use std::io;
use std::time::Duration;

use openraft_rt::{AsyncRuntime, OptionalSend};
use rand_core::SeedableRng;
use rand_xoshiro::SplitMix64;

pub use executor::{Entered, Executor};
pub use instant::NodeInstant;
pub use join::{JoinError, JoinHandle};
pub use mpsc::NodeMpsc;
pub use mutex::NodeMutex;
pub use oneshot::NodeOneshot;
pub use sleep::{Elapsed, Sleep, Timeout};
pub use watch::NodeWatch;

/// The runtime of one node. A value of it is an executor that nobody steps: for tests of what runs
/// on it.
#[derive(Debug)]
pub struct NodeRuntime(Executor);

impl AsyncRuntime for NodeRuntime {
    type JoinError = JoinError;
    type JoinHandle<T: OptionalSend + 'static> = JoinHandle<T>;
    type Sleep = Sleep;
    type Instant = NodeInstant;
    type TimeoutError = Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = Timeout<T>;
    type ThreadLocalRng = SplitMix64;

    fn spawn<T>(future: T) -> JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        let (sender, receiver) = futures_channel::oneshot::channel();
        executor::spawn(Box::pin(async move {
            let output = future.await;
            // Nobody may be waiting.
            drop(sender.send(output));
        }));
        JoinHandle::new(receiver)
    }

    fn sleep(duration: Duration) -> Sleep {
        Sleep::until(NodeInstant::now_here() + duration)
    }

    fn sleep_until(deadline: NodeInstant) -> Sleep {
        Sleep::until(deadline)
    }

    fn timeout<R, F>(duration: Duration, future: F) -> Timeout<F>
    where
        F: Future<Output = R> + OptionalSend,
    {
        Timeout::new(future, Self::sleep(duration))
    }

    fn timeout_at<R, F>(deadline: NodeInstant, future: F) -> Timeout<F>
    where
        F: Future<Output = R> + OptionalSend,
    {
        Timeout::new(future, Sleep::until(deadline))
    }

    /// A panic is not caught here: it ends the step, and the harness reports it.
    fn is_panic(_: &JoinError) -> bool {
        false
    }

    fn thread_rng() -> SplitMix64 {
        SplitMix64::seed_from_u64(executor::draw())
    }

    type Mpsc = NodeMpsc;
    type Watch = NodeWatch;
    type Oneshot = NodeOneshot;
    type Mutex<T: OptionalSend + 'static> = NodeMutex<T>;

    fn new(_: usize) -> Self {
        Self(Executor::new(0))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }

    fn spawn_blocking<F, T>(_: F) -> impl Future<Output = Result<T, io::Error>> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        std::future::ready(Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a simulated node has one thread",
        )))
    }
}

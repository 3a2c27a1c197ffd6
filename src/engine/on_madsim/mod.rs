//! The madsim engine: the world of the lockstep engine, and in it every replica is a task on a node
//! of the runtime madsim. A crash kills the node and its task with all that it holds, a restart
//! starts the node's first task anew, a pause takes the node off the scheduler, and the runtime's
//! clock goes to each event in turn.
//!
//! The world is the same code, and stands still while a task runs: it is a coroutine that is
//! suspended at every step and for every passing of time. So a plan goes the same way here as there,
//! to the digest, and a plan file found by one engine replays on the other.
//!
//! It must not decide anything: of the runtime's own chances (which of the tasks that are ready runs
//! first, 50 to 100 ns of time for each) none reaches the world, because one task is ready at a time.

mod cluster;
mod replica;
mod task;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ::madsim::runtime::Runtime;
use ::madsim::task::yield_now;
use ::madsim::time::{TimeHandle, sleep_until};
use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, ScopedCoroutine, ScopedCoroutineRef, Yielder};

use super::lockstep::run_paced;
use super::{Outcome, Watch};
use crate::plan::Plan;
use crate::replica::{Message, Replica, Subject};
use cluster::Cluster;
use replica::Hosted;

/// What the world waits for.
enum Wish {
    /// A node has a step to make.
    Step,
    /// This time is to come, in microseconds from the start.
    Time(u64),
}

type World<'a, 'stack> = ScopedCoroutineRef<'a, (), Wish, Outcome, &'stack mut DefaultStack>;

thread_local! {
    /// A stack to run a world on, kept from one run to the next.
    static STACK: Cell<Option<DefaultStack>> = const { Cell::new(None) };
}

/// Carries `plan` out on `subject`, on madsim. The outcome is that of [`run`](super::run).
///
/// # Panics
/// As [`run`](super::run), and inside another simulation on madsim.
pub fn run_on_madsim<S: Subject>(plan: &Plan, subject: &S, watch: Watch<'_>) -> Outcome
where
    S::Replica: 'static,
    Message<S>: 'static,
{
    let runtime = Runtime::with_seed_and_config(plan.seed, ::madsim::Config::default());
    let cluster = Cluster::<S::Replica>::new(runtime.handle().clone(), plan.nodes().len());
    let world = |yielder: &Yielder<(), Wish>, ()| {
        let subject = Hosted::new(subject, &cluster, yielder);
        let mut reached_us = 0;
        run_paced(plan, &subject, watch, |slots, now_us| {
            let still = slots.iter().map(|slot| slot.paused_until_us.is_some());
            cluster.keep_still(still);
            if now_us > reached_us {
                reached_us = now_us;
                yielder.suspend(Wish::Time(now_us));
            }
        })
    };
    let mut stack = STACK.take().unwrap_or_default();
    let _current = cluster::enter(&cluster);
    let outcome = ScopedCoroutine::with_stack(&mut stack, world)
        .scope(|world| runtime.block_on(supervise(world, &cluster)));
    STACK.set(Some(stack));
    outcome
}

/// Grants the world's wishes until it is done, and sees every task off.
async fn supervise<R: Replica>(mut world: World<'_, '_>, cluster: &Cluster<R>) -> Outcome {
    cluster.supervised_by(poll_fn(|context| Poll::Ready(context.waker().clone())).await);
    let start = TimeHandle::current().now_instant();
    let mut clock = pin!(sleep_until(start));
    let outcome = loop {
        match world.resume(()) {
            CoroutineResult::Yield(Wish::Step) => cluster.stepped().await,
            CoroutineResult::Yield(Wish::Time(at_us)) => {
                // A sleep of its own would last for a millisecond at least.
                clock.as_mut().reset(start + Duration::from_micros(at_us));
                clock.as_mut().await;
            }
            CoroutineResult::Return(outcome) => break outcome,
        }
    };
    // What is not finished when a runtime ends is leaked.
    while cluster.has_tasks() {
        yield_now().await;
    }
    outcome
}

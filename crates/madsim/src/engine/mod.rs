//! The madsim engine: the world of the lockstep engine, and in it every replica is a task on a node
//! of the runtime madsim. A crash kills the node and its task with all that it holds, a restart
//! starts the node's first task anew, a pause takes the node off the scheduler, and the runtime's
//! clock goes to each event in turn.
//!
//! The world is the same code, and stands still while a task runs: it is a coroutine that is
//! suspended at every step and for every passing of time. So a plan goes the same way here as
//! there, to the digest, and a plan file found by one engine replays on the other.
//!
//! It must not decide anything: of the runtime's own chances (which of the tasks that are ready
//! runs first, 50 to 100 ns of time for each) none reaches the world, because one task is ready at
//! a time.

mod cluster;
mod incarnation;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ::madsim::runtime::Runtime;
use ::madsim::task::yield_now;
use ::madsim::time::{TimeHandle, sleep_until};
use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, ScopedCoroutine, ScopedCoroutineRef, Yielder};

use cluster::Cluster;
use squall_core::engine::{Engine, Host, Observer, Outcome, Task};
use squall_core::options::Feature;
use squall_core::own::Own;
use squall_core::plan::Plan;
use squall_core::registry::Runner;

/// The engine, for a program's list.
pub const ENGINE: Engine = Engine::new("madsim", |runner| Arc::new(OnMadsim(runner)));

/// A runner that runs plans on madsim.
struct OnMadsim(Arc<dyn Runner>);

impl Runner for OnMadsim {
    fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        run(plan, &*self.0, watch)
    }

    fn supports(&self) -> &'static [Feature] {
        self.0.supports()
    }

    fn own(&self) -> Own {
        self.0.own()
    }

    fn time_elsewhere(&self) -> Duration {
        self.0.time_elsewhere()
    }

    fn is_gone(&self) -> Option<String> {
        self.0.is_gone()
    }
}

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

/// Carries `plan` out on what `runner` runs, on madsim. The outcome is that of [`Runner::run`].
///
/// # Panics
/// As [`Runner::run`], and inside another simulation on madsim.
pub fn run(plan: &Plan, runner: &dyn Runner, watch: Observer<'_>) -> Outcome {
    let runtime = Runtime::with_seed_and_config(plan.seed, ::madsim::Config::default());
    let cluster = Cluster::new(runtime.handle().clone(), plan.nodes().len());
    let world = |yielder: &Yielder<(), Wish>, ()| {
        let host = Suspended {
            cluster: &cluster,
            world: yielder,
            reached_us: Cell::new(0),
        };
        runner.run_hosted(plan, watch, &host)
    };
    let mut stack = STACK.take().unwrap_or_default();
    let _current = cluster::enter(&cluster);
    let outcome = ScopedCoroutine::with_stack(&mut stack, world)
        .scope(|world| runtime.block_on(supervise(world, &cluster)));
    STACK.set(Some(stack));
    outcome
}

/// The runtime as the world sees it: at every step and for every passing of time the world is
/// suspended.
struct Suspended<'a> {
    cluster: &'a Cluster,
    world: &'a Yielder<(), Wish>,
    reached_us: Cell<u64>,
}

impl Host for Suspended<'_> {
    fn start(&self, position: usize, task: Rc<dyn Task>) {
        self.cluster.start(position, task);
    }

    fn step(&self, position: usize) {
        self.cluster.wake(position);
        self.world.suspend(Wish::Step);
    }

    fn kill(&self, position: usize) {
        self.cluster.kill(position);
    }

    fn pace(&self, paused: &mut dyn Iterator<Item = bool>, now_us: u64) {
        self.cluster.keep_still(paused);
        if now_us > self.reached_us.get() {
            self.reached_us.set(now_us);
            self.world.suspend(Wish::Time(now_us));
        }
    }
}

/// Grants the world's wishes until it is done, and sees every task off.
async fn supervise(mut world: World<'_, '_>, cluster: &Cluster) -> Outcome {
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

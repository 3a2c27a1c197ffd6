//! The shrinker: from a plan that fails to a smaller one that fails in the same
//! way. It proposes simpler plans, runs each, and keeps those that break the same
//! property, until nothing simpler does. What it ends with has no more faults and operations,
//! both together, than what it began with. It knows nothing of what goes on inside a
//! run, and decides by plans and outcomes alone: for a given plan and subject the
//! result is the same each time, unless its time is up before.

mod condense;
mod faults;
mod freeze;
mod nodes;
mod operations;
mod options;
mod random;
mod schedule;
mod subset;
mod times;
mod trial;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::watchdog::{Patience, Watchdog};
use squall_core::engine::Failure;
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use trial::Trial;

/// One way to look for a simpler plan.
type Pass = fn(&mut Trial<'_>);

/// The passes, in groups: one that changes something is followed by the first group again. So what
/// takes away much, and makes runs cheaper, comes before what adds first and takes away after, and
/// both before what only makes simpler what is left.
const GROUPS: &[&[(&str, Pass)]] = &[
    &[
        ("freeze clients", freeze::clients),
        ("cut the storm short", times::cut),
        ("cut its start", times::cut_long),
        ("reduce operations", operations::reduce),
        ("reduce faults", faults::reduce),
        ("remove nodes", nodes::remove),
        ("cut its start", times::cut_start),
        ("plain schedule", schedule::simplify),
        ("plain options", options::simplify),
        ("remove operations", operations::remove),
        ("remove faults", faults::remove),
    ],
    &[("freeze times", freeze::times)],
    &[("freeze the network", freeze::network)],
    &[("remove at random", random::leave_out)],
    &[
        ("condense operations", condense::condense),
        ("shorten", times::shorten),
        ("simplify faults", faults::simplify),
        ("simplify operations", operations::simplify),
        ("another seed", times::reseed),
    ],
];

/// Rounds after which the shrinker is content, whatever it could still find. Each
/// step makes a plan simpler, so that this is never reached but by a mistake of ours.
const MOST_ROUNDS: usize = 256;

/// Shrinks plans of one subject.
pub struct Shrinker<'a> {
    /// The subject.
    pub subject: &'a RegisteredSubject,
    /// Threads; at least 1. The result does not depend on it.
    pub jobs: usize,
    /// End with the best so far after this long.
    pub time_limit: Option<Duration>,
    /// Set from outside to end with the best so far: runs that go on end before their next event.
    pub stop: &'a AtomicBool,
    /// Who hears of runs that hang. Without, they are waited for in silence.
    pub hangs: Option<Patience<'a>>,
}

/// How large a plan is, and its run up to the violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Operations that clients ask for, up to the violation where they are drawn.
    pub operations: usize,
    /// Nodes, those included that may join later.
    pub nodes: usize,
    /// Steps up to the violation.
    pub steps: u64,
    /// Simulated time up to the violation, in microseconds.
    pub time_us: u64,
}

/// How far a shrinker is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The pass that goes on.
    pub pass: &'a str,
    /// Plans run so far.
    pub runs: u64,
    /// The best so far.
    pub best: Size,
}

/// What a pass came to, over all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its name.
    pub pass: &'static str,
    /// Plans that it ran.
    pub runs: u64,
    /// Those that were simpler and failed in the same way.
    pub kept: u64,
}

/// Why a shrinker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing simpler that it knows to propose fails in the same way.
    Smallest,
    /// Its time was up.
    OutOfTime,
    /// It was stopped from outside.
    Interrupted,
}

/// What a shrinker came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan found.
    pub plan: Plan,
    /// How it fails.
    pub failure: Failure,
    /// The size of the plan that it came from.
    pub before: Size,
    /// Its own.
    pub after: Size,
    /// What was tried.
    pub tried: Vec<Tried>,
    /// Plans run.
    pub runs: u64,
    /// Why this is the end.
    pub ended: Ended,
    /// Processor time that the whole process took for it.
    pub cpu: Duration,
}

/// The plan does not fail, so that there is nothing to shrink; or not as far as its run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {steps} steps without a violation", if *.interrupted { "it was interrupted before the plan failed" } else { "the plan does not fail" })]
pub struct Clean {
    /// Steps of its run.
    pub steps: u64,
    /// The run was ended from outside, so that nothing is known of the rest.
    pub interrupted: bool,
}

/// How long the first run goes on once the shrinker is to end: without it there is nothing to end
/// with.
const FIRST_RUN: Duration = Duration::from_secs(1);

impl Shrinker<'_> {
    /// Shrinks `plan`. `tell` hears of every plan that was run.
    ///
    /// # Errors
    /// [`Clean`], when the plan does not fail, or is stopped before it could.
    ///
    /// # Panics
    /// When the plan is not valid, or the operating system refuses to start a thread.
    #[allow(clippy::disallowed_methods)] // The time limit, outside of every simulation.
    pub fn run(&self, plan: &Plan, tell: &mut dyn FnMut(Progress<'_>)) -> Result<Shrunk, Clean> {
        let deadline = self.time_limit.map(|limit| Instant::now() + limit);
        let patience = self.hangs.and_then(|hangs| hangs.time);
        let watchdog = Watchdog::new(self.jobs, patience);
        // The first run is no candidate, and has no deadline.
        let (is_under_way, began) = (AtomicBool::new(false), Instant::now());
        let is_over = || {
            let is_out_of_time = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let stops = self.stop.load(Ordering::Relaxed);
            match is_under_way.load(Ordering::Relaxed) {
                true => stops || is_out_of_time,
                false => stops && began.elapsed() >= FIRST_RUN,
            }
        };
        let hangs = |hang| {
            if let Some(Patience { tell, .. }) = self.hangs {
                tell(&hang);
            }
        };
        let shrink = || {
            let trial = Trial::new(self, &watchdog, deadline, plan, tell)?;
            is_under_way.store(true, Ordering::Relaxed);
            Ok(Self::passes(trial))
        };
        let done = watchdog.beside(is_over, hangs, shrink);
        done.expect("the operating system starts threads")
    }

    fn passes(mut trial: Trial<'_>) -> Shrunk {
        let mut group = 0;
        for _ in 0..MOST_ROUNDS {
            let Some(passes) = GROUPS.get(group) else {
                break;
            };
            let before = trial.best().clone();
            for (name, pass) in *passes {
                trial.begin(name);
                pass(&mut trial);
            }
            group = match *trial.best() == before {
                true => group + 1,
                false => 0,
            };
        }
        trial.conclude()
    }
}

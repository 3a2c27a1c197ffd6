//! A sweep: many plans, spread over cores, and what they add up to. Each run
//! is on one thread and knows of no other; results are taken in the order of
//! their seeds, so a sweep's outcome does not depend on how many jobs it had.

mod leak;
mod lookout;
mod threads;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use leak::{Leak, USUAL_CAUSES, find_leak};
pub use lookout::{Lookout, NoThreads};
pub(crate) use threads::pool;

use crate::shard::Shard;
use crate::strategy::{Feedback, Kind, Strategy};
use crate::watchdog::{Hang, Watchdog};
use squall_core::counters::{Counter, Counters};
use squall_core::coverage::{Coverage, Map, RunCoverage};
use squall_core::engine::{Failure, Observer, Outcome};
use squall_core::options::Feature;
use squall_core::plan::{Plan, PlanSpace, Profile};
use squall_core::registry::{RegisteredSubject, Runner};
use squall_world::hash::mix;

/// One seed in this many is run twice, to see that both runs are the same; of a subject in a
/// process of its own the last seed is as well, before which that process has run others.
const DOUBLE_RUN_EVERY: u64 = 100;

/// A profile's required events are demanded of sweeps of at least this many runs.
pub const RUNS_FOR_REQUIRED: u64 = 1_000;

/// What to sweep.
pub struct Sweep<'a> {
    /// The subject.
    pub subject: &'a RegisteredSubject,
    /// What plans are drawn from.
    pub profile: &'a Profile,
    /// How plans are looked for in [`Sweep::run`].
    pub strategy: Kind,
    /// Record which states runs cover, even where the strategy does not ask for it.
    pub coverage: bool,
    /// Plans to begin with, for a strategy that learns: the first runs are theirs.
    pub corpus: Vec<Plan>,
    /// The seeds; `u64::MAX` as the end means: until the time is up.
    pub seeds: Range<u64>,
    /// Which of the portions of the seeds are run: all of them for [`Shard::WHOLE`]. Of a shard
    /// that is a part, the events that the profile requires are not demanded.
    pub shard: Shard,
    /// Threads; at least 1.
    pub jobs: usize,
    /// After this long, start no run, and end early those in progress: they count for nothing.
    pub time_limit: Option<Duration>,
    /// Go on after a violation.
    pub keep_going: bool,
    /// Set from outside to end the sweep early: runs in progress end before their next event, and
    /// count for nothing.
    pub stop: &'a AtomicBool,
    /// The observer that hears of runs that begin, end and hang. Without one, a run that hangs is
    /// waited for in silence.
    pub lookout: Option<&'a dyn Lookout>,
}

/// Something that a sweep reports while it is under way.
pub enum SweepEvent<'a> {
    /// How many runs are done, and with how many findings.
    Progress {
        /// Runs done.
        runs: u64,
        /// Violations found.
        findings: u64,
        /// Steps made.
        steps: u64,
        /// States covered, where they are recorded.
        states: Option<u64>,
    },
    /// A run ended in a violation.
    Finding(&'a Finding),
    /// All seeds of the shard before `next` are done, and add up to this: a sweep can go on from
    /// here ([`Sweep::go_on`]).
    Batch {
        /// The first seed after the portion.
        next: u64,
        /// What the shard's seeds before it add up to, `missing` aside.
        summary: &'a Summary,
        /// The digests of the portion's runs, in the order of their seeds.
        digests: &'a [u64],
    },
    /// The strategy keeps this plan, because it reached something new.
    Kept(&'a Plan),
}

/// A run that ended in a violation.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What broke, where and when.
    pub failure: Failure,
    /// The run.
    pub plan: Plan,
    /// The seed of the run in its sweep: the plan's own, unless the plan was made from others.
    pub seed: u64,
}

/// What a sweep adds up to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Runs done.
    pub runs: u64,
    /// Steps of all runs.
    pub steps: u64,
    /// Simulated time of all runs, in microseconds.
    pub simulated_us: u64,
    /// Processor time that the whole process took for the sweep, and those of its subject.
    pub cpu: Duration,
    /// Wall-clock time.
    pub wall: Duration,
    /// A hash of all runs in the order of their seeds.
    pub digest: u64,
    /// How often each event happened.
    pub counters: Counters,
    /// What the runs of each of the profile's variants add up to, in the order of the variants;
    /// nothing where the profile has none, or where the strategy learns and plans do not come from
    /// seeds alone.
    pub variants: Vec<Tally>,
    /// The violations, in the order of their seeds.
    pub findings: Vec<Finding>,
    /// Plans that were run twice.
    pub double_runs: u64,
    /// The first plan whose two runs were not the same.
    pub leak: Option<Leak>,
    /// Events that the profile requires and that never happened, or not as often as it says;
    /// judged in sweeps of [`RUNS_FOR_REQUIRED`] runs or more.
    pub missing: Vec<String>,
    /// The sweep was ended from outside, or its subject is gone ([`Runner::is_gone`]).
    pub interrupted: bool,
    /// Which part of its sweep this is, where it is not all of it.
    pub shard: Option<Shard>,
    /// A run that hung, where that ended the sweep.
    pub hang: Option<Hang>,
    /// What the runs covered, where that was recorded.
    pub coverage: Option<Map>,
}

/// What the runs of one variant of a profile add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Runs done.
    pub runs: u64,
    /// Their steps.
    pub steps: u64,
    /// Those that ended in a violation.
    pub violations: u64,
}

/// What a sweep says of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No violation in any run, and what the profile requires happened.
    Clean,
    /// At least one violation.
    Violation,
    /// No violation, but an event that the profile requires never happened, or not as often as it
    /// says.
    Incomplete,
    /// No violation, but the sweep was ended early.
    Interrupted,
    /// No violation, but the sweep was ended by a run that hung.
    Hung,
    /// A plan's two runs differed: no result can be trusted.
    Nondeterministic,
}

impl Verdict {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Violation => "violation",
            Verdict::Incomplete => "incomplete",
            Verdict::Interrupted => "interrupted",
            Verdict::Hung => "hung",
            Verdict::Nondeterministic => "nondeterministic",
        }
    }

    /// The exit status that goes with it: 0 clean, 1 violation, 2 could not tell.
    pub fn status(self) -> u8 {
        match self {
            Verdict::Clean => 0,
            Verdict::Violation => 1,
            Verdict::Incomplete
            | Verdict::Interrupted
            | Verdict::Hung
            | Verdict::Nondeterministic => 2,
        }
    }
}

impl Summary {
    /// What this says of the subject.
    pub fn verdict(&self) -> Verdict {
        if self.leak.is_some() {
            Verdict::Nondeterministic
        } else if !self.findings.is_empty() {
            Verdict::Violation
        } else if self.hang.is_some() {
            Verdict::Hung
        } else if self.interrupted || self.runs == 0 && self.shard.is_none() {
            Verdict::Interrupted
        } else if !self.missing.is_empty() {
            Verdict::Incomplete
        } else {
            Verdict::Clean
        }
    }

    /// Steps a second of processor time.
    pub fn steps_per_cpu_second(&self) -> f64 {
        self.steps as f64 / self.cpu.as_secs_f64().max(1e-9)
    }
}

/// What carries runs out, and what observes them.
struct Threads<'a> {
    pool: &'a rayon::ThreadPool,
    watchdog: &'a Watchdog,
    is_out_of_time: &'a (dyn Fn() -> bool + Sync),
}

struct Run {
    seed: u64,
    /// The place of its variant among those of the profile.
    variant: Option<usize>,
    plan: Plan,
    outcome: Outcome,
    leak: Option<Leak>,
    duplicated: bool,
    trail: Option<RunCoverage>,
}

impl Sweep<'_> {
    /// Runs the sweep. `tell` hears of progress, and of each violation at the end of its portion.
    ///
    /// # Panics
    /// When the operating system refuses to start a thread.
    pub fn run(&self, tell: impl FnMut(SweepEvent<'_>)) -> Summary {
        self.run_with(&mut *self.strategy(), tell)
    }

    /// The sweep's strategy, with the corpus that it begins with.
    pub fn strategy(&self) -> Box<dyn Strategy + '_> {
        (self.strategy).over(self.space(), self.seeds.start, self.corpus.clone())
    }

    /// What strategies for this sweep make plans for.
    pub fn space(&self) -> PlanSpace<'_> {
        self.subject.plans(self.profile)
    }

    /// As [`Sweep::run`], with a strategy of your own.
    ///
    /// Seeds are handed out in portions. A sweep that stops at a violation takes the results of
    /// a portion in order up to it and drops the rest, so that its outcome is the same however
    /// many jobs there are.
    ///
    /// # Panics
    /// When the operating system refuses to start a thread.
    pub fn run_with(
        &self,
        strategy: &mut dyn Strategy,
        tell: impl FnMut(SweepEvent<'_>),
    ) -> Summary {
        let begun = self.go_on(strategy, self.seeds.start, Summary::default(), tell);
        begun.unwrap_or_else(|no_threads| panic!("{no_threads}"))
    }

    /// As [`Sweep::run_with`], from where a sweep was when it reported [`SweepEvent::Batch`]: it
    /// ends as that sweep would have ended, where its strategy learns nothing from runs.
    ///
    /// # Errors
    /// When the operating system refuses to start a thread; nothing has been run then.
    #[allow(clippy::disallowed_methods)] // A sweep times itself, outside of every simulation.
    pub fn go_on(
        &self,
        strategy: &mut dyn Strategy,
        next: u64,
        summary: Summary,
        tell: impl FnMut(SweepEvent<'_>),
    ) -> Result<Summary, NoThreads> {
        let refused = |why: String| NoThreads {
            jobs: self.jobs,
            why,
        };
        let pool = pool(self.jobs)?;
        let patience = self.lookout.and_then(|lookout| lookout.patience());
        let watchdog = Watchdog::new(self.jobs, patience);
        let (wall_then, began) = (summary.wall, Instant::now());
        let is_out_of_time = || {
            self.time_limit
                .is_some_and(|limit| wall_then + began.elapsed() >= limit)
        };
        // Held by this thread but while runs go on, which is when the watchdog looks.
        let summary = Mutex::new(summary);
        let is_over = || self.stop.load(Ordering::Relaxed) || is_out_of_time();
        let hangs = |hang| {
            if let Some(lookout) = self.lookout {
                lookout.hangs(&hang, &lock(&summary));
            }
        };
        let sweep = || {
            let threads = Threads {
                pool: &pool,
                watchdog: &watchdog,
                is_out_of_time: &is_out_of_time,
            };
            self.portions(strategy, next, &summary, &threads, tell);
        };
        let done = watchdog.beside(is_over, hangs, sweep);
        done.map_err(|error| refused(error.to_string()))?;
        Ok(summary.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Portion by portion, until there is no more to do.
    #[allow(clippy::disallowed_methods)] // A sweep times itself, outside of every simulation.
    fn portions(
        &self,
        strategy: &mut dyn Strategy,
        mut next: u64,
        shared: &Mutex<Summary>,
        threads: &Threads<'_>,
        mut tell: impl FnMut(SweepEvent<'_>),
    ) {
        let mut summary = lock(shared);
        let (cpu_then, wall_then) = (summary.cpu, summary.wall);
        let began = Instant::now();
        let runner = &*self.subject.runner;
        let cpu_before = cpu_of(runner);
        if self.coverage || strategy.learns() {
            summary.coverage.get_or_insert_default();
        }
        if !strategy.learns() {
            let variants = self.profile.variants.len();
            summary.variants.resize(variants, Tally::default());
        }
        summary.shard = (!self.shard.is_whole()).then_some(self.shard);
        let portion = strategy.portion();
        let mine = |next| self.shard.go_to(&self.seeds, portion, next);
        next = mine(next);
        let out_of_time = threads.is_out_of_time;
        let stops = |summary: &Summary| !summary.findings.is_empty() && !self.keep_going;
        while next < self.seeds.end && !out_of_time() && summary.leak.is_none() && !stops(&summary)
        {
            let end = self.seeds.end.min(next.saturating_add(portion));
            let source = &*strategy;
            // What comes after a violation that ends the sweep will not count: it need not run.
            let last = AtomicU64::new(u64::MAX);
            let one = |seed| {
                let counts = self.keep_going || seed < last.load(Ordering::Relaxed);
                let ends = self.stop.load(Ordering::Relaxed) || runner.is_gone().is_some();
                let go = counts && !ends && !out_of_time();
                let run = go.then(|| self.run_seed(source, seed, threads.watchdog))??;
                if run.outcome.failure.is_some() {
                    last.fetch_min(seed, Ordering::Relaxed);
                }
                Some(run)
            };
            drop(summary);
            let runs: Vec<Option<Run>> =
                (threads.pool).install(|| (next..end).into_par_iter().map(one).collect());
            summary = lock(shared);
            let whole = runs.iter().all(Option::is_some);
            let digests = runs.iter().flatten().map(|run| run.outcome.digest);
            let digests: Vec<u64> = digests.collect();
            let mut feedback = Vec::new();
            for run in runs.into_iter().flatten() {
                let (run_feedback, finding) = summary.take(run);
                feedback.extend(run_feedback);
                if let Some(finding) = finding {
                    tell(SweepEvent::Finding(finding));
                    if !self.keep_going {
                        break;
                    }
                }
            }
            if let Some(map) = &summary.coverage {
                let kept = strategy.learn(&feedback, map);
                kept.iter()
                    .for_each(|kept| tell(SweepEvent::Kept(&feedback[*kept].plan)));
            }
            let findings = summary.findings.len() as u64;
            tell(SweepEvent::Progress {
                runs: summary.runs,
                findings,
                steps: summary.steps,
                states: summary.coverage.as_ref().map(Map::states),
            });
            if self.stop.load(Ordering::Relaxed) || runner.is_gone().is_some() {
                summary.interrupted = true;
                break;
            }
            summary.cpu = cpu_then + cpu_of(runner).saturating_sub(cpu_before);
            summary.wall = wall_then + began.elapsed();
            if whole && !stops(&summary) {
                tell(SweepEvent::Batch {
                    next: end,
                    summary: &summary,
                    digests: &digests,
                });
            }
            next = mine(end);
        }
        summary.cpu = cpu_then + cpu_of(runner).saturating_sub(cpu_before);
        summary.wall = wall_then + began.elapsed();
        if summary.runs >= RUNS_FOR_REQUIRED && self.shard.is_whole() {
            summary.missing = self.missing(&*strategy, &summary.counters);
        }
    }

    /// Runs the plan of a seed; none when the run was cut short.
    fn run_seed(&self, strategy: &dyn Strategy, seed: u64, watchdog: &Watchdog) -> Option<Run> {
        let plan = Arc::new(strategy.plan(seed));
        let job = rayon::current_thread_index().unwrap_or(0);
        let watched = watchdog.watch(job, seed, plan.clone());
        let _looked_on = self.lookout.map(|lookout| {
            lookout.begins(job, seed, &plan);
            lookout::Ends { lookout, job }
        });
        let mut coverage =
            (self.coverage || strategy.learns()).then(|| Coverage::new(plan.nodes().len()));
        let pulse = &watched.pulse;
        let watch = Observer {
            coverage: coverage.as_mut(),
            pulse: Some(pulse.clone()),
            ..Observer::default()
        };
        let counts_for_nothing = || pulse.was_cut() || self.subject.runner.is_gone().is_some();
        let outcome = self.subject.runner.run(&plan, watch);
        if counts_for_nothing() {
            return None;
        }
        let duplicated = self.is_run_twice(seed);
        let leak = if duplicated {
            find_leak(self.subject, &plan, &outcome, Some(pulse))
        } else {
            None
        };
        if counts_for_nothing() {
            return None;
        }
        drop(watched);
        let supports = self.subject.runner.supports();
        Some(Run {
            seed,
            variant: self.profile.variant_of(seed, supports),
            plan: Arc::unwrap_or_clone(plan),
            outcome,
            leak,
            duplicated,
            trail: coverage.map(|coverage| coverage.trail()),
        })
    }

    fn is_run_twice(&self, seed: u64) -> bool {
        let is_last_of_process = self.subject.command.is_some() && seed + 1 == self.seeds.end;
        is_last_of_process || (seed - self.seeds.start).is_multiple_of(DOUBLE_RUN_EVERY)
    }

    /// The events that the profile requires and that never happened in all runs of a sweep
    /// together, or not as often as it says.
    #[doc(hidden)] // The command line judges by it what shards add up to.
    pub fn missing(&self, strategy: &dyn Strategy, counters: &Counters) -> Vec<String> {
        let required = self
            .profile
            .require
            .iter()
            .filter_map(|name| Counter::named(name));
        let supports = self.subject.runner.supports();
        let own = self.subject.runner.own();
        let can = |event: &Counter| {
            let keys_and_locks = own.has_machine && event.is_of_keys_and_locks();
            let bare_network = own.uses_streams && event.is_of_bare_network();
            let needs = event.needs();
            let has = |feature: &Feature| supports.contains(feature);
            let lacks = event.needs_besides().is_some_and(|also| !has(&also));
            let has_any = needs.is_empty() || needs.iter().any(has);
            !keys_and_locks && !bare_network && !lacks && has_any
        };
        let never = required.filter(|event| can(event) && counters.get(*event) == 0);
        let shares = self.profile.shares.iter();
        let rare = shares.filter(|share| strategy.draws_alike() && share.events().iter().all(can));
        let never = never.map(|event| event.name().to_owned());
        let rare = rare.filter_map(|share| share.unmet(counters));
        never.chain(rare).collect()
    }
}

impl Summary {
    /// Takes in a run: what is to be learnt from it, and how it failed.
    fn take(&mut self, run: Run) -> (Option<Feedback>, Option<&Finding>) {
        let Run {
            seed,
            variant,
            plan,
            outcome,
            leak,
            duplicated,
            trail,
        } = run;
        self.runs += 1;
        self.steps += outcome.steps;
        self.simulated_us += outcome.time_us;
        self.digest = mix(self.digest, outcome.digest);
        self.counters.merge(&outcome.counters);
        self.double_runs += u64::from(duplicated);
        if self.leak.is_none() {
            self.leak = leak;
        }
        let failed = outcome.failure.is_some();
        if let Some(tally) = variant.and_then(|place| self.variants.get_mut(place)) {
            tally.runs += 1;
            tally.steps += outcome.steps;
            tally.violations += u64::from(failed);
        }
        let finding = outcome.failure.map(|failure| Finding {
            failure,
            plan: plan.clone(),
            seed,
        });
        let run_feedback = match (&mut self.coverage, trail) {
            (Some(map), Some(trail)) => Some(Feedback {
                seed,
                plan,
                news: map.add(&trail),
                trail,
                steps: outcome.steps,
                failed,
            }),
            _ => None,
        };
        let finding = finding.map(|finding| {
            self.findings.push(finding);
            &self.findings[self.findings.len() - 1]
        });
        (run_feedback, finding)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Processor time so far of this process, all threads together, and of those that `runner` has.
pub(crate) fn cpu_of(runner: &dyn Runner) -> Duration {
    process_cpu() + runner.time_elsewhere()
}

fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

//! A trial: the best plan so far, and whether another one fails in the same way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::{Clean, Ended, Progress, Shrinker, Shrunk, Size, Tried};
use crate::sweep::{cpu_of, pool};
use crate::watchdog::{Watchdog, Watched};
use squall_core::engine::{Failure, Observer, Outcome, Recording};
use squall_core::invariants::{Property, Violation};
use squall_core::own::Hazard;
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_world::hash::{finish, mix_bytes};

/// A run that makes more steps than so many times those of the best, and
/// [`SPARE_STEPS`] on top, is cut off: what takes much longer is not simpler.
const TIMES_STEPS: u64 = 2;
const SPARE_STEPS: u64 = 5_000;

/// Steps that trying a candidate with other seeds may take, about, and how many seeds that is.
const STEPS_OF_OTHERS: u64 = 20_000;
const FEWEST_OTHERS: u64 = 3;
const MOST_OTHERS: u64 = 24;

/// Steps that an attempt may take in any case.
const LEAST_WORK: u64 = 1_000_000;

/// What a plan must break to be taken for the same failure: see [`Violation::is_like`].
struct Aim(Violation);

impl Aim {
    /// How `plan` goes within so many steps.
    fn judge(
        &self,
        subject: &RegisteredSubject,
        watchdog: &Watchdog,
        plan: &Plan,
        most_steps: u64,
    ) -> Judged {
        let mut recording = Recording::default();
        let watched = watched(watchdog, plan);
        let watch = Observer {
            most_steps: Some(most_steps),
            pulse: Some(watched.pulse.clone()),
            // What clients draw is known by a run only.
            recording: plan.script.is_none().then_some(&mut recording),
            ..Observer::default()
        };
        let outcome = subject.runner.run(plan, watch);
        let failure = outcome.failure.as_ref();
        Judged {
            is_hit: failure.is_some_and(|failure| self.0.is_like(&failure.violation)),
            drawn: recording.script.len(),
            outcome,
        }
    }
}

/// A candidate that was run.
struct Judged {
    outcome: Outcome,
    /// It fails in the same way.
    is_hit: bool,
    /// Operations that its clients drew.
    drawn: usize,
}

/// One plan being shrunk.
pub(super) struct Trial<'a> {
    subject: &'a RegisteredSubject,
    aim: Aim,
    best: Plan,
    /// Conditions that the first plan does not have, under which the library is known to fail in
    /// the same way: what fails for one of them in the end is another failure than the one to be
    /// shown.
    clear_of: Vec<Hazard>,
    failure: Failure,
    steps: u64,
    before: Size,
    /// Operations that clients drew in the best plan's run, if it lists none.
    drawn: usize,
    /// Election time-outs that every plan leaves for convergence: those of the first.
    patience: u64,
    /// Plans that have been run, by hash.
    seen: BTreeSet<u64>,
    tried: Vec<Tried>,
    pass: usize,
    /// Steps of all runs so far.
    work: u64,
    /// What that may come to before an attempt is given up.
    most_work: Option<u64>,
    /// A plan may be larger than the best, by faults and operations.
    may_grow: bool,
    /// The size of the plan that an attempt began with, while it goes on.
    assured: Option<Size>,
    pool: rayon::ThreadPool,
    watchdog: &'a Watchdog,
    jobs: usize,
    deadline: Option<Instant>,
    stop: &'a AtomicBool,
    cpu_before: Duration,
    tell: &'a mut dyn FnMut(Progress<'_>),
}

impl<'a> Trial<'a> {
    pub(super) fn new(
        shrinker: &'a Shrinker<'a>,
        watchdog: &'a Watchdog,
        deadline: Option<Instant>,
        plan: &Plan,
        tell: &'a mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, Clean> {
        let subject = shrinker.subject;
        let cpu_before = cpu_of(&*subject.runner);
        let (outcome, recording) = record(subject, watchdog, plan);
        let drawn = recording.script.len();
        let Some(failure) = outcome.failure else {
            return Err(Clean {
                steps: outcome.steps,
                interrupted: shrinker.stop.load(Ordering::Relaxed),
            });
        };
        let pool = pool(shrinker.jobs);
        Ok(Self {
            subject,
            clear_of: clear_of(subject, failure.violation.property(), plan),
            aim: Aim(failure.violation.clone()),
            best: plan.clone(),
            before: Size::of(plan, &failure, drawn),
            drawn,
            failure,
            steps: outcome.steps,
            patience: (plan.end_us - plan.heal_us) / plan.election_us(),
            seen: BTreeSet::from([hash(plan)]),
            tried: Vec::new(),
            pass: 0,
            work: 0,
            most_work: None,
            may_grow: false,
            assured: None,
            pool: pool.expect("the operating system starts threads"),
            watchdog,
            jobs: shrinker.jobs,
            deadline,
            stop: shrinker.stop,
            cpu_before,
            tell,
        })
    }

    /// The smallest plan so far.
    pub(super) fn best(&self) -> &Plan {
        &self.best
    }

    /// How the best plan fails.
    pub(super) fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Steps that the best plan's run makes.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// What chance decides in the best plan's run.
    pub(super) fn record(&self) -> Recording {
        record(self.subject, self.watchdog, &self.best).1
    }

    fn size(&self) -> Size {
        Size::of(&self.best, &self.failure, self.drawn)
    }

    /// What a smaller plan has less of: faults and operations.
    pub(super) fn load(&self) -> usize {
        load(&self.best, self.drawn)
    }

    fn runs(&self) -> u64 {
        self.tried.iter().map(|tried| tried.runs).sum()
    }

    /// From now on, what is tried is tried by this pass.
    pub(super) fn begin(&mut self, pass: &'static str) {
        let place = self.tried.iter().position(|tried| tried.pass == pass);
        self.pass = place.unwrap_or_else(|| {
            self.tried.push(Tried {
                pass,
                runs: 0,
                kept: 0,
            });
            self.tried.len() - 1
        });
    }

    #[allow(clippy::disallowed_methods)] // The time limit, outside of every simulation.
    fn is_out_of_time(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Whether the shrinker must end with what it has, or give up what it attempts.
    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.is_out_of_time() || self.is_spent()
    }

    fn is_spent(&self) -> bool {
        self.most_work.is_some_and(|most| self.work >= most)
    }

    /// Goes on from `detour`, which may be larger, if it fails in the same way, with each of
    /// `passes`. All is taken back unless that ends with a plan of at most `most` faults and
    /// operations. No more work is done for it than has been done so far, or [`LEAST_WORK`]
    /// steps.
    pub(super) fn attempt(&mut self, detour: &Plan, most: usize, passes: &[fn(&mut Trial<'_>)]) {
        let best = (self.best.clone(), self.failure.clone());
        let (steps, drawn, tried) = (self.steps, self.drawn, self.tried.clone());
        self.assured = Some(self.size());
        self.may_grow = true;
        let begun = self.takes_reseeded(detour);
        self.may_grow = false;
        if !begun {
            self.assured = None;
            return;
        }
        self.most_work = Some(self.work + self.work.max(LEAST_WORK));
        for pass in passes {
            pass(self);
        }
        self.most_work = None;
        self.assured = None;
        if self.load() > most {
            (self.best, self.failure) = best;
            (self.steps, self.drawn) = (steps, drawn);
            // What was run was run, but nothing of it was kept.
            for (now, before) in self.tried.iter_mut().zip(tried) {
                now.kept = before.kept;
            }
        }
    }

    /// How many other seeds are worth a try: the more, the cheaper a run is. Most runs do not fail,
    /// and those that do may be by far the longest.
    pub(super) fn other_seeds(&self) -> u64 {
        let mean = self.work / self.runs().max(1);
        let steps = self.steps.min(mean).max(1);
        (STEPS_OF_OTHERS / steps).clamp(FEWEST_OTHERS, MOST_OTHERS)
    }

    /// Whether the candidate fails in the same way; then it is the best from now on.
    pub(super) fn takes(&mut self, candidate: Plan) -> bool {
        self.first(std::iter::once(candidate)).is_some()
    }

    /// As [`Trial::takes`], with other seeds too: another order of events may show what this one
    /// hides.
    pub(super) fn takes_reseeded(&mut self, candidate: &Plan) -> bool {
        // The best itself with another seed is no simpler.
        if *candidate == self.best {
            return false;
        }
        let own = candidate.seed;
        let others = 0..self.other_seeds();
        let seeds = std::iter::once(own).chain(others.filter(move |seed| *seed != own));
        self.first(seeds.map(|seed| Plan {
            seed,
            ..candidate.clone()
        }))
        .is_some()
    }

    /// The first of the candidates that fails in the same way is the best from now on. Says which.
    pub(super) fn first(&mut self, candidates: impl Iterator<Item = Plan>) -> Option<usize> {
        self.first_where(candidates, |_| true)
    }

    /// As [`Trial::first`], where the run is also as `wanted`.
    pub(super) fn first_where(
        &mut self,
        mut candidates: impl Iterator<Item = Plan>,
        wanted: impl Fn(&Outcome) -> bool,
    ) -> Option<usize> {
        // What follows is long, and compiled once.
        self.first_of(&mut candidates, &wanted)
    }

    fn first_of(
        &mut self,
        candidates: &mut dyn Iterator<Item = Plan>,
        wanted: &dyn Fn(&Outcome) -> bool,
    ) -> Option<usize> {
        let mut candidates = candidates.enumerate();
        // Looked at before candidates are: those that are not run count as not seen.
        while !self.is_over() {
            // As many at a time as there are threads; of those that fail the first
            // counts, so that the result is the same with any number of them.
            let mut batch = Vec::new();
            while batch.len() < self.jobs {
                let Some((number, mut plan)) = candidates.next() else {
                    break;
                };
                plan.end_us = plan.heal_us + self.patience * plan.election_us();
                let strays = self.clear_of.iter().any(|hazard| hazard.is_in(&plan));
                let grows = !self.may_grow && load(&plan, 0) > self.load();
                if !strays && !grows && plan.validate().is_ok() && self.seen.insert(hash(&plan)) {
                    batch.push((number, plan));
                }
            }
            if batch.is_empty() {
                return None;
            }
            let (subject, watchdog, aim) = (self.subject, self.watchdog, &self.aim);
            let most_steps = TIMES_STEPS * self.steps + SPARE_STEPS;
            let judge = |(_, plan): &(usize, Plan)| aim.judge(subject, watchdog, plan, most_steps);
            let judged: Vec<Judged> = match batch.len() {
                1 => batch.iter().map(judge).collect(),
                _ => self.pool.install(|| batch.par_iter().map(judge).collect()),
            };
            let mut hit = None;
            for ((number, plan), judged) in batch.into_iter().zip(judged) {
                // What ran beside a hit and comes after it does not count, nor what is beyond the
                // work that may be done.
                if hit.is_some() || self.is_spent() {
                    self.seen.remove(&hash(&plan));
                    continue;
                }
                self.tried[self.pass].runs += 1;
                self.work += judged.outcome.steps;
                let grows = load(&plan, judged.drawn) > self.load();
                if judged.is_hit && wanted(&judged.outcome) && (self.may_grow || !grows) {
                    self.keep(plan, judged);
                    hit = Some(number);
                } else {
                    self.progress();
                }
            }
            if hit.is_some() {
                return hit;
            }
        }
        None
    }

    fn keep(&mut self, plan: Plan, judged: Judged) {
        self.tried[self.pass].kept += 1;
        self.best = plan;
        self.steps = judged.outcome.steps;
        self.drawn = judged.drawn;
        self.failure = judged.outcome.failure.expect("it fails");
        self.progress();
    }

    fn progress(&mut self) {
        let progress = Progress {
            pass: self.tried[self.pass].pass,
            runs: self.runs(),
            // What is attempted may be taken back.
            best: self.assured.unwrap_or_else(|| self.size()),
        };
        (self.tell)(progress);
    }

    pub(super) fn conclude(self) -> Shrunk {
        let ended = if self.stop.load(Ordering::Relaxed) {
            Ended::Interrupted
        } else if self.is_out_of_time() {
            Ended::OutOfTime
        } else {
            Ended::Smallest
        };
        Shrunk {
            before: self.before,
            after: self.size(),
            runs: self.runs(),
            cpu: cpu_of(&*self.subject.runner).saturating_sub(self.cpu_before),
            plan: self.best,
            failure: self.failure,
            tried: self.tried,
            ended,
        }
    }
}

impl Size {
    /// `drawn` operations are those of a plan that lists none.
    fn of(plan: &Plan, failure: &Failure, drawn: usize) -> Self {
        Self {
            faults: plan.faults.len(),
            operations: operations(plan, drawn),
            nodes: plan.nodes().len(),
            steps: failure.step,
            time_us: failure.time_us,
        }
    }
}

/// Operations that clients ask for; `drawn` are those of a plan that lists none.
fn operations(plan: &Plan, drawn: usize) -> usize {
    plan.script.as_ref().map_or(drawn, Vec::len)
}

fn load(plan: &Plan, drawn: usize) -> usize {
    plan.faults.len() + operations(plan, drawn)
}

/// Faults and operations that a plan lists.
pub(super) fn pieces(plan: &Plan) -> u64 {
    load(plan, 0) as u64
}

/// Conditions that `plan` does not have, and under which the subject is known to break `property`.
fn clear_of(subject: &RegisteredSubject, property: Property, plan: &Plan) -> Vec<Hazard> {
    let issues = subject.runner.own().issues.iter();
    issues
        .filter(|issue| issue.breaks.contains(&property.name()))
        .flat_map(|issue| issue.hazards.iter().copied())
        .filter(|hazard| !hazard.is_in(plan))
        .collect()
}

/// A run of `plan` begins on this thread.
fn watched<'a>(watchdog: &'a Watchdog, plan: &Plan) -> Watched<'a> {
    let job = rayon::current_thread_index().unwrap_or(0);
    watchdog.watch(job, plan.seed, Arc::new(plan.clone()))
}

/// Runs a plan and records what chance decides in it.
fn record(subject: &RegisteredSubject, watchdog: &Watchdog, plan: &Plan) -> (Outcome, Recording) {
    let mut recording = Recording::default();
    let watched = watched(watchdog, plan);
    let watch = Observer {
        pulse: Some(watched.pulse.clone()),
        recording: Some(&mut recording),
        ..Observer::default()
    };
    let outcome = subject.runner.run(plan, watch);
    (outcome, recording)
}

fn hash(plan: &Plan) -> u64 {
    finish(mix_bytes(0, plan.to_json().as_bytes()))
}

//! A test's body as a subject: to run a plan on it is to run the body, and a panic of the body is a
//! failure of the run. So sweeps, the shrinker and reports need not know of tests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::sim::{Observed, Over, Sim};
use squall_core::counters::Counters;
use squall_core::engine::{
    Failure, Happened, Line, NOTE, Observer, Outcome, Recording, Weight, of_test,
};
use squall_core::invariants::Violation;
use squall_core::invariants::breach::NoPanic;
use squall_core::options::Feature;
use squall_core::own::Own;
use squall_core::plan::Plan;
use squall_core::registry::Runner;
use squall_world::hash::{mix, mix_bytes};

/// Plans whose two runs were not the same, by seed.
#[derive(Clone, Debug, Default)]
pub(super) struct Unequal(Arc<Mutex<BTreeMap<u64, Plan>>>);

impl Unequal {
    fn add(&self, plan: &Plan) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(plan.seed, plan.clone());
    }

    /// The plan of the first seed.
    pub(super) fn first(&self) -> Option<Plan> {
        let plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.values().next().cloned()
    }
}

/// A subject within a test's body.
pub(super) struct Body<S, F> {
    subject: Arc<S>,
    body: F,
    /// Run every plan twice, and keep those whose runs differ.
    twice: Option<Unequal>,
}

impl<S: Runner, F: Fn(Sim<S>) + Send + Sync> Body<S, F> {
    pub(super) fn new(subject: S, body: F, twice: Option<Unequal>) -> Self {
        Self {
            subject: Arc::new(subject),
            body,
            twice,
        }
    }
}

impl<S: Runner, F: Fn(Sim<S>) + Send + Sync> Runner for Body<S, F> {
    fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        let is_cut = watch.most_steps.is_some();
        let pulse = watch.pulse.clone();
        let was_cut = || pulse.as_ref().is_some_and(|pulse| pulse.was_cut());
        let again = || Observer {
            pulse: pulse.clone(),
            ..Observer::default()
        };
        let outcome = self.run_once(plan, watch);
        if let Some(unequal) = &self.twice
            // A run that is cut short is cut short by the shrinker, which is for plans that are the
            // same each time.
            && !is_cut
            && !was_cut()
            && self.run_once(plan, again()) != outcome
            && !was_cut()
        {
            unequal.add(plan);
        }
        outcome
    }

    fn supports(&self) -> &'static [Feature] {
        self.subject.supports()
    }

    fn own(&self) -> Own {
        self.subject.own()
    }
}

impl<S: Runner, F: Fn(Sim<S>) + Send + Sync> Body<S, F> {
    fn run_once(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        let observed = Rc::new(RefCell::new(Observed {
            lines: watch.lines.is_some().then(Vec::new),
            digests: watch.digests.is_some().then(Vec::new),
            recording: watch.recording.is_some().then(Recording::default),
            library_log: watch.library_log,
            most_steps: watch.most_steps,
            pulse: watch.pulse.clone(),
            ..Observed::default()
        }));
        let sim = Sim::new(self.subject.clone(), plan.clone(), observed.clone());
        let done = of_test(|| (self.body)(sim));
        let observed = observed.take();
        let ran = observed.outcome.is_some();
        let mut outcome = observed.outcome.unwrap_or_else(no_outcome);
        let breach = match done {
            Ok(()) if ran => None,
            Ok(()) => Some(NoPanic::TestRanNothing),
            Err((unwound, _)) if unwound.is::<Over>() => None,
            Err((_, panic)) => Some(NoPanic::TestPanicked { panic }),
        };
        let told = observed.lines.into_iter().flatten();
        let mut lines: Vec<Line> = told.collect();
        let mut add = |text: String, outcome: &Outcome| {
            lines.push(Line {
                time_us: outcome.time_us,
                step: outcome.steps,
                node: None,
                weight: Weight::Notable,
                text,
                event: Happened::Other,
            });
        };
        for note in observed.notes {
            add(format!("{NOTE}{note}"), &outcome);
        }
        if let Some(breach) = breach {
            add(
                format!("VIOLATION {}", fail(&mut outcome, breach)),
                &outcome,
            );
        }
        if let Some(told) = watch.lines {
            lines.into_iter().for_each(told);
        }
        if let (Some(told), Some(digests)) = (watch.digests, observed.digests) {
            *told = digests;
        }
        if let (Some(told), Some(recording)) = (watch.recording, observed.recording) {
            *told = recording;
        }
        outcome
    }
}

/// The outcome of a body that did not run its simulation.
fn no_outcome() -> Outcome {
    Outcome {
        failure: None,
        digest: 0,
        steps: 0,
        time_us: 0,
        counters: Counters::default(),
        nodes: Vec::new(),
        members_without_disk: Vec::new(),
    }
}

/// The run fails by its test.
fn fail(outcome: &mut Outcome, breach: NoPanic) -> Violation {
    let violation = *Violation::by(None, breach);
    outcome.digest = mix(outcome.digest, mix_bytes(0, violation.message().as_bytes()));
    outcome.failure = Some(Failure {
        violation: violation.clone(),
        step: outcome.steps,
        time_us: outcome.time_us,
    });
    violation
}

//! One simulation, as a test has it: a plan and the subject to carry it out on. It is run once.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

use squall_core::counters::Counters;
use squall_core::engine::{Line, Moment, NodeAtEnd, Observer, Outcome, Pulse, Recording};
use squall_core::plan::Plan;
use squall_core::registry::Runner;

/// A test's body unwinds with this when its run is over for it: a property is broken, or its
/// observer has seen enough.
pub(super) struct Over;

/// What an observer wants to know of a run, and what has become of the run.
#[derive(Default)]
pub(super) struct Observed {
    pub(super) lines: Option<Vec<Line>>,
    pub(super) digests: Option<Vec<u64>>,
    pub(super) recording: Option<Recording>,
    pub(super) library_log: bool,
    pub(super) most_steps: Option<u64>,
    pub(super) pulse: Option<Arc<Pulse>>,
    pub(super) outcome: Option<Outcome>,
    pub(super) notes: Vec<String>,
}

/// One simulation: a plan, drawn from a seed, and the subject to carry it out on. A test's body
/// runs it once, as it is or changed, and looks at what came of it.
pub struct Sim<S> {
    subject: Arc<S>,
    plan: Plan,
    observed: Rc<RefCell<Observed>>,
}

impl<S: Runner> Sim<S> {
    pub(super) fn new(subject: Arc<S>, plan: Plan, observed: Rc<RefCell<Observed>>) -> Self {
        Self {
            subject,
            plan,
            observed,
        }
    }

    /// The plan's seed.
    pub fn seed(&self) -> u64 {
        self.plan.seed
    }

    /// What is to happen.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is tested.
    pub fn subject(&self) -> &S {
        &self.subject
    }

    /// This simulation with another plan: `change` gets the plan as it was drawn, or as a
    /// regression has it, and is applied again when a failure is replayed.
    ///
    /// # Panics
    /// When the changed plan cannot be run ([`Plan::validate`]); that fails the test.
    #[track_caller]
    pub fn with(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.plan);
        if let Err(impossible) = self.plan.validate() {
            panic!("the plan as it was changed cannot be: {impossible}");
        }
        self
    }

    /// Says something about this run. Notes are printed when the run has failed, and are not lost
    /// among those of other runs.
    pub fn note(&self, text: impl std::fmt::Display) {
        self.observed.borrow_mut().notes.push(text.to_string());
    }

    /// Runs it to its end: convergence, or a violation, which fails the test and does not return.
    pub fn run(self) -> Run {
        self.carry_out(None)
    }

    /// Runs it until `enough` returns true after some event. [`Run::met`] says whether it did;
    /// otherwise the run went on to its own end. A violation fails the test and does not return.
    /// `enough` may assert what must hold at every moment.
    pub fn run_until(self, mut enough: impl FnMut(&Moment<'_>) -> bool) -> Run {
        self.carry_out(Some(&mut enough))
    }

    fn carry_out(self, mut enough: Option<&mut dyn FnMut(&Moment<'_>) -> bool>) -> Run {
        let mut observed = self.observed.borrow_mut();
        let Observed {
            lines,
            digests,
            recording,
            library_log,
            most_steps,
            pulse,
            outcome,
            ..
        } = &mut *observed;
        let mut keep = lines.as_mut().map(|lines| |line: Line| lines.push(line));
        let mut met = false;
        let mut unwound = None;
        // The engine takes what unwinds through it for its own.
        let mut until = enough.as_mut().map(|enough| {
            |moment: &Moment<'_>| match catch_unwind(AssertUnwindSafe(|| enough(moment))) {
                Ok(is_enough) => {
                    met |= is_enough;
                    is_enough
                }
                Err(payload) => {
                    unwound = Some(payload);
                    true
                }
            }
        });
        let watch = Observer {
            lines: keep.as_mut().map(|keep| keep as _),
            digests: digests.as_mut(),
            recording: recording.as_mut(),
            library_log: *library_log,
            most_steps: *most_steps,
            pulse: pulse.clone(),
            until: until.as_mut().map(|until| until as _),
            ..Observer::default()
        };
        let ended = self.subject.run(&self.plan, watch);
        *outcome = Some(ended.clone());
        let cut = most_steps.is_some_and(|most| ended.steps >= most) && !met
            || pulse.as_ref().is_some_and(|pulse| pulse.was_cut());
        drop(observed);
        if let Some(payload) = unwound {
            resume_unwind(payload);
        }
        if cut || ended.failure.is_some() {
            resume_unwind(Box::new(Over));
        }
        Run {
            outcome: ended,
            met,
        }
    }
}

/// A run that broke no property.
#[derive(Clone, Debug)]
pub struct Run {
    outcome: Outcome,
    met: bool,
}

impl Run {
    /// How it ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Every node at its end, in order of id.
    pub fn nodes(&self) -> &[NodeAtEnd] {
        &self.outcome.nodes
    }

    /// How often each event happened.
    pub fn counters(&self) -> &Counters {
        &self.outcome.counters
    }

    /// How often the event of that name in `squall list events` happened.
    ///
    /// # Panics
    /// When there is none of that name; the message names the nearest.
    #[track_caller]
    pub fn count(&self, event: &str) -> u64 {
        match super::event(event) {
            Ok(event) => self.outcome.counters.get(event),
            Err(unknown) => panic!("{unknown}"),
        }
    }

    /// Whether the condition of [`Sim::run_until`] was met. Without one it never is.
    pub fn met(&self) -> bool {
        self.met
    }
}

//! A failing run as a crate with one test, which needs nothing but the library under test: what a
//! maintainer of the library can run. The test makes the calls that the driver made, as few of them
//! as break the same rule.
//!
//! Which calls there are, and what they do, the adapter knows ([`Reproducer`]). Which of them are
//! needed is found by making them (`reduce`); how they are written down is in `render`.

mod reduce;
mod render;

use squall_core::invariants::breach::{Breach, NoPanic, Panic};
use squall_core::invariants::{Property, Violation};
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_core::reproduction::{Call, Case, Reading, Reproducer};

use crate::run_document::RunDocument;
use reduce::Reduction;

/// A crate that reproduces a violation.
#[derive(Clone, Debug)]
pub struct Reproduction {
    /// Its files, by their paths in the crate's folder.
    pub files: Vec<(&'static str, String)>,
    /// The calls that its test makes.
    pub calls: usize,
    /// Lines of its Rust source.
    pub lines: usize,
    /// What the test ends with.
    pub ends_with: String,
}

/// Why there is no such crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoReproduction {
    /// The run breaks nothing.
    #[error("the run is clean: there is nothing to reproduce")]
    Clean,
    /// The adapter cannot make the library's calls without the harness.
    #[error("the subject {0} cannot be written as Rust: its adapter does not say what it calls")]
    NotBySubject(String),
    /// The small cluster of a reproduction does not look at the property.
    #[error("a reproduction cannot tell that {} is broken", .0.name())]
    NotTold(Property),
    /// The calls do not break the rule without the harness.
    #[error(
        "the library's calls alone do not break {} in the same way; a shrunk plan may do better (squall shrink), or the run needs what a reproduction has not: disks that lose or spoil writes, a state machine, what the driver does beside the library",
        .0.name()
    )]
    NotAgain(Property),
}

/// The crate called `name` that reproduces the violation with which `plan` ends, of which
/// `document` tells.
///
/// # Errors
/// [`NoReproduction`] says why there is none.
pub fn rust(
    subject: &RegisteredSubject,
    plan: &Plan,
    document: &RunDocument,
    name: &str,
) -> Result<Reproduction, NoReproduction> {
    let Some(reproducer) = subject.reproducer else {
        return Err(NoReproduction::NotBySubject(subject.name.clone()));
    };
    let recorded = reproducer.record(plan);
    let Some(failure) = &recorded.outcome.failure else {
        return Err(NoReproduction::Clean);
    };
    let property = failure.violation.property();
    if !reproducer.can_tell(property) {
        return Err(NoReproduction::NotTold(property));
    }
    let begun = Reading::all().find_map(|reading| {
        let case = Case {
            plan: plan.clone(),
            property,
            up: recorded.up.clone(),
            reading,
        };
        let calls = reproducer.calls(&case, &recorded);
        let trial = Trial {
            reproducer,
            case,
            violation: &failure.violation,
            shape: None,
        };
        let trial = Trial {
            shape: trial.ending(&calls).map(|panic| shape(&panic.message)),
            ..trial
        };
        trial.fails(&calls).then_some((trial, calls))
    });
    let (mut trial, calls) = begun.ok_or(NoReproduction::NotAgain(property))?;
    let calls = Reduction::of(&mut trial, calls);
    let ends_with = reproducer.play(&trial.case, &calls);
    let ends_with = ends_with.map_or_else(String::new, |panic| panic.message);
    let source = render::source(&trial, &calls, document, &ends_with);
    Ok(Reproduction {
        calls: calls.len(),
        lines: source.lines().count(),
        files: vec![
            ("Cargo.toml", render::manifest(name, reproducer)),
            ("src/lib.rs", source),
        ],
        ends_with,
    })
}

/// What is tried with other calls.
struct Trial<'a> {
    reproducer: &'static dyn Reproducer,
    case: Case,
    violation: &'a Violation,
    /// How a check of the cluster complains of all the calls that were recorded.
    shape: Option<String>,
}

impl Trial<'_> {
    /// Whether a test of these calls fails as the run did: by a panic in the same line of the
    /// library, or by a check of the cluster.
    fn fails(&self, calls: &[Call]) -> bool {
        let Some(panic) = self.ending(calls) else {
            return false;
        };
        let Some(at) = &panic.place else {
            return false;
        };
        match &self.violation.breach {
            Breach::NoPanic(NoPanic::Panicked { panic }) => {
                let place = panic.place.as_ref();
                place.is_some_and(|place| place.same_line(at))
            }
            _ => {
                let is_same = self.shape.as_deref() == Some(&shape(&panic.message));
                is_same && self.reproducer.is_check(&panic)
            }
        }
    }

    /// What a test of these calls ends with.
    fn ending(&self, calls: &[Call]) -> Option<Panic> {
        // Nobody is asked to go on where nobody is up.
        let is_void = self.case.property == Property::Liveness && self.case.up.is_empty();
        (!is_void).then(|| self.reproducer.play(&self.case, calls))?
    }
}

/// A complaint without its numbers, which change as the calls become fewer.
fn shape(message: &str) -> String {
    message
        .chars()
        .filter(|letter| !letter.is_ascii_digit())
        .collect()
}

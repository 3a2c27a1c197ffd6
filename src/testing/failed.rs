//! What a test that failed says.

use std::fmt;

use squall_core::engine::Failure;
use squall_core::plan::{Plan, PlanError};
use squall_core::text::printable;
use squall_explore::report;
use squall_explore::sweep::{Leak, Summary};

/// Why a test failed. Its words are what a person reads, with the command that reproduces it at
/// their end; [`Failed::reason`] is what a program goes by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", printable(.words))]
pub struct Failed {
    reason: Reason,
    words: String,
}

/// Why a test failed, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A property does not hold.
    Violation {
        /// How the run failed in which that was seen first.
        failure: Box<Failure>,
        /// The plan, as small as it was made: that of `failure`, or one that fails alike.
        plan: Box<Plan>,
    },
    /// No property was broken, but events that are required never happened: their names.
    Incomplete(Vec<String>),
    /// A run was not the same when it was repeated.
    NotRepeatable {
        /// The seed of its plan.
        seed: u64,
    },
    /// A known issue was not found, or showed itself otherwise: its name.
    KnownIssue(&'static str),
    /// What was asked for cannot be: a setting, a profile, or a file that is kept.
    Refused,
}

impl Failed {
    /// The reason as a value.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Something that cannot be, in one line.
    pub(super) fn said(what: &dyn fmt::Display) -> Self {
        Self::of(Reason::Refused, format!("squall: {what}"))
    }

    /// A known issue that is not as its subject says, in one line.
    pub(super) fn issue(name: &'static str, what: &dyn fmt::Display) -> Self {
        Self::of(Reason::KnownIssue(name), format!("squall: {what}"))
    }

    fn of(reason: Reason, words: String) -> Self {
        Self { reason, words }
    }

    /// A plan of `squall-regressions/` that cannot be read.
    pub(super) fn unreadable(error: &PlanError) -> Self {
        let remedy = match error {
            PlanError::Version { .. } => {
                "; replay it with the version that wrote it, find the failure anew, or remove the file"
            }
            _ => "; restore the file, or remove it",
        };
        Self::regression(&format!("{error}{remedy}"))
    }

    /// A plan of `squall-regressions/` that cannot be replayed.
    pub(super) fn regression(why: &str) -> Self {
        let words = format!("squall: a regression cannot be replayed: {why}");
        Self::of(Reason::Refused, words)
    }

    /// A violation and its plan: its first line, where the plan comes from, and its page.
    pub(super) fn found(failure: &Failure, plan: Plan, words: [&str; 3]) -> Self {
        let [head, origin, page] = words;
        let reason = Reason::Violation {
            failure: Box::new(failure.clone()),
            plan: Box::new(plan),
        };
        Self::of(reason, format!("{head}\n\n{origin}{page}"))
    }

    pub(super) fn leaked(leak: &Leak, command: &str) -> Self {
        let words = format!("{}\nreproduce  {command}", report::leak(leak));
        Self::of(Reason::NotRepeatable { seed: leak.seed }, words)
    }

    pub(super) fn incomplete(summary: &Summary, command: &str) -> Self {
        let words = format!(
            "no violation in {}, but what is required never happened: {}\n\nreproduce  {command}",
            report::many(summary.runs, "run"),
            summary.missing.join(", ")
        );
        Self::of(Reason::Incomplete(summary.missing.clone()), words)
    }
}

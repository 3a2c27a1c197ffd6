//! What a test that failed says.

use std::fmt;

use squall_core::plan::PlanError;
use squall_core::text::printable;
use squall_explore::report;
use squall_explore::sweep::{Leak, Summary};

/// Why a test failed, in whole: what a person reads and, at its end, the command that repeats it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", printable(.0))]
pub struct Failed(String);

impl Failed {
    /// Something that cannot be, in one line.
    pub(super) fn said(what: &dyn fmt::Display) -> Self {
        Self(format!("squall: {what}"))
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
        Self(format!("squall: a regression cannot be replayed: {why}"))
    }

    /// A violation: its first line, where its plan comes from, and its page.
    pub(super) fn found(head: &str, origin: &str, page: &str) -> Self {
        Self(format!("{head}\n\n{origin}{page}"))
    }

    pub(super) fn leaked(leak: &Leak, command: &str) -> Self {
        Self(format!("{}\nrepeat   {command}", report::leak(leak)))
    }

    pub(super) fn incomplete(summary: &Summary, command: &str) -> Self {
        Self(format!(
            "no violation in {} runs, but what is required never happened: {}\n\nrepeat   {command}",
            summary.runs,
            summary.missing.join(", ")
        ))
    }
}

//! What is known to go wrong in raftbare: an option of this driver lets each happen, and plans
//! leave the options out unless a profile has the issue's knob on. `docs/findings` tells of each.

use squall_core::options::DriverOptions;
use squall_core::own::{DriverOption, KnownIssue};

const COMPARE_LENGTHS: DriverOption = DriverOption::trigger(
    "compare-lengths",
    "a vote request is handed over as it came, for the library to compare lengths of logs alone",
);

const KEEP_CUT_TAIL: DriverOption = DriverOption::trigger(
    "keep-cut-tail",
    "what the library cuts off its log without a word stays on the disk until it is overwritten",
);

const TAKE_LATE_ANSWERS: DriverOption = DriverOption::trigger(
    "take-late-answers",
    "an answer of this term to an append of an earlier one is handed over, and counts for reads",
);

/// The options of this driver.
pub(super) const OPTIONS: &[DriverOption] = &[COMPARE_LENGTHS, KEEP_CUT_TAIL, TAKE_LATE_ANSWERS];

/// The known issues.
pub(super) const ISSUES: &[KnownIssue] = &[
    KnownIssue::new(
        "vote-for-an-older-log",
        "a voter asks whether the candidate's log is as long as its own, and not of which term",
        &["leader-completeness"],
    )
    .without(|_, driver| driver.set_flag(COMPARE_LENGTHS.name, false)),
    KnownIssue::new(
        "cut-tail-comes-back",
        "entries that were cut off in memory alone are there again after a restart",
        &["no-panic"],
    )
    .without(|_, driver| driver.set_flag(KEEP_CUT_TAIL.name, false)),
    KnownIssue::new(
        "late-answer-ahead-of-its-number",
        "an answer to a leader of an earlier term and incarnation has a number ahead of all others",
        &["linearizability", "liveness"],
    )
    .without(|_, driver| driver.set_flag(TAKE_LATE_ANSWERS.name, false)),
];

/// The options of a run, read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triggers {
    pub(super) compare_lengths: bool,
    pub(super) keep_cut_tail: bool,
    pub(super) take_late_answers: bool,
}

impl Triggers {
    pub(super) fn of(driver: &DriverOptions) -> Self {
        let is_on = |option: DriverOption| driver.flag(option.name);
        Self {
            compare_lengths: is_on(COMPARE_LENGTHS),
            keep_cut_tail: is_on(KEEP_CUT_TAIL),
            take_late_answers: is_on(TAKE_LATE_ANSWERS),
        }
    }
}

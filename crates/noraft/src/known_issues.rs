//! What is known to go wrong in noraft: an option of this driver lets each happen, and plans leave
//! the options out unless a profile has the issue's knob on. `docs/findings` tells of each.

use squall_core::options::DriverOptions;
use squall_core::own::{DriverOption, KnownIssue};

const FORGET_VOTE_WHEN_REMOVED: DriverOption = DriverOption::trigger(
    "forget-vote-when-removed",
    "a vote that the library forgets within its term is written as it has it, and not as it was",
);

const MERGE_ACROSS_TERMS: DriverOption = DriverOption::trigger(
    "merge-across-terms",
    "entries to be saved in one term wait for those of a later one, to be saved together",
);

const REMOVE_NEEDED_VOTERS: DriverOption = DriverOption::trigger(
    "remove-needed-voters",
    "a change may remove so many voters that the others are no majority of those there were",
);

/// The options of this driver.
pub(super) const OPTIONS: &[DriverOption] = &[
    FORGET_VOTE_WHEN_REMOVED,
    MERGE_ACROSS_TERMS,
    REMOVE_NEEDED_VOTERS,
];

/// The known issues.
pub(super) const ISSUES: &[KnownIssue] = &[
    KnownIssue::new(
        "removed-leader-forgets-its-vote",
        "a leader that a change removes writes that it has not voted",
        &["monotonic"],
    )
    .without(|_, driver| driver.set_flag(FORGET_VOTE_WHEN_REMOVED.name, false)),
    KnownIssue::new(
        "append-merged-across-terms",
        "entries to be saved are merged with those of another leader",
        &["no-panic"],
    )
    .without(|_, driver| driver.set_flag(MERGE_ACROSS_TERMS.name, false)),
    KnownIssue::new(
        "removed-voter-is-needed",
        "so many voters are removed at once that an election may need one of them",
        &["liveness"],
    )
    .without(|_, driver| driver.set_flag(REMOVE_NEEDED_VOTERS.name, false)),
];

/// The options of a run, read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triggers {
    pub(super) forget_vote_when_removed: bool,
    pub(super) merge_across_terms: bool,
    pub(super) remove_needed_voters: bool,
}

impl Triggers {
    pub(super) fn of(driver: &DriverOptions) -> Self {
        let is_on = |option: DriverOption| driver.flag(option.name);
        Self {
            forget_vote_when_removed: is_on(FORGET_VOTE_WHEN_REMOVED),
            merge_across_terms: is_on(MERGE_ACROSS_TERMS),
            remove_needed_voters: is_on(REMOVE_NEEDED_VOTERS),
        }
    }
}

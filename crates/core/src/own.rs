//! What a Raft implementation has of its own: options of its driver, and its known issues. It
//! declares them as data ([`Subject::options`](crate::replica::Subject::options),
//! [`Subject::known_issues`](crate::replica::Subject::known_issues)); plans draw them, shrinkers
//! make them plain, pages and lists show them, and nothing here knows what they mean.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::options::{DriverOptions, RaftOptions};

/// An option of a driver that plans draw. A replica reads it from
/// [`DriverOptions::flag`] or [`DriverOptions::number`].
#[derive(Clone, Copy, Debug)]
pub struct DriverOption {
    /// Its name in plans: lower case, with hyphens.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What it may be.
    pub values: Values,
}

impl DriverOption {
    /// The option that brings a known issue about: on in every plan, out of which
    /// [`KnownIssue::leave_out`] takes it unless the issue is wanted.
    pub const fn trigger(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            values: Values::Flag { percent: 100 },
        }
    }
}

/// What an option may be, and how it is drawn.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// On or off. It is on in so many plans of a hundred.
    Flag {
        /// 0 to 100.
        percent: u8,
    },
    /// On or off: another legal order of persisting, sending, applying and acknowledging. It is on
    /// in as many plans as the profile's `driver.other_orders_percent` says.
    OtherOrder,
    /// A number. Small ones are drawn more often.
    Number {
        /// What it usually is: a plan without the option has this, and shrinkers go back to it.
        usual: u64,
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
        /// Plans of a hundred in which it is drawn. In the others it is the usual one.
        percent: u8,
    },
}

/// The value of an option in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// Of [`Values::Flag`].
    Flag(bool),
    /// Of [`Values::Number`].
    Number(u64),
}

/// The options of a plan that are out of the ordinary.
pub type OwnOptions = BTreeMap<String, OptionValue>;

/// A known defect of an implementation. Plans keep clear of it, so that a sweep shows what is new,
/// unless the profile has its knob on, as `findings` has those of all.
///
/// ```
/// use squall_core::own::{DriverOption, Hazard, KnownIssue};
///
/// const LAZY_SYNC: DriverOption =
///     DriverOption::trigger("lazy-sync", "a vote is sent before it is durable");
///
/// const ISSUES: &[KnownIssue] = &[
///     // Brought about by an option of the driver.
///     KnownIssue::new("votes-twice", "a node votes twice in a term", &["election-safety"])
///         .without(|_, driver| driver.set_flag(LAZY_SYNC.name, false)),
///     // Brought about by a condition that any plan may have.
///     KnownIssue::new("lone-voter", "a lone voter forgets its term", &["ack-before-durable"])
///         .clear_of(&[Hazard::LoneVoterWithPeers]),
/// ];
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KnownIssue {
    /// The name of its knob, in the table `[known-issues]` of a profile: lower case, with hyphens.
    pub name: &'static str,
    /// What goes wrong and where it is told, in one line.
    pub about: &'static str,
    /// Names of properties that it may break, as `squall list checks` has them.
    pub breaks: &'static [&'static str],
    /// Takes the trigger, and no more than the trigger, out of the options of a plan.
    pub leave_out: fn(&mut RaftOptions, &mut DriverOptions),
    /// The subject's own options that bring it about: taken out of plans as well.
    pub triggers: &'static [&'static str],
    /// Conditions that bring it about, which plans for any subject may have.
    pub hazards: &'static [Hazard],
}

impl KnownIssue {
    /// An issue by the name of its knob, with what goes wrong in one line, and the names of the
    /// properties that it may break. Nothing keeps plans clear of it yet.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        breaks: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            about,
            breaks,
            leave_out: |_, _| {},
            triggers: &[],
            hazards: &[],
        }
    }

    /// Plans keep clear of it by what this does to their options: it takes out the trigger, and no
    /// more than the trigger.
    pub const fn without(self, leave_out: fn(&mut RaftOptions, &mut DriverOptions)) -> Self {
        Self { leave_out, ..self }
    }

    /// Plans keep clear of it by leaving these of the subject's own options off.
    pub const fn triggered_by(self, triggers: &'static [&'static str]) -> Self {
        Self { triggers, ..self }
    }

    /// Plans keep clear of it by keeping clear of these conditions.
    pub const fn clear_of(self, hazards: &'static [Hazard]) -> Self {
        Self { hazards, ..self }
    }
}

/// A condition of plans that some libraries are known not to stand. An implementation names those
/// that it does not in its known issues ([`KnownIssue::clear_of`]), and plans for it keep clear of
/// them; plans for others have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hazard {
    /// `batch_append` in a driver that steps several inputs before it handles the output. Plans
    /// keep clear of it with one input at a time.
    BatchAppendWithBatchedInputs,
    /// `pre_vote` with unequal priorities in a cluster that starts at term 0. Plans keep clear of
    /// it with term 1.
    PreVoteWithPrioritiesAtTermZero,
    /// Unequal priorities after the storm, where only a bare majority of voters may be left. Plans
    /// keep clear of it with priorities that are made equal when the storm is over.
    PrioritiesWithBareQuorum,
    /// A single voter beside nodes that learn or have yet to join, which sends before its own disk
    /// has synced. Plans keep clear of it with messages that wait, and with two voters that are
    /// left by changes.
    LoneVoterWithPeers,
    /// A change may leave one voter, with entries on their way to its disk. Plans keep clear of it
    /// with two voters that are left.
    SoleVoterWithUnsavedEntries,
    /// Check-quorum is on at some nodes and off at others for good. Plans keep clear of it with
    /// settings that are put back when the storm is over.
    MixedCheckQuorum,
    /// Reads by lease that are to be fresh, where a leader may lose touch with its followers. Plans
    /// keep clear of it with at most one link that is cut.
    LeaseReadsOfACutOffLeader,
}

impl Hazard {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::BatchAppendWithBatchedInputs,
        Self::PreVoteWithPrioritiesAtTermZero,
        Self::PrioritiesWithBareQuorum,
        Self::LoneVoterWithPeers,
        Self::SoleVoterWithUnsavedEntries,
        Self::MixedCheckQuorum,
        Self::LeaseReadsOfACutOffLeader,
    ];

    /// Its name, for subjects that are told apart from this crate: lower case, with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::BatchAppendWithBatchedInputs => "batch-append-with-batched-inputs",
            Self::PreVoteWithPrioritiesAtTermZero => "pre-vote-with-priorities-at-term-zero",
            Self::PrioritiesWithBareQuorum => "priorities-with-bare-quorum",
            Self::LoneVoterWithPeers => "lone-voter-with-peers",
            Self::SoleVoterWithUnsavedEntries => "sole-voter-with-unsaved-entries",
            Self::MixedCheckQuorum => "mixed-check-quorum",
            Self::LeaseReadsOfACutOffLeader => "lease-reads-of-a-cut-off-leader",
        }
    }
}

/// All that a subject declares.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    /// Its options.
    pub options: &'static [DriverOption],
    /// Its known issues.
    pub issues: &'static [KnownIssue],
    /// Its nodes replicate a machine in place of keys and locks, of which clients ask for commands
    /// of that machine ([`Subject::service`](crate::replica::Subject::service)).
    pub has_machine: bool,
    /// Its nodes talk over connections
    /// ([`Subject::uses_streams`](crate::replica::Subject::uses_streams)).
    pub uses_streams: bool,
}

/// Why options of a plan, or knobs of a profile, are none of the subject's.
#[derive(Debug, thiserror::Error)]
#[error("{field} is {value}; legal: {legal}")]
pub struct NotDeclared {
    field: String,
    value: String,
    legal: String,
}

impl NotDeclared {
    pub(crate) fn new(field: String, value: String, legal: String) -> Self {
        Self {
            field,
            value,
            legal,
        }
    }
}

impl Own {
    /// Takes the triggers of those issues out of a plan's options whose knob is not `on`.
    pub fn leave_out(
        self,
        is_on: impl Fn(&str) -> bool,
        raft: &mut RaftOptions,
        driver: &mut DriverOptions,
    ) {
        for issue in self.issues.iter().filter(|issue| !is_on(issue.name)) {
            (issue.leave_out)(raft, driver);
            for option in issue.triggers {
                driver.set_flag(option, false);
            }
        }
    }

    /// Makes sure that the subject has these options, and that they may be so.
    ///
    /// # Errors
    /// The first that it has not, with those that it has.
    pub fn check_options(self, options: &OwnOptions) -> Result<(), NotDeclared> {
        for (name, value) in options {
            let field = format!("driver.own.{name}");
            let wrong = |legal: String| NotDeclared {
                field: field.clone(),
                value: value.to_string(),
                legal,
            };
            let Some(option) = self.options.iter().find(|option| option.name == name) else {
                return Err(wrong(names(self.options.iter().map(|option| option.name))));
            };
            match (option.values, *value) {
                (Values::Flag { .. } | Values::OtherOrder, OptionValue::Flag(_)) => {}
                (Values::Flag { .. } | Values::OtherOrder, _) => {
                    return Err(wrong("true or false".to_owned()));
                }
                (Values::Number { least, most, .. }, OptionValue::Number(number))
                    if (least..=most).contains(&number) => {}
                (Values::Number { least, most, .. }, _) => {
                    return Err(wrong(format!("{least} to {most}")));
                }
            }
        }
        Ok(())
    }
}

/// Makes sure that all issues that are named are there.
///
/// # Errors
/// The first that is not, with those that are.
pub fn check_issues<'n>(
    issues: &[KnownIssue],
    named: impl IntoIterator<Item = &'n str>,
) -> Result<(), NotDeclared> {
    let known = || issues.iter().map(|issue| issue.name);
    let mut named = named.into_iter();
    match named.find(|name| !known().any(|known| known == *name)) {
        None => Ok(()),
        Some(name) => Err(NotDeclared {
            field: "known-issues".to_owned(),
            value: name.to_owned(),
            legal: names(known()),
        }),
    }
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        true => "nothing: the subject has none of its own".to_owned(),
        false => names.join(", "),
    }
}

impl DriverOptions {
    /// Whether the driver's own option of that name is on.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.own.get(name), Some(OptionValue::Flag(true)))
    }

    /// Switches the driver's own option of that name on or off.
    pub fn set_flag(&mut self, name: &str, on: bool) {
        match on {
            true => {
                self.own.insert(name.to_owned(), OptionValue::Flag(true));
            }
            false => {
                self.own.remove(name);
            }
        }
    }

    /// The driver's own option of that name; none where it is the usual one.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.own.get(name) {
            Some(OptionValue::Number(number)) => Some(*number),
            _ => None,
        }
    }
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::Flag(flag) => flag.fmt(f),
            OptionValue::Number(number) => number.fmt(f),
        }
    }
}

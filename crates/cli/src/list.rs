//! `squall list`: the names of things.

use clap::{Args, ValueEnum};

use squall_core::counters::Counter;
use squall_core::invariants::Property;
use squall_core::own::Own;
use squall_core::plan::{FaultKind, Profile, builtin_profiles};
use squall_core::registry::{RegisteredSubject, Registry};
use squall_core::text::{WIDTH, indented};
use squall_explore::strategy;

use super::{CliError, say};

#[derive(Debug, Args)]
pub struct Options {
    /// What to list [default: what can be listed].
    what: Option<What>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Libraries that can be tested: for `--subject`.
    Subjects,
    /// Subjects with a bug injected, and the check that is to catch it.
    Bugs,
    /// Options that subjects have of their own.
    Options,
    /// Known issues of subjects.
    Issues,
    /// What plans are drawn from: for `--profile`.
    Profiles,
    /// How plans are looked for: for `--strategy`.
    Strategies,
    /// Properties that are checked after every step.
    Checks,
    /// Kinds of fault.
    Faults,
    /// Events that are counted: for `--events`, and `require` in a profile.
    Events,
}

pub fn run(subjects: &Registry, options: &Options) -> Result<u8, CliError> {
    let Some(what) = options.what else {
        return say_rows(&kinds()).map(|()| 0);
    };
    let with_bug = |subject: &&RegisteredSubject| subject.caught_by.is_some();
    let row = |subject: &RegisteredSubject| (subject.name.clone(), subject.about.clone());
    let rows: Vec<(String, String)> = match what {
        What::Subjects => {
            let honest = subjects.iter().filter(|s| !with_bug(s)).map(row);
            let late = subjects.late().iter();
            let late = late.map(|late| (late.name.clone(), late.about.clone()));
            honest.chain(late).collect()
        }
        What::Bugs => subjects.iter().filter(with_bug).map(row).collect(),
        What::Options => own(subjects, |own| {
            let options = own.options.iter();
            options.map(|one| (one.name, one.about)).collect()
        }),
        What::Issues => own(subjects, |own| {
            let issues = own.issues.iter();
            issues.map(|one| (one.name, one.about)).collect()
        }),
        What::Profiles => builtin_profiles()
            .iter()
            .map(|(name, _)| Ok(((*name).to_owned(), Profile::load(name)?.about)))
            .collect::<Result<_, CliError>>()?,
        What::Strategies => strategy::Kind::ALL
            .iter()
            .map(|kind| (kind.name().to_owned(), kind.about().to_owned()))
            .collect(),
        What::Checks => Property::ALL
            .iter()
            .map(|property| {
                (
                    property.name().to_owned(),
                    format!("{} [{}]", property.about(), property.source()),
                )
            })
            .collect(),
        What::Faults => FaultKind::ALL
            .iter()
            .map(|kind| (kind.name().to_owned(), kind.about().to_owned()))
            .collect(),
        What::Events => Counter::ALL
            .iter()
            .map(|event| (event.name().to_owned(), event.about().to_owned()))
            .collect(),
    };
    if rows.is_empty() {
        say("none\n")?;
    }
    say_rows(&rows)?;
    let bugs = subjects.iter().filter(with_bug).count();
    if matches!(what, What::Subjects) && bugs > 0 {
        say(&format!(
            "and these with a bug injected, {bugs} in all: squall list bugs\n"
        ))?;
    }
    Ok(0)
}

/// What can be listed.
fn kinds() -> Vec<(String, String)> {
    let kinds = What::value_variants().iter();
    let values = kinds.filter_map(ValueEnum::to_possible_value);
    values
        .map(|value| {
            let about = value.get_help().map(ToString::to_string);
            (value.get_name().to_owned(), about.unwrap_or_default())
        })
        .collect()
}

fn say_rows(rows: &[(String, String)]) -> Result<(), CliError> {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .flat_map(|(name, about)| indented(name, about, width + 2, WIDTH));
    let lines: Vec<String> = lines.map(|line| line + "\n").collect();
    say(&lines.concat())
}

/// What honest subjects declare, each with the subject's name before it.
fn own(
    subjects: &Registry,
    declared: impl Fn(Own) -> Vec<(&'static str, &'static str)>,
) -> Vec<(String, String)> {
    let honest = subjects
        .iter()
        .filter(|subject| subject.caught_by.is_none());
    honest
        .flat_map(|subject| {
            let rows = declared(subject.runner.own()).into_iter();
            rows.map(|(name, about)| (format!("{} {name}", subject.name), about.to_owned()))
        })
        .collect()
}

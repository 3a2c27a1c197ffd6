//! `squall list`: the names of things.

use clap::{Args, ValueEnum};

use squall_core::counters::Counter;
use squall_core::invariants::Property;
use squall_core::own::Own;
use squall_core::plan::{FaultKind, Profile, builtin_profiles};
use squall_core::registry::Registry;
use squall_explore::strategy;

use super::{CliError, say};

#[derive(Debug, Args)]
pub struct Options {
    /// What to list.
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Subjects,
    /// Options that subjects have of their own.
    Options,
    /// Known issues of subjects.
    Issues,
    Profiles,
    Strategies,
    Checks,
    Faults,
    Events,
}

pub fn run(subjects: &Registry, options: &Options) -> Result<u8, CliError> {
    let rows: Vec<(String, String)> = match options.what {
        What::Subjects => subjects
            .iter()
            .map(|subject| (subject.name.clone(), subject.about.clone()))
            .collect(),
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
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, about)| format!("{name:width$}  {about}\n"))
        .collect();
    say(&lines.concat())?;
    Ok(0)
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

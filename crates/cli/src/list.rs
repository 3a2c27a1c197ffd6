//! `squall list`: the names of things.

use clap::{Args, ValueEnum};

use squall_core::counters::Counter;
use squall_core::invariants::Property;
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
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, about)| format!("{name:width$}  {about}\n"))
        .collect();
    say(&lines.concat())?;
    Ok(0)
}

//! `squall list`: the names of things.

use clap::{Args, ValueEnum};

use squall::check::Property;
use squall::plan::{FaultKind, Profile, builtin_profiles};
use squall::sometimes::Event;
use squall::subject;

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
    Checks,
    Faults,
    Events,
}

pub fn run(options: &Options) -> Result<u8, CliError> {
    let rows: Vec<(String, String)> = match options.what {
        What::Subjects => subject::all()
            .into_iter()
            .map(|subject| (subject.name, subject.about))
            .collect(),
        What::Profiles => builtin_profiles()
            .iter()
            .map(|(name, _)| Ok(((*name).to_owned(), Profile::load(name)?.about)))
            .collect::<Result<_, CliError>>()?,
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
            .map(|(_, name, about)| ((*name).to_owned(), (*about).to_owned()))
            .collect(),
        What::Events => Event::ALL
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

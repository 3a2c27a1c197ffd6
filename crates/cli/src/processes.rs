//! Subjects in a process of their own: the one that `--command` starts, and those of the user's
//! `squall.toml`, each of which is started when it is asked for by name. Nothing is started because
//! a plan's file names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use squall_core::fsutil::{quoted, read_text};
use squall_core::registry::{LateSubject, Registry};
use squall_process::{DEFAULT_DEADLINE, Program, subjects};

use super::interrupt::end_processes_at_interrupt;
use super::{CliError, duration};

/// After so long a sweep takes a run for one that hangs, and ends, unless it is told otherwise.
const HANGS: Duration = Duration::from_secs(60);

/// The file that names them, here or in a folder above.
const FILE: &str = "squall.toml";

/// Over these flags in help.
const HEADING: &str = "Raft in another language";

#[derive(Debug, Args)]
pub struct Options {
    /// Test the Raft that this command starts: a process that speaks frames (docs/protocol). It is
    /// the default subject then.
    #[arg(long, global = true, value_name = "COMMAND", help_heading = HEADING)]
    command: Option<String>,
    /// How long it may take for an answer, in wall time [default: 10s].
    #[arg(long, global = true, value_name = "TIME", value_parser = duration, help_heading = HEADING, hide_short_help = true)]
    deadline: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    subjects: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    command: Words,
    /// Features that plans leave out though the process has them.
    #[serde(default)]
    lacks: Vec<String>,
    deadline: Option<String>,
}

/// A command: its words, or one text as on a command line.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Split(Vec<String>),
    Whole(String),
}

/// `registry` with these subjects beside its own.
pub fn beside(registry: Registry, options: &Options) -> Result<Registry, CliError> {
    let registry = match of_file(&registry, options)? {
        Some(late) => registry.with_late(late),
        None => registry,
    };
    if options.deadline.is_some_and(|deadline| deadline >= HANGS) {
        return Err(CliError::Usage(
            "--deadline: after 60s a sweep takes a run for one that hangs; legal: less than that"
                .to_owned(),
        ));
    }
    let Some(command) = &options.command else {
        return Ok(registry);
    };
    let program = Program {
        command: split(command).map_err(|why| CliError::Usage(format!("--command: {why}")))?,
        name: None,
        folder: None,
        lacks: Vec::new(),
        deadline: options.deadline.unwrap_or(DEFAULT_DEADLINE),
    };
    end_processes_at_interrupt();
    let mut started = subjects(&program)?;
    for subject in &mut started {
        subject.named_with = format!(" --command {}", quoted(command));
        if let Some(deadline) = options.deadline {
            let deadline = humantime::format_duration(deadline).to_string();
            subject.named_with += &format!(" --deadline {}", quoted(&deadline));
        }
        if registry.iter().any(|other| other.name == subject.name) {
            return Err(CliError::Usage(format!(
                "--command: its name is {}, which is the name of another subject",
                subject.name
            )));
        }
    }
    // What is said on the command line goes before what a file says.
    let registry = started
        .iter()
        .fold(registry, |registry, one| registry.without_late(&one.name));
    Ok(registry.with_first(started))
}

fn split(command: &str) -> Result<Vec<String>, String> {
    match shlex::split(command) {
        Some(words) if !words.is_empty() => Ok(words),
        Some(_) => Err("it is empty".to_owned()),
        None => Err(format!("a quote is not closed in: {command}")),
    }
}

/// Those of the nearest file, if there is one.
fn of_file(registry: &Registry, options: &Options) -> Result<Option<Vec<LateSubject>>, CliError> {
    // Where the current folder is gone there is none to look in.
    let Ok(here) = std::env::current_dir() else {
        return Ok(None);
    };
    let mut folders = here.ancestors();
    let Some(path) = folders.find_map(|folder| {
        let path = folder.join(FILE);
        path.is_file().then_some(path)
    }) else {
        return Ok(None);
    };
    let text = read_text(&path).map_err(|source| CliError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let wrong = |why: String| CliError::Usage(format!("{}: {why}", path.display()));
    let file: File = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
    let folder = path.parent().map(Path::to_path_buf);
    let mut late = Vec::new();
    for (name, entry) in file.subjects {
        let in_entry = |why: String| wrong(format!("subjects.{name}: {why}"));
        if registry.iter().any(|other| other.name == name) {
            return Err(in_entry("another subject has that name".to_owned()));
        }
        let program = program(&name, entry, folder.clone(), options).map_err(in_entry)?;
        let words = program.command.iter().map(String::as_str);
        let command = shlex::try_join(words).unwrap_or_else(|_| program.command.join(" "));
        let about = format!("{command} ({})", path.display());
        let make = move || {
            end_processes_at_interrupt();
            subjects(&program).map_err(|error| error.to_string())
        };
        late.push(LateSubject::new(name, about, make));
    }
    Ok(Some(late))
}

fn program(
    name: &str,
    entry: Entry,
    folder: Option<PathBuf>,
    options: &Options,
) -> Result<Program, String> {
    let command = match entry.command {
        Words::Split(words) if words.is_empty() => return Err("its command is empty".to_owned()),
        Words::Split(words) => words,
        Words::Whole(command) => split(&command)?,
    };
    let deadline = entry.deadline.as_deref().map(duration).transpose()?;
    let program = Program {
        command,
        name: Some(name.to_owned()),
        folder,
        lacks: entry.lacks,
        deadline: options.deadline.or(deadline).unwrap_or(DEFAULT_DEADLINE),
    };
    program.check()?;
    Ok(program)
}

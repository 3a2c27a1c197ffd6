//! The command line: parses, runs, prints. Everything it can do, the library can.
//!
//! Your own program can have all of it, over its own subjects: see [`main`].

mod artifact;
mod chosen;
mod corpus;
mod diff;
#[cfg(feature = "explore")]
mod explore;
mod export;
mod import;
mod interrupt;
mod list;
mod merge;
mod page;
mod processes;
mod replay;
mod report;
mod shard;
mod show;
mod shrink;
mod story;
mod style;
mod sweep;
mod sweep_page;
mod unfinished;
mod watch;
mod written;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use squall_core::engine::{Engine, UnknownEngine};
use squall_core::fsutil::{folder_of, quoted, write_output, write_whole};
use squall_core::plan::{Plan, PlanError, ProfileError};
use squall_core::registry::{RegisteredSubject, Registry, UnknownSubject};
use squall_core::text::{one_line, printable, printable_json};
use squall_explore::scenario::StoryError;
use squall_explore::seed_range as seed;
use squall_explore::strategy;
use squall_explore::sweep::NoThreads;

const ABOUT: &str =
    "Storms over Raft: real nodes in a deterministic simulator, checked after every step.

Without a command, it sweeps the profile portfolio over the first of its subjects.";

const EXIT_STATUS: &str = "Exit status: 0 clean, 1 violation, 2 bad input or could not tell.
A seed is a decimal number, a 0x number, or a 40-digit commit hash.";

const MERGE_STATUS: &str = "\
What is missing or unfinished is named with the command that does it; what is damaged is
named and left out.
Exit status: 0 clean, 1 violation, 2 bad input, something damaged, or could not tell.";

const STORY_STATUS: &str = "\
A story is a text file: commands, a line ----, and what is expected to happen; see sims/stories.
Exit status: 0 all as expected, 1 something else happened, 2 bad input.";

const REPORT_STATUS: &str = "\
A night's sweep writes its folder with `squall sweep --html DIR/NIGHT`; keep the folders
of many nights in one.
Exit status: 0 the page is written, 2 bad input, or a sweep that cannot be read.";

const PAGE_STATUS: &str = "\
The page is one file that needs no network: it can be mailed, or kept with the
artifacts of a CI job. What it shows, `squall replay --json` prints.
Exit status: 0 the page is written, 2 bad input.
A seed is a decimal number, a 0x number, or a 40-digit commit hash.";

const EXPORT_STATUS: &str = "\
Exit status: 0 the run is written, 2 bad input.
A seed is a decimal number, a 0x number, or a 40-digit commit hash.";

const DIFF_STATUS: &str = "Exit status: 0 equal runs, 1 they differ, 2 bad input.";

#[cfg(feature = "explore")]
const EXPLORE_STATUS: &str = "\
The page is answered on the loopback address alone, and to nobody without the
token in its address. What is played is saved from there, as a story or a plan.
Ctrl-C ends it. Exit status: 0 it was ended, 2 bad input, or the port is taken.";

const SHRINK_STATUS: &str = "Ctrl-C ends early with the best so far.
Exit status: 1 for a smaller plan, which fails as the first did; 2 bad input, or the plan does not fail.";

const IMPORT_STATUS: &str = "Ctrl-C ends early with the best so far.
Exit status: 1 for a plan that fails, 0 for one that runs clean and is written as it is, 2 bad input.";

#[derive(Debug, Parser)]
#[command(name = "squall", version, about = ABOUT, after_help = EXIT_STATUS, term_width = 80)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    manner: Manner,
    #[command(flatten)]
    processes: processes::Options,
    #[command(flatten)]
    color: colorchoice_clap::Color,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Args)]
struct Manner {
    /// Say what fails, and nothing else.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: what is counted (sweep), all that happens (replay), the nodes (show), what was
    /// tried (shrink, import).
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run many plans, each drawn from a seed, and report the first violation.
    #[command(after_help = EXIT_STATUS)]
    Sweep(sweep::Options),
    /// Make one sweep of shards that ran on any number of machines: its digest, its counters, and
    /// each failure once.
    #[command(after_help = MERGE_STATUS)]
    Merge(merge::Options),
    /// Run one plan again, from its file or its seed; or every plan of a folder.
    #[command(after_help = EXIT_STATUS)]
    Replay(replay::Options),
    /// Explain a plan's run: how a violation came about, or what happened in a clean run.
    #[command(after_help = EXIT_STATUS)]
    Show(show::Options),
    /// Write one plan's run as an HTML page: a space-time diagram, the state of every node at any
    /// step, and how a violation came about.
    #[command(after_help = PAGE_STATUS)]
    Page(page::Options),
    /// Write one page about all the sweeps in a folder: trends, and what is new or gone.
    #[command(after_help = REPORT_STATUS)]
    Report(report::Options),
    /// Write one plan's run in the format of another tool (Perfetto, ShiViz, Jepsen), or as a crate
    /// that needs nothing but the library.
    #[command(after_help = EXPORT_STATUS)]
    Export(export::Options),
    /// Say where two runs first differ: in their plans, and then in what happens.
    #[command(after_help = DIFF_STATUS)]
    Diff(diff::Options),
    /// Go through scenarios that are written by hand, and compare with what they expect.
    #[command(after_help = STORY_STATUS)]
    Story(story::Options),
    /// Play with a cluster in the browser: let time pass, crash nodes, drop messages, and see what
    /// comes of it.
    #[cfg(feature = "explore")]
    #[command(after_help = EXPLORE_STATUS)]
    Explore(explore::Options),
    /// Make a plan that fails as small as it will get.
    #[command(after_help = SHRINK_STATUS)]
    Shrink(shrink::Options),
    /// Look after folders of plans that guided sweeps keep.
    Corpus(corpus::Options),
    /// Turn what a fuzzer found into a plan file, made as small as it will get.
    #[command(after_help = IMPORT_STATUS)]
    Import(import::Options),
    /// List what can be named: subjects, profiles, strategies, checks, faults, events, options,
    /// known issues.
    List(list::Options),
}

/// Why a command could not be run. Each is one line.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Subject(#[from] UnknownSubject),
    #[error("{0}")]
    Process(#[from] squall_process::StartError),
    #[error("{0}")]
    Engine(#[from] UnknownEngine),
    #[error("{0}")]
    Profile(#[from] ProfileError),
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error("{0}")]
    Story(#[from] StoryError),
    #[error("{0}")]
    Threads(#[from] NoThreads),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] std::io::Error),
    #[error("cannot read {path}: {source}")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl CliError {
    /// A file that cannot be written. Says nothing of the temporary file beside it.
    fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let source = match error.raw_os_error() {
            Some(code) => std::io::Error::from_raw_os_error(code),
            None => error.kind().into(),
        };
        Self::File {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Runs the command line of this process over `subjects`, the first of which is the default. Exit
/// status: 0 clean, 1 violation, 2 bad input or could not tell.
///
/// # Panics
/// Without a subject.
pub fn main(subjects: impl Into<Registry>) -> ExitCode {
    run(subjects, std::env::args_os()).into()
}

/// As [`main`], over these arguments, the first of which is the program's name. Returns the exit
/// status.
///
/// # Panics
/// Without a subject.
pub fn run(subjects: impl Into<Registry>, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    arguments.color.write_global();
    let manner = arguments.manner;
    let subjects = match processes::beside(subjects.into(), &arguments.processes) {
        Ok(subjects) => subjects,
        Err(error) => return fail(&error.to_string()),
    };
    let done = match arguments
        .command
        .unwrap_or_else(|| Command::Sweep(sweep::Options::default()))
    {
        Command::Sweep(options) => sweep::run(&subjects, &options, manner),
        Command::Merge(options) => merge::run(&subjects, &options, manner),
        Command::Replay(options) => replay::run(&subjects, &options, manner),
        Command::Diff(options) => diff::run(&subjects, &options),
        Command::Story(options) => story::run(&subjects, &options),
        Command::Show(options) => show::run(&subjects, &options, manner),
        Command::Export(options) => export::run(&subjects, &options, manner),
        Command::Page(options) => page::run(&subjects, &options, manner),
        Command::Report(options) => report::run(&options, manner),
        #[cfg(feature = "explore")]
        Command::Explore(options) => explore::run(&subjects, &options),
        Command::Shrink(options) => shrink::run(&subjects, &options, manner),
        Command::Corpus(options) => corpus::run(&subjects, &options),
        Command::Import(options) => import::run(&subjects, &options, manner),
        Command::List(options) => list::run(&subjects, &options),
    };
    squall_process::end_idle();
    match (done, squall_process::why_gone()) {
        (Err(error), _) => fail(&error.to_string()),
        // What came of its runs since says nothing.
        (Ok(_), Some(why)) => fail(&format!("a process could not be started again: {why}")),
        (Ok(status), None) => status,
    }
}

fn fail(message: &str) -> u8 {
    // Where even standard error is closed, the exit status must do.
    let _ = writeln!(std::io::stderr(), "squall: {}", one_line(message));
    2
}

/// Help and version go to standard output; anything else is one line of error.
fn explain(error: &clap::Error) -> u8 {
    let text = error.render();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return match put(&text.ansi().to_string()) {
            Ok(()) => 0,
            Err(error) => fail(&error.to_string()),
        };
    }
    let text = text.to_string();
    let said = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.trim().replace("tip: ", "; "))
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" ; ", "; ");
    fail(said.trim_start_matches("error: "))
}

/// Says on standard error what the user should know and what ends nothing.
fn warn(message: &str) {
    let _ = writeln!(std::io::stderr(), "squall: {}", one_line(message));
}

/// Says on standard error a command that goes with a warning, on a line of its own.
fn warn_of_command(command: &str) {
    let _ = writeln!(std::io::stderr(), "  {}", printable(command));
}

/// Writes to standard output what people read, and says so when that is not possible. What would
/// act on a terminal is written out: much of it comes from files and subjects.
fn say(text: &str) -> Result<(), CliError> {
    put(&style::styled(&printable(text)))
}

/// Writes JSON to standard output.
fn say_json(text: &str) -> Result<(), CliError> {
    put(&printable_json(text))
}

/// Writes to standard output. The reader may stop early, as `head` does: that is no error, and what
/// comes after is not written; what is under way goes on, and its exit status stays the same.
fn put(text: &str) -> Result<(), CliError> {
    static CLOSED: AtomicBool = AtomicBool::new(false);
    if CLOSED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
        written => Ok(written?),
    }
}

/// Makes sure that a file can be written there, and writes nothing.
fn can_write(path: &std::path::Path) -> Result<(), CliError> {
    let error = |source: std::io::Error| CliError::file(path, &source);
    if path.is_dir() {
        return Err(error(std::io::ErrorKind::IsADirectory.into()));
    }
    if path.exists() && !path.is_file() {
        return Ok(());
    }
    std::fs::metadata(folder_of(path)).map_err(error)?;
    tempfile::NamedTempFile::new_in(folder_of(path))
        .map(drop)
        .map_err(error)
}

/// Writes a file atomically, where the user said or a device is.
fn write_file(path: &std::path::Path, text: &str) -> Result<(), CliError> {
    write_output(path, text).map_err(|source| CliError::file(path, &source))
}

/// Writes a file atomically, beside one that may come from a stranger: never through a
/// link.
fn write_beside(path: &std::path::Path, text: &str) -> Result<(), CliError> {
    write_whole(path, text).map_err(|source| CliError::file(path, &source))
}

/// Where a result is written, and how: to where the user said, or beside what it came from.
fn write_to(
    said: Option<&std::path::Path>,
    beside: &std::path::Path,
    text: &str,
) -> Result<(), CliError> {
    match said {
        Some(path) => write_file(path, text),
        None => write_beside(beside, text),
    }
}

/// A length of time, as people write it.
fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("this needs some time; legal: e.g. 90s, 10m, 8h".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; legal: e.g. 90s, 10m, 8h")),
    }
}

/// As many threads as there are processors.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// This program, as a word of a command.
fn program() -> String {
    let program = std::env::args().next();
    quoted(program.as_deref().unwrap_or("squall"))
}

/// The command that replays the plan at `path`, complete and ready to paste.
fn replay_command(path: &std::path::Path, subject: &RegisteredSubject) -> String {
    format!(
        "{} replay {}{}{}",
        program(),
        quoted(&path.display().to_string()),
        subject.named_with,
        engine_option(subject.engine)
    )
}

/// What a command needs to run on this engine.
fn engine_option(engine: Engine) -> String {
    engine_option_of(engine.name())
}

/// The same, for an engine that this program need not have.
fn engine_option_of(engine: &str) -> String {
    match engine == Engine::default().name() {
        true => String::new(),
        false => format!(" --engine {}", quoted(engine)),
    }
}

/// The command that replays the plan of a seed, drawn from that profile by that strategy, where one
/// is named.
fn seed_command(
    plan: &Plan,
    profile: &str,
    strategy: Option<strategy::Kind>,
    subject: &RegisteredSubject,
) -> String {
    let named = strategy.map(|kind| format!(" --strategy {}", kind.name()));
    let strategy = named.unwrap_or_default();
    format!(
        "{} replay --seed {} --subject {}{} --profile {}{strategy}{}",
        program(),
        plan.seed,
        quoted(&plan.subject),
        subject.named_with,
        quoted(profile),
        engine_option(subject.engine)
    )
}

//! `squall sweep`: many seeds, a progress bar, the first violation, a summary.

use std::io::IsTerminal as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Args, Parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::campaign::{News, Summary, Sweep};
use crate::engine::Engine;
use crate::plan::Profile;
use crate::report::{self, Files, JsonSummary};
use crate::search;
use crate::subject::{Named, Subjects};

use super::interrupt::stop_at_interrupt;
use super::written::{Writing, Written};
use super::{CliError, can_write, default_jobs, duration, say, seed, write_file};

/// Seeds of a sweep when neither a number nor a time is given.
const DEFAULT_SEEDS: u64 = 4_000;

#[derive(Debug, Args)]
pub struct Options {
    /// What to test: see `list subjects` [default: the first of them].
    #[arg(long)]
    subject: Option<String>,
    /// What plans are drawn from: see `list profiles`, or the path of a .toml file.
    #[arg(long, default_value = "storm")]
    profile: String,
    /// How plans are looked for: see `list strategies`.
    #[arg(long, default_value = "swarm", value_parser = strategy)]
    strategy: search::Kind,
    /// Which engine carries plans out: lockstep, or madsim in a build that has it.
    #[arg(long, value_name = "ENGINE", default_value = "lockstep")]
    engine: Engine,
    /// Which seeds: A..B, A..+N, or N for 0..N [default: 4000, or no end with --for].
    #[arg(long, value_name = "SEEDS", value_parser = seed::seeds)]
    seeds: Option<Range<u64>>,
    /// Threads [default: one for each processor].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// How long, e.g. 90s, 10m, 8h.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Go on after a violation.
    #[arg(long)]
    keep_going: bool,
    /// Where plans that failed are written.
    #[arg(long, value_name = "DIR", default_value = "squall-out")]
    out: PathBuf,
    /// Do not shrink the first failure of each property.
    #[arg(long)]
    no_shrink: bool,
    /// How long at most each of them is shrunk.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, conflicts_with = "no_shrink")]
    shrink_for: Duration,
    /// Write the summary as JSON to this file, or to standard output (-) in place of the text.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
}

#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    options: Options,
}

impl Default for Options {
    fn default() -> Self {
        Alone::parse_from(["squall"]).options
    }
}

pub fn run(subjects: &Subjects, options: &Options) -> Result<u8, CliError> {
    let subject = subjects.find_or_first(options.subject.as_deref())?;
    let subject = &subject.on(options.engine);
    let profile = Profile::load(&options.profile)?;
    let end = if options.time.is_some() {
        u64::MAX
    } else {
        DEFAULT_SEEDS
    };
    let seeds = options.seeds.clone().unwrap_or(0..end);
    let jobs = options.jobs.map_or_else(default_jobs, usize::from);
    prepare(options)?;
    let json_to_stdout = options.json.as_deref() == Some(Path::new("-"));
    if !json_to_stdout {
        say(&banner(subject, options, &seeds, jobs))?;
    }
    let stop = stop_at_interrupt();
    let bar = progress(options, &seeds);
    let mut written = Written::new(Writing {
        subject,
        out: &options.out,
        print: !json_to_stdout,
        keep_going: options.keep_going,
        jobs,
        shrink_for: (!options.no_shrink).then_some(options.shrink_for),
    });
    let mut error = None;
    let sweep = Sweep {
        subject,
        profile: &profile,
        strategy: options.strategy,
        seeds: seeds.clone(),
        jobs,
        time_limit: options.time,
        keep_going: options.keep_going,
        stop,
    };
    let summary = sweep.run(|news| match news {
        News::Progress { runs, findings, .. } => {
            bar.set_position(runs);
            if findings > 0 {
                bar.set_message(format!("{findings} findings"));
            }
        }
        News::Finding(finding) => {
            if let Err(failed) = bar.suspend(|| written.finding(finding)) {
                error.get_or_insert(failed);
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    bar.finish_and_clear();
    if let Some(error) = error {
        return Err(error);
    }
    let files = written.shrink(stop)?;
    conclude(
        options,
        &summary,
        subject,
        &profile.name,
        seeds.start,
        &files,
    )?;
    Ok(summary.verdict().status())
}

/// Prints the summary, and writes it as JSON where that is asked for.
fn conclude(
    options: &Options,
    summary: &Summary,
    subject: &Named,
    profile: &str,
    first_seed: u64,
    files: &[Files],
) -> Result<(), CliError> {
    let json = || {
        let json = JsonSummary::new(summary, subject, profile, first_seed, files);
        let mut text = serde_json::to_string_pretty(&json).expect("a summary is plain data");
        text.push('\n');
        text
    };
    match &options.json {
        Some(path) if path.as_os_str() == "-" => say(&json()),
        Some(path) => {
            write_file(path, &json())?;
            say(&report::summary(summary, &subject.title(), profile))
        }
        None => say(&report::summary(summary, &subject.title(), profile)),
    }
}

/// Makes sure, before any run, that findings and the summary can be written.
fn prepare(options: &Options) -> Result<(), CliError> {
    let out = &options.out;
    let missing: Vec<&Path> = out
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    std::fs::create_dir_all(out).map_err(|error| CliError::file(out, &error))?;
    let writable = tempfile::NamedTempFile::new_in(out).map(drop);
    // They are made again when there is something to put in them.
    for folder in missing {
        let _ = std::fs::remove_dir(folder);
    }
    writable.map_err(|error| CliError::file(out, &error))?;
    match &options.json {
        Some(path) if path.as_os_str() != "-" => can_write(path),
        _ => Ok(()),
    }
}

/// A strategy by its name.
fn strategy(name: &str) -> Result<search::Kind, String> {
    search::Kind::named(name).ok_or_else(|| {
        let names: Vec<&str> = search::Kind::ALL.iter().map(|kind| kind.name()).collect();
        let nearest = crate::nearest::suggestion(name, names.iter().copied());
        let legal = names.join(", ");
        format!("unknown strategy \"{name}\"{nearest}; legal: {legal}")
    })
}

fn banner(subject: &Named, options: &Options, seeds: &Range<u64>, jobs: usize) -> String {
    let seeds = match seeds.end {
        u64::MAX => format!("seeds from {}", seeds.start),
        end => format!("seeds {}..{end}", seeds.start),
    };
    let time = match options.time {
        Some(time) => format!(", for {}", humantime::format_duration(time)),
        None => String::new(),
    };
    let strategy = match options.strategy {
        search::Kind::Swarm => String::new(),
        other => format!(" by {}", other.name()),
    };
    format!(
        "squall {}: {} under {}{strategy}, {seeds}{time}, {jobs} jobs\n\n",
        env!("CARGO_PKG_VERSION"),
        subject.title(),
        options.profile
    )
}

fn progress(options: &Options, seeds: &Range<u64>) -> ProgressBar {
    let (bar, style) = match seeds.end {
        u64::MAX => (
            ProgressBar::no_length(),
            "{spinner} {elapsed} {human_pos} runs ({per_sec}) {msg}".to_owned(),
        ),
        _ => (
            ProgressBar::new(seeds.end - seeds.start),
            "{wide_bar} {human_pos}/{human_len} runs ({per_sec}, {eta} left) {msg}".to_owned(),
        ),
    };
    let style = ProgressStyle::with_template(&style).expect("the template is ours");
    let bar = bar.with_style(style);
    if !std::io::stderr().is_terminal() || options.json.as_deref() == Some(Path::new("-")) {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

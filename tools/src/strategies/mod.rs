//! `cargo xtask strategies`: the strategies of `squall sweep` side by side, with the same budget of
//! processor time for each sweep: how soon each finds each bug, and how much it covers.

mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::build::VARIABLE;
use crate::catalogue::{self, Mutant};
use crate::hunt::{Prey, Trial};
use crate::mutants::{duration, stop_at_interrupt};

/// The subject whose driver has injected bugs, and whose library has mutants.
const SUBJECT: &str = "raft-rs";

/// What is covered is measured on this profile.
const STORM: &str = "storm";

/// What a sweep of no bug is called.
const HONEST: &str = "(none)";

/// Seeds of one repetition lie this far from those of the next.
const STRIDE: u64 = 1 << 40;

/// What `cargo xtask strategies` takes.
#[derive(Debug, Args)]
pub struct Options {
    /// Squall's program with the mutants behind its switch: what `cargo xtask mutants
    /// --build-only` prints.
    #[arg(long, value_name = "PATH")]
    program: PathBuf,
    /// Strategies to compare.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "swarm,uniform,pct,guided"
    )]
    strategies: Vec<String>,
    /// Only these bugs: injected ones by their name, mutants by their id [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Processor time for each sweep.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    budget: Duration,
    /// Repetitions, each with other seeds.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..1 << 20))]
    repeat: u64,
    /// Repeat only so many of the bugs: those that took the longest in the first repetition
    /// [default: all].
    #[arg(long, value_name = "N")]
    hardest: Option<usize>,
    /// Processor time for each sweep of the honest subject, to see what is covered.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    coverage: Duration,
    /// Where results are kept as they come, so that a comparison that was ended early goes on. One
    /// file is for one program.
    #[arg(long, value_name = "FILE", default_value = "target/strategies.jsonl")]
    results: PathBuf,
    /// Put the tables into docs/strategies.md.
    #[arg(long)]
    record: bool,
}

/// One sweep, and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sweep {
    bug: String,
    strategy: String,
    repetition: u64,
    budget_ms: u64,
    trial: Trial,
}

/// Compares the strategies.
///
/// # Errors
/// A name that no bug has, or a program that does not end as a sweep does.
pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    let mut injected = catalogue::bugs(&project.join("docs/driver-bugs.md"))?;
    for bug in &mut injected {
        bug.part = "injected".to_owned();
    }
    injected.extend(catalogue::read(&project.join("sims/mutants"))?);
    let bugs = catalogue::select(injected, &options.only)?;
    let mut comparison = Comparison::open(options)?;
    if !comparison.carry_out(&bugs)? {
        eprintln!("ended early: the same call goes on from here");
        return Ok(130);
    }
    let repeated = comparison.hardest(&bugs);
    let tables = table::tables(options, &comparison.sweeps, &bugs, &repeated);
    print!("{tables}");
    if options.record {
        let path = project.join("docs/strategies.md");
        crate::table::record(&path, "strategies", &tables)?;
    }
    Ok(0)
}

struct Comparison<'a> {
    options: &'a Options,
    sweeps: Vec<Sweep>,
    file: std::fs::File,
    stop: &'static AtomicBool,
}

impl<'a> Comparison<'a> {
    /// Goes on where the results file ends.
    fn open(options: &'a Options) -> Result<Self, Error> {
        let path = &options.results;
        let error = |error: std::io::Error| Error::file(path, &error);
        let before = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(why) => return Err(error(why)),
        };
        // The last line may be half written.
        let sweeps = before
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        Ok(Self {
            options,
            sweeps: sweeps.collect(),
            file: file.map_err(error)?,
            stop: stop_at_interrupt(),
        })
    }

    /// Does all sweeps that are not done yet. False when it was told to end before.
    fn carry_out(&mut self, bugs: &[Mutant]) -> Result<bool, Error> {
        for repetition in 0..self.options.repeat {
            if !self.all(None, repetition)? {
                return Ok(false);
            }
        }
        for repetition in 0..self.options.repeat {
            let here = match repetition {
                0 => bugs.to_vec(),
                _ => self.hardest(bugs),
            };
            let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}");
            let bar = ProgressBar::new(here.len() as u64);
            bar.set_style(style.expect("the template is fixed"));
            for bug in &here {
                bar.set_message(format!("repetition {repetition}: {}", bug.id));
                if !self.all(Some(bug), repetition)? {
                    return Ok(false);
                }
                bar.inc(1);
            }
            bar.finish_and_clear();
        }
        Ok(true)
    }

    /// Sweeps a bug, or none, once with each strategy. False when it was told to end before.
    fn all(&mut self, bug: Option<&Mutant>, repetition: u64) -> Result<bool, Error> {
        let budget = match bug {
            Some(_) => self.options.budget,
            None => self.options.coverage,
        };
        let name = bug.map_or(HONEST, |bug| &bug.id);
        for strategy in &self.options.strategies {
            let budget_ms = budget.as_millis() as u64;
            let is_done = |sweep: &Sweep| {
                (&*sweep.bug, &sweep.strategy) == (name, strategy)
                    && (sweep.repetition, sweep.budget_ms) == (repetition, budget_ms)
            };
            if self.sweeps.iter().any(is_done) {
                continue;
            }
            let Some(trial) = self.sweep(bug, strategy, budget, repetition)? else {
                return Ok(false);
            };
            let sweep = Sweep {
                bug: name.to_owned(),
                strategy: strategy.clone(),
                repetition,
                budget_ms,
                trial,
            };
            let line = serde_json::to_string(&sweep).expect("plain data");
            writeln!(self.file, "{line}")
                .map_err(|error| Error::file(&self.options.results, &error))?;
            self.sweeps.push(sweep);
        }
        Ok(true)
    }

    fn sweep(
        &self,
        bug: Option<&Mutant>,
        strategy: &str,
        budget: Duration,
        repetition: u64,
    ) -> Result<Option<Trial>, Error> {
        let program = &self.options.program;
        let out = tempfile::tempdir().map_err(|error| Error::file(program, &error))?;
        let injected = bug.filter(|bug| is_injected(bug));
        let subject = match injected {
            Some(bug) => format!("{SUBJECT}+{}", bug.id),
            None => SUBJECT.to_owned(),
        };
        let mutant = bug.filter(|bug| !is_injected(bug));
        let prey = Prey {
            program,
            mutant: mutant.map(|mutant| (VARIABLE, mutant.id.as_str())),
            subject: &subject,
            profile: bug.map_or(STORM, |bug| &bug.profile),
            out: out.path().to_path_buf(),
        };
        let first = repetition * STRIDE;
        prey.try_strategy(strategy, first, budget, bug.is_none(), self.stop)
    }

    /// Those that took all strategies together the longest in the first repetition, in the
    /// catalogue's order.
    fn hardest(&self, bugs: &[Mutant]) -> Vec<Mutant> {
        let spent = |bug: &Mutant| -> f64 {
            let first = |sweep: &&Sweep| sweep.bug == bug.id && sweep.repetition == 0;
            let first = self.sweeps.iter().filter(first);
            first.map(|sweep| sweep.trial.cpu_seconds).sum()
        };
        let mut ranked: Vec<&Mutant> = bugs.iter().collect();
        ranked.sort_by(|a, b| spent(b).total_cmp(&spent(a)));
        ranked.truncate(self.options.hardest.unwrap_or(bugs.len()));
        let is_hard = |bug: &&Mutant| ranked.iter().any(|hard| hard.id == bug.id);
        bugs.iter().filter(is_hard).cloned().collect()
    }
}

/// Whether it is an injected bug of the driver, and no mutant of the library.
fn is_injected(bug: &Mutant) -> bool {
    bug.part == "injected"
}

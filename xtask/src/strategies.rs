//! `cargo xtask strategies`: the strategies of `squall sweep` side by side, with the same budget of
//! processor time for each sweep: how soon each finds each bug, and how much it covers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::build::VARIABLE;
use crate::catalogue;
use crate::library::put;
use crate::mutants::duration;

/// The subject whose driver has planted bugs, and whose library has mutants.
const SUBJECT: &str = "raft-rs";

/// The profile of a bug that does not name another.
const STORM: &str = "storm";

/// Planted bugs that need another profile to show, as the table in `src/subject/planted/mod.rs` has it.
const PROFILES: &[(&str, &str)] = &[
    ("forget-commit", "amnesia"),
    ("snapshot-without-configuration", "membership"),
    ("read-before-applied", "reads"),
    ("mix-up-reads", "reads"),
];

/// Seeds of one repetition lie this far from those of the next.
const STRIDE: u64 = 1 << 40;

/// How often a sweep's processor time is looked at.
const POLL: Duration = Duration::from_millis(20);

/// On the wall, a sweep may take so many times its budget, and [`PATIENCE`] more, before it is ended as one that hangs.
const TIMES: u32 = 30;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Options {
    /// Squall's program with the mutants behind its switch: what `cargo xtask mutants --build-only` prints.
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
    /// Only these bugs: planted ones by their name, mutants by their id [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Processor time for each sweep.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    budget: Duration,
    /// Repetitions, each with other seeds.
    #[arg(long, default_value_t = 10)]
    repeat: u64,
    /// Repeat only the harder half of the bugs: those that took the longest in the first repetition.
    #[arg(long)]
    harder_half: bool,
    /// Processor time for each sweep of the honest subject, to see what is covered.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    coverage: Duration,
    /// Where results are kept as they come, so that a comparison that was ended early goes on.
    #[arg(long, value_name = "FILE", default_value = "target/strategies.jsonl")]
    results: PathBuf,
    /// Put the tables into docs/strategies.md.
    #[arg(long)]
    record: bool,
}

/// A bug, as a sweep is pointed at it.
#[derive(Clone, Debug)]
struct Bug {
    name: String,
    subject: String,
    mutant: Option<String>,
    profile: String,
}

/// What one sweep came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hunt {
    bug: String,
    strategy: String,
    repetition: u64,
    budget_ms: u64,
    /// Processor seconds to the violation.
    found: Option<f64>,
    cpu_seconds: f64,
    runs: u64,
    steps: u64,
    states: Option<u64>,
    transitions: Option<u64>,
}

/// What `squall sweep --json -` says, as far as it is of interest here.
#[derive(Deserialize)]
struct Summary {
    runs: u64,
    steps: u64,
    cpu_seconds: f64,
    coverage: Option<Covered>,
    violations: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Covered {
    states: u64,
    transitions: u64,
}

/// What a sweep of no bug is called.
const HONEST: &str = "(none)";

pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    let bugs = bugs(project, options)?;
    let mut comparison = Comparison::open(options)?;
    let honest = Bug {
        name: HONEST.to_owned(),
        subject: SUBJECT.to_owned(),
        mutant: None,
        profile: STORM.to_owned(),
    };
    for repetition in 0..options.repeat {
        comparison.all(&honest, options.coverage, repetition)?;
    }
    for bug in &bugs {
        comparison.all(bug, options.budget, 0)?;
    }
    let repeated = match options.harder_half {
        true => comparison.harder_half(&bugs),
        false => bugs.clone(),
    };
    for repetition in 1..options.repeat {
        for bug in &repeated {
            comparison.all(bug, options.budget, repetition)?;
        }
    }
    let tables = comparison.tables(&bugs, &repeated);
    print!("{tables}");
    if options.record {
        let path = project.join("docs/strategies.md");
        let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))?;
        put(&path, &between(&text, &tables))?;
    }
    Ok(0)
}

/// The planted bugs, and then the mutants.
fn bugs(project: &Path, options: &Options) -> Result<Vec<Bug>, Error> {
    let planted = Command::new(&options.program)
        .args(["list", "subjects"])
        .output()
        .map_err(|error| Error::file(&options.program, &error))?;
    let planted = String::from_utf8_lossy(&planted.stdout).into_owned();
    let names = planted.lines().filter_map(|line| {
        let subject = line.split_whitespace().next()?;
        let name = subject.strip_prefix(SUBJECT)?.strip_prefix('+')?;
        Some((name.to_owned(), subject.to_owned()))
    });
    let profile = |name: &str| {
        let other = PROFILES.iter().find(|(bug, _)| *bug == name);
        other.map_or(STORM, |(_, profile)| profile).to_owned()
    };
    let mut bugs: Vec<Bug> = names
        .map(|(name, subject)| Bug {
            profile: profile(&name),
            mutant: None,
            subject,
            name,
        })
        .collect();
    for mutant in catalogue::read(&project.join("sims/mutants"))? {
        bugs.push(Bug {
            name: mutant.id.clone(),
            subject: SUBJECT.to_owned(),
            profile: mutant.profile.clone(),
            mutant: Some(mutant.id),
        });
    }
    let names: Vec<&str> = bugs.iter().map(|bug| bug.name.as_str()).collect();
    for asked in &options.only {
        if !names.contains(&asked.as_str()) {
            let nearest = catalogue::nearest(asked, &names).unwrap_or_default();
            return Err(Error::Untrue(format!(
                "no bug is called \"{asked}\"{nearest}"
            )));
        }
    }
    let wanted = |bug: &Bug| options.only.is_empty() || options.only.contains(&bug.name);
    bugs.retain(wanted);
    Ok(bugs)
}

struct Comparison<'a> {
    options: &'a Options,
    hunts: Vec<Hunt>,
    file: std::fs::File,
}

impl<'a> Comparison<'a> {
    /// Goes on where the results file ends.
    fn open(options: &'a Options) -> Result<Self, Error> {
        let path = &options.results;
        let error = |error| Error::file(path, &error);
        let before = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(why) => return Err(error(why)),
        };
        let hunts = before
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        Ok(Self {
            options,
            hunts: hunts.collect(),
            file: file.map_err(error)?,
        })
    }

    /// Sweeps a bug once with each strategy.
    fn all(&mut self, bug: &Bug, budget: Duration, repetition: u64) -> Result<(), Error> {
        for strategy in &self.options.strategies {
            let budget_ms = budget.as_millis() as u64;
            let is_done = |hunt: &Hunt| {
                (&hunt.bug, &hunt.strategy, hunt.repetition, hunt.budget_ms)
                    == (&bug.name, strategy, repetition, budget_ms)
            };
            if self.hunts.iter().any(is_done) {
                continue;
            }
            let hunt = self.hunt(bug, strategy, budget, repetition)?;
            let line = serde_json::to_string(&hunt).expect("plain data");
            writeln!(self.file, "{line}")
                .map_err(|error| Error::file(&self.options.results, &error))?;
            eprintln!("{line}");
            self.hunts.push(hunt);
        }
        Ok(())
    }

    fn hunt(
        &self,
        bug: &Bug,
        strategy: &str,
        budget: Duration,
        repetition: u64,
    ) -> Result<Hunt, Error> {
        let program = &self.options.program;
        let cannot = |error: std::io::Error| Error::file(program, &error);
        let out = tempfile::tempdir().map_err(cannot)?;
        let answer = tempfile::NamedTempFile::new().map_err(cannot)?;
        let first = repetition * STRIDE;
        let mut command = Command::new(program);
        if let Some(id) = &bug.mutant {
            command.env(VARIABLE, id);
        }
        command.arg("sweep");
        if bug.name == HONEST {
            command.arg("--coverage");
        }
        let began = Instant::now();
        let mut child = command
            .args(["--subject", &bug.subject, "--profile", &bug.profile])
            .args(["--strategy", strategy])
            .args(["--seeds", &format!("{first}..{}", u64::MAX)])
            .args(["--jobs", "1", "--no-shrink", "--json", "-", "--out"])
            .arg(out.path())
            .stdin(Stdio::null())
            .stdout(answer.reopen().map_err(cannot)?)
            .stderr(Stdio::null())
            .spawn()
            .map_err(cannot)?;
        let mut is_told = false;
        let mut spent = Duration::ZERO;
        let hangs = loop {
            if child.try_wait().map_err(cannot)?.is_some() {
                break false;
            }
            spent = cpu(&child).unwrap_or(spent);
            if !is_told && spent >= budget {
                // It ends with what it has.
                if let Some(pid) = Pid::from_raw(child.id() as i32) {
                    let _ = kill_process(pid, Signal::INT);
                }
                is_told = true;
            }
            if began.elapsed() > budget * TIMES + PATIENCE || spent > budget + PATIENCE {
                let _ = child.kill();
                child.wait().map_err(cannot)?;
                break true;
            }
            std::thread::sleep(POLL);
        };
        let text = std::fs::read_to_string(answer.path()).map_err(cannot)?;
        let summary = serde_json::from_str::<Summary>(&text);
        let (found, summary) = match summary {
            Ok(summary) => {
                let found = !summary.violations.is_empty();
                (found.then_some(summary.cpu_seconds), summary)
            }
            // A process that dies has found it; one that had to be ended has not within its budget.
            Err(_) => {
                let summary = Summary {
                    runs: 0,
                    steps: 0,
                    cpu_seconds: spent.as_secs_f64(),
                    coverage: None,
                    violations: Vec::new(),
                };
                ((!hangs).then_some(spent.as_secs_f64()), summary)
            }
        };
        Ok(Hunt {
            bug: bug.name.clone(),
            strategy: strategy.to_owned(),
            repetition,
            budget_ms: budget.as_millis() as u64,
            found,
            cpu_seconds: summary.cpu_seconds,
            runs: summary.runs,
            steps: summary.steps,
            states: summary.coverage.as_ref().map(|covered| covered.states),
            transitions: summary.coverage.as_ref().map(|covered| covered.transitions),
        })
    }

    /// What a strategy came to with a bug, the soonest first.
    fn of(&self, bug: &str, strategy: &str) -> Vec<&Hunt> {
        let here = |hunt: &&Hunt| hunt.bug == bug && hunt.strategy == strategy;
        self.hunts.iter().filter(here).collect()
    }

    /// Processor seconds to the violation, rising; infinite where there was none.
    fn times(&self, bug: &str, strategy: &str) -> Vec<f64> {
        let hunts = self.of(bug, strategy).into_iter();
        rising(hunts.map(|hunt| hunt.found.unwrap_or(f64::INFINITY)))
    }

    /// Those that took all strategies together the longest in the first repetition.
    fn harder_half(&self, bugs: &[Bug]) -> Vec<Bug> {
        let spent = |bug: &Bug| -> f64 {
            let first = self
                .hunts
                .iter()
                .filter(|hunt| hunt.bug == bug.name && hunt.repetition == 0);
            first.map(|hunt| hunt.cpu_seconds).sum()
        };
        let mut ranked: Vec<&Bug> = bugs.iter().collect();
        ranked.sort_by(|a, b| spent(b).total_cmp(&spent(a)));
        ranked
            .into_iter()
            .take(bugs.len().div_ceil(2))
            .cloned()
            .collect()
    }

    fn tables(&self, bugs: &[Bug], repeated: &[Bug]) -> String {
        let mut text = String::new();
        let strategies = &self.options.strategies;
        let head = |text: &mut String, first: &str| {
            let _ = writeln!(text, "| {first} | {} |", strategies.join(" | "));
            let _ = writeln!(text, "| --- |{}", " --- |".repeat(strategies.len()));
        };
        let row = |text: &mut String, first: &str, cells: Vec<String>| {
            let _ = writeln!(text, "| {first} | {} |", cells.join(" | "));
        };
        let _ = writeln!(
            text,
            "Covered in {} of processor time: median of {} repetitions (quartiles).\n",
            humantime::format_duration(self.options.coverage),
            self.options.repeat
        );
        head(&mut text, "storm over raft-rs");
        for (name, get) in [
            (
                "states",
                (|hunt| hunt.states.unwrap_or(0)) as fn(&Hunt) -> u64,
            ),
            ("transitions", |hunt| hunt.transitions.unwrap_or(0)),
            ("runs", |hunt| hunt.runs),
            ("steps", |hunt| hunt.steps),
        ] {
            let cell = |strategy: &String| {
                let all = rising(
                    self.of(HONEST, strategy)
                        .into_iter()
                        .map(|hunt| get(hunt) as f64),
                );
                let [low, middle, high] = quartiles(&all);
                format!("{middle:.0} ({low:.0} to {high:.0})")
            };
            row(&mut text, name, strategies.iter().map(cell).collect());
        }
        for (what, is_here) in [
            (
                "planted bug",
                (|bug| bug.mutant.is_none()) as fn(&Bug) -> bool,
            ),
            ("mutant", |bug| bug.mutant.is_some()),
        ] {
            let here: Vec<&Bug> = repeated.iter().filter(|bug| is_here(bug)).collect();
            if here.is_empty() {
                continue;
            }
            let _ = writeln!(
                text,
                "\nProcessor seconds to the first violation: median of {} repetitions (quartiles); {} of {} bugs, each sweep with {}.\n",
                self.options.repeat,
                here.len(),
                bugs.iter().filter(|bug| is_here(bug)).count(),
                humantime::format_duration(self.options.budget)
            );
            head(&mut text, what);
            for bug in &here {
                let cell = |strategy: &String| spread(&self.times(&bug.name, strategy));
                row(
                    &mut text,
                    &format!("`{}`", bug.name),
                    strategies.iter().map(cell).collect(),
                );
            }
            let soonest = |strategy: &String| {
                let median =
                    |other: &String, bug: &Bug| quartiles(&self.times(&bug.name, other))[1];
                let wins = here.iter().filter(|bug| {
                    let own = median(strategy, bug);
                    own.is_finite() && strategies.iter().all(|other| own <= median(other, bug))
                });
                wins.count().to_string()
            };
            row(
                &mut text,
                "soonest",
                strategies.iter().map(soonest).collect(),
            );
            let total = |strategy: &String| {
                let all = here.iter().flat_map(|bug| self.of(&bug.name, strategy));
                let (mut found, mut count, mut spent) = (0, 0, 0.0);
                for hunt in all {
                    count += 1;
                    found += usize::from(hunt.found.is_some());
                    spent += hunt.cpu_seconds;
                }
                (found, count, spent)
            };
            let sums: BTreeMap<&String, (usize, usize, f64)> = strategies
                .iter()
                .map(|strategy| (strategy, total(strategy)))
                .collect();
            let found = |strategy| format!("{} of {}", sums[strategy].0, sums[strategy].1);
            row(
                &mut text,
                "sweeps that found it",
                strategies.iter().map(found).collect(),
            );
            let spent = |strategy| format!("{:.1}", sums[strategy].2);
            row(
                &mut text,
                "processor seconds in all",
                strategies.iter().map(spent).collect(),
            );
        }
        text
    }
}

/// Processor time of a child so far, where the system tells it as Linux does.
fn cpu(child: &Child) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    // The second field, the program's name, is in brackets and may hold blanks.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(
        ticks * 1_000 / rustix::param::clock_ticks_per_second(),
    ))
}

fn rising(all: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The lower quartile, the median and the upper quartile of numbers that rise.
fn quartiles(all: &[f64]) -> [f64; 3] {
    let at = |part: usize| {
        let Some(last) = all.len().checked_sub(1) else {
            return f64::INFINITY;
        };
        let (low, rest) = (last * part / 4, last * part % 4);
        match rest {
            0 => all[low],
            _ if all[low + 1].is_infinite() => f64::INFINITY,
            _ => all[low] + (all[low + 1] - all[low]) * rest as f64 / 4.0,
        }
    };
    [at(1), at(2), at(3)]
}

fn spread(all: &[f64]) -> String {
    let words = |one: f64| match one.is_finite() {
        true => format!("{one:.2}"),
        false => "-".to_owned(),
    };
    let [low, middle, high] = quartiles(all).map(words);
    format!("{middle} ({low} to {high})")
}

const BEGIN: &str = "<!-- strategies -->\n";
const END: &str = "<!-- end of strategies -->";

/// `text` with `tables` between its marks.
fn between(text: &str, tables: &str) -> String {
    match (text.split_once(BEGIN), text.split_once(END)) {
        (Some((before, _)), Some((_, after))) => format!("{before}{BEGIN}{tables}{END}{after}"),
        _ => format!("{text}\n{BEGIN}{tables}{END}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_sweeps_that_did_not_find_it_are_told_as_such() {
        assert_eq!(quartiles(&[1.0, 2.0, 3.0, 4.0, 5.0]), [2.0, 3.0, 4.0]);
        assert_eq!(quartiles(&[1.0, 2.0])[1], 1.5);
        let some = [1.0, 2.0, 3.0, f64::INFINITY, f64::INFINITY];
        assert_eq!(spread(&some), "3.00 (2.00 to -)");
        assert_eq!(spread(&[]), "- (- to -)");
    }

    #[test]
    fn tables_are_put_between_their_marks_and_nowhere_else() {
        let text = format!("before\n{BEGIN}old\n{END}\nafter\n");
        let after = between(&text, "new\n");
        assert_eq!(after, format!("before\n{BEGIN}new\n{END}\nafter\n"));
        assert_eq!(between(&after, "new\n"), after);
    }
}

//! Sweeps one program until it finds a violation or its budget of processor time is spent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Most address space that a sweep may take, in bytes: a mutant that sends without end is to fail,
/// not the machine.
const MOST_MEMORY: u64 = 6 << 30;

/// How long past its time a sweep may go on before it is held for hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many times its processor time a sweep may take on the wall of a busy machine.
const BUSY: u32 = 30;

/// Processor time after which a sweep of a number of seeds is held for hanging, and that for each
/// seed where it has more: many times what the library as it is takes.
const MOST_CPU: Duration = Duration::from_secs(10);
const MOST_CPU_A_SEED: Duration = Duration::from_millis(20);

/// What is swept.
#[derive(Clone, Debug)]
pub struct Prey<'a> {
    /// Squall's program.
    pub program: &'a Path,
    /// The mutant that the switch is set to, if there is a switch.
    pub mutant: Option<(&'a str, &'a str)>,
    /// The subject.
    pub subject: &'a str,
    /// The profile.
    pub profile: &'a str,
    /// Where plans are written.
    pub out: PathBuf,
}

/// How a hunt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// A property broke.
    Violation(Violation),
    /// No property broke, but an event that the profile requires never happened.
    Incomplete(Vec<String>),
    /// A step never ended.
    Hang,
    /// The process died, by a signal or an exit status that a sweep does not have.
    Death(String),
    /// The budget was spent.
    Clean,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// The property's name.
    pub property: String,
    /// What broke it.
    pub message: String,
    /// The plan's seed.
    pub seed: u64,
    /// The step.
    pub step: u64,
    /// The profile that the plan was drawn from, where several are swept together.
    #[serde(default)]
    pub profile: String,
    /// The plan's file.
    pub plan: PathBuf,
    /// The smaller plan, where it was shrunk.
    pub shrunk: Option<Size>,
}

/// How large a shrunk plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Operations of clients; none where they are still drawn.
    pub operations: Option<usize>,
    /// Nodes.
    pub nodes: u64,
}

/// A hunt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hunt {
    /// The profile.
    pub profile: String,
    /// How it ended.
    pub ending: Ending,
    /// Runs.
    pub runs: u64,
    /// Processor time up to there, shrinking not included, in seconds.
    pub cpu_seconds: f64,
}

impl Hunt {
    /// Whether it found anything.
    pub fn caught(&self) -> bool {
        self.ending != Ending::Clean
    }
}

/// What the runs of a sweep came to in which nothing was found.
#[derive(Clone, Debug)]
pub struct Runs {
    /// The digest of all of them.
    pub digest: String,
    /// How often each event happened.
    pub sometimes: BTreeMap<String, u64>,
}

/// What one sweep with a strategy came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Whether it found anything.
    pub found: bool,
    /// Processor time up to there, or in all.
    pub cpu_seconds: f64,
    /// Runs.
    pub runs: u64,
    /// Steps of all runs.
    pub steps: u64,
    /// States and transitions covered, where that was asked for.
    pub covered: Option<Covered>,
}

/// How much of the cluster's abstract states was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// Different states.
    pub states: u64,
    /// Different transitions between them.
    pub transitions: u64,
}

/// How long a sweep may go on.
#[derive(Clone, Copy)]
struct Limit {
    /// On the wall; then it hangs.
    wall: Duration,
    /// Of processor time, and what then.
    cpu: Option<(Duration, Spent)>,
}

/// What becomes of a sweep whose processor time is spent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spent {
    /// It is told to end with what it has.
    Ends,
    /// It hangs.
    Hangs,
}

/// What `squall sweep --json -` says, as far as it is of interest here.
#[derive(Deserialize)]
struct Summary {
    verdict: String,
    runs: u64,
    steps: u64,
    cpu_seconds: f64,
    digest: String,
    sometimes: BTreeMap<String, u64>,
    missing: Vec<String>,
    violations: Vec<SummaryViolation>,
    coverage: Option<Covered>,
}

#[derive(Deserialize)]
struct SummaryViolation {
    property: String,
    seed: u64,
    step: u64,
    message: String,
    plan: PathBuf,
    shrunk_plan: Option<PathBuf>,
}

enum Went {
    Through(Summary),
    Hung,
    Died(String),
    Stopped,
}

impl Prey<'_> {
    /// Sweeps from seed 0 for `budget` of processor time, and shrinks what it finds for `shrink` at
    /// most. None when `stop` was set before it ended.
    ///
    /// # Errors
    /// When the program cannot be started, or says something that is no summary.
    pub fn hunt(
        &self,
        budget: Duration,
        shrink: Option<Duration>,
        stop: &AtomicBool,
    ) -> Result<Option<Hunt>, Error> {
        let began = Instant::now();
        let (mut runs, mut cpu_seconds) = (0, 0.0);
        let (mut required, mut happened) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let left = budget.as_secs_f64() - cpu_seconds;
            if left <= 0.01 {
                break;
            }
            let seeds = format!("{runs}..{}", u64::MAX);
            let time = Duration::from_secs_f64(left);
            let shrinking = shrink.map(|time| format!("{}ms", time.as_millis()));
            let mut rest = vec![
                "--seeds".to_owned(),
                seeds,
                "--for".to_owned(),
                format!("{}ms", time.as_millis()),
            ];
            match &shrinking {
                Some(time) => rest.extend(["--shrink-for".to_owned(), time.clone()]),
                None => rest.push("--no-shrink".to_owned()),
            }
            let most = time + shrink.unwrap_or_default() + PATIENCE;
            let limit = Limit {
                wall: most,
                cpu: None,
            };
            let ending = match self.sweep(&rest, limit, stop)? {
                Went::Stopped => return Ok(None),
                Went::Hung => Ending::Hang,
                Went::Died(how) => Ending::Death(how),
                Went::Through(summary) => {
                    runs += summary.runs;
                    cpu_seconds += summary.cpu_seconds;
                    required.extend(summary.missing);
                    happened.extend(
                        summary
                            .sometimes
                            .into_iter()
                            .filter(|(_, times)| *times > 0)
                            .map(|(name, _)| name),
                    );
                    match summary.violations.into_iter().next() {
                        Some(violation) => Ending::Violation(violation.measured()?),
                        None if summary.verdict == "nondeterministic" => {
                            Ending::Death("a run did not repeat".to_owned())
                        }
                        None => continue,
                    }
                }
            };
            if !matches!(ending, Ending::Violation(_)) {
                cpu_seconds =
                    cpu_seconds.max(began.elapsed().as_secs_f64().min(budget.as_secs_f64()));
            }
            return Ok(Some(self.ended(ending, runs, cpu_seconds)));
        }
        let missing: Vec<String> = required.difference(&happened).cloned().collect();
        let ending = match missing.is_empty() {
            true => Ending::Clean,
            false => Ending::Incomplete(missing),
        };
        Ok(Some(self.ended(ending, runs, cpu_seconds)))
    }

    fn ended(&self, ending: Ending, runs: u64, cpu_seconds: f64) -> Hunt {
        Hunt {
            profile: self.profile.to_owned(),
            ending,
            runs,
            cpu_seconds,
        }
    }

    /// The digest of the first `seeds` seeds, all of which are run.
    ///
    /// # Errors
    /// When the program cannot be started, or does not end with a summary.
    pub fn digest(&self, seeds: u32, stop: &AtomicBool) -> Result<Option<String>, Error> {
        let rest = [
            "--seeds".to_owned(),
            seeds.to_string(),
            "--keep-going".to_owned(),
            "--no-shrink".to_owned(),
        ];
        let limit = Limit {
            wall: Duration::from_secs(600),
            cpu: None,
        };
        match self.sweep(&rest, limit, stop)? {
            Went::Through(summary) => Ok(Some(summary.digest)),
            Went::Stopped => Ok(None),
            Went::Hung => Err(Error::Sweep(
                "the sweep for the digest did not end".to_owned(),
            )),
            Went::Died(how) => Err(Error::Sweep(format!(
                "the sweep for the digest died: {how}"
            ))),
        }
    }

    /// Sweeps the first `seeds` seeds, until something is found. What they came to is told where
    /// nothing was. None when `stop` was set before it ended.
    ///
    /// # Errors
    /// As [`Prey::hunt`].
    pub fn sweep_seeds(
        &self,
        seeds: u32,
        stop: &AtomicBool,
    ) -> Result<Option<(Hunt, Option<Runs>)>, Error> {
        let rest = [
            "--seeds".to_owned(),
            seeds.to_string(),
            "--no-shrink".to_owned(),
        ];
        let most = MOST_CPU.max(MOST_CPU_A_SEED * seeds);
        let limit = Limit {
            wall: most * BUSY,
            cpu: Some((most, Spent::Hangs)),
        };
        let (ending, runs, cpu_seconds, of_runs) = match self.sweep(&rest, limit, stop)? {
            Went::Stopped => return Ok(None),
            Went::Hung => (Ending::Hang, 0, most.as_secs_f64(), None),
            Went::Died(how) => (Ending::Death(how), 0, 0.0, None),
            Went::Through(summary) => {
                let (runs, cpu_seconds) = (summary.runs, summary.cpu_seconds);
                let of_runs = Runs {
                    digest: summary.digest.clone(),
                    sometimes: summary.sometimes.clone(),
                };
                let ending = summary.ending()?;
                let of_runs = (ending == Ending::Clean).then_some(of_runs);
                (ending, runs, cpu_seconds, of_runs)
            }
        };
        Ok(Some((self.ended(ending, runs, cpu_seconds), of_runs)))
    }

    /// Sweeps from seed `first` with a strategy, until something is found or `budget` of processor
    /// time is spent. None when `stop` was set before it ended.
    ///
    /// # Errors
    /// As [`Prey::hunt`].
    pub fn try_strategy(
        &self,
        strategy: &str,
        first: u64,
        budget: Duration,
        coverage: bool,
        stop: &AtomicBool,
    ) -> Result<Option<Trial>, Error> {
        let mut rest = vec![
            "--strategy".to_owned(),
            strategy.to_owned(),
            "--seeds".to_owned(),
            format!("{first}..{}", u64::MAX),
            "--no-shrink".to_owned(),
        ];
        if coverage {
            rest.push("--coverage".to_owned());
        }
        let limit = Limit {
            wall: budget * BUSY + PATIENCE,
            cpu: Some((budget, Spent::Ends)),
        };
        let nothing = |found| Trial {
            found,
            cpu_seconds: budget.as_secs_f64(),
            runs: 0,
            steps: 0,
            covered: None,
        };
        Ok(match self.sweep(&rest, limit, stop)? {
            Went::Stopped => None,
            // It was under way to a step that does not end, or to its death: both are found.
            Went::Hung | Went::Died(_) => Some(nothing(true)),
            Went::Through(summary) => Some(Trial {
                found: !summary.violations.is_empty(),
                cpu_seconds: summary.cpu_seconds,
                runs: summary.runs,
                steps: summary.steps,
                covered: summary.coverage,
            }),
        })
    }

    /// All that sweeping `seeds` finds, as it was found; nothing is shrunk. None when `stop` was
    /// set before it ended.
    ///
    /// # Errors
    /// As [`Prey::hunt`], and when the sweep does not come to its end.
    pub fn findings(
        &self,
        seeds: Range<u64>,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Violation>>, Error> {
        let rest = [
            "--seeds".to_owned(),
            format!("{}..{}", seeds.start, seeds.end),
            "--keep-going".to_owned(),
            "--no-shrink".to_owned(),
        ];
        let limit = Limit {
            wall: Duration::from_secs(600),
            cpu: None,
        };
        match self.sweep(&rest, limit, stop)? {
            Went::Stopped => Ok(None),
            Went::Hung => Err(Error::Sweep("it did not end".to_owned())),
            Went::Died(how) => Err(Error::Sweep(format!("it died: {how}"))),
            Went::Through(summary) => {
                let found = summary.violations.into_iter();
                let found: Result<Vec<_>, _> = found.map(SummaryViolation::measured).collect();
                found.map(Some)
            }
        }
    }

    /// Squall's program, told which mutant to be.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        if let Some((variable, id)) = self.mutant {
            command.env(variable, id);
        }
        command
    }

    fn sweep(&self, rest: &[String], limit: Limit, stop: &AtomicBool) -> Result<Went, Error> {
        let cannot = |error: std::io::Error| Error::file(self.program, &error);
        let answer = tempfile::NamedTempFile::new().map_err(cannot)?;
        let complaint = tempfile::NamedTempFile::new().map_err(cannot)?;
        let mut child = self
            .command()
            .args([
                "sweep",
                "--subject",
                self.subject,
                "--profile",
                self.profile,
            ])
            .args(["--jobs", "1", "--json", "-", "--out"])
            .arg(&self.out)
            .args(rest)
            .stdin(Stdio::null())
            .stdout(answer.reopen().map_err(cannot)?)
            .stderr(complaint.reopen().map_err(cannot)?)
            .spawn()
            .map_err(cannot)?;
        let memory = Rlimit {
            current: Some(MOST_MEMORY),
            maximum: Some(MOST_MEMORY),
        };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // A child that has ended already needs no limit.
        let _ = prlimit(pid, Resource::As, memory);
        let began = Instant::now();
        let mut cpu_left = limit.cpu;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(cannot)? {
                break status;
            }
            let mut hangs = began.elapsed() > limit.wall;
            if let Some((most, then)) = cpu_left
                && cpu_time(&child).is_some_and(|spent| spent >= most)
            {
                hangs |= then == Spent::Hangs;
                interrupt(&child);
                cpu_left = None;
            }
            let stopped = stop.load(Ordering::Relaxed);
            if stopped || hangs {
                let _ = child.kill();
                child.wait().map_err(cannot)?;
                return Ok(if stopped { Went::Stopped } else { Went::Hung });
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        if stop.load(Ordering::Relaxed) {
            return Ok(Went::Stopped);
        }
        let text = std::fs::read_to_string(answer.path()).map_err(cannot)?;
        if let Ok(summary) = serde_json::from_str(&text) {
            return Ok(Went::Through(summary));
        }
        let complaint = std::fs::read_to_string(complaint.path()).map_err(cannot)?;
        let first = complaint
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        match status.code() {
            Some(2) => Err(Error::Sweep(first.trim_start_matches("error: ").to_owned())),
            _ => Ok(Went::Died(format!("{status} {first}").trim().to_owned())),
        }
    }
}

/// Tells a child to end with what it has. One that has ended meanwhile hears nothing.
pub fn interrupt(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::INT);
    }
}

/// Processor time of a child so far, where the system tells it as Linux does.
pub fn cpu_time(child: &Child) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    // The second field, the program's name, is in brackets and may hold blanks.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(
        ticks * 1_000 / rustix::param::clock_ticks_per_second(),
    ))
}

impl Summary {
    /// What it says of a sweep that nobody ended early.
    fn ending(self) -> Result<Ending, Error> {
        Ok(match self.violations.into_iter().next() {
            Some(violation) => Ending::Violation(violation.measured()?),
            None if self.verdict == "nondeterministic" => {
                Ending::Death("a run did not repeat".to_owned())
            }
            None if self.missing.is_empty() => Ending::Clean,
            None => Ending::Incomplete(self.missing),
        })
    }
}

impl SummaryViolation {
    fn measured(self) -> Result<Violation, Error> {
        let shrunk = self.shrunk_plan.as_deref().map(size).transpose()?;
        let plan = read_plan(&self.plan).ok();
        let profile = plan.and_then(|plan| plan["profile"].as_str().map(str::to_owned));
        Ok(Violation {
            profile: profile.unwrap_or_default(),
            property: self.property,
            message: self.message,
            seed: self.seed,
            step: self.step,
            plan: self.shrunk_plan.unwrap_or(self.plan),
            shrunk,
        })
    }
}

fn read_plan(plan: &Path) -> Result<serde_json::Value, Error> {
    let text = std::fs::read_to_string(plan).map_err(|error| Error::file(plan, &error))?;
    serde_json::from_str(&text)
        .map_err(|error| Error::Sweep(format!("{}: {error}", plan.display())))
}

fn size(plan: &Path) -> Result<Size, Error> {
    let json = read_plan(plan)?;
    let length = |key: &str| json[key].as_array().map(Vec::len);
    let nodes = ["voters", "learners", "spares"]
        .map(|key| json["cluster"][key].as_u64().unwrap_or_default());
    Ok(Size {
        faults: length("faults").unwrap_or_default(),
        operations: length("script"),
        nodes: nodes.iter().sum(),
    })
}

//! `cargo xtask portfolio`: how soon each profile finds each known bug, and from that the shares
//! of the default portfolio. Knows how sweeps are measured, and leaves the arithmetic to `shares`.

mod shares;
mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::build::{Builder, VARIABLE};
use crate::catalogue::{self, Mutant};
use crate::hunt::{Prey, Trial};
use crate::library::{Library, put};
use crate::mutants::{changes, duration, stop_at_interrupt};
use crate::side_by_side::{Told, side_by_side};
use crate::target::Target;

/// The profile whose shares these are.
const PORTFOLIO: &str = "portfolio";

/// Seeds of one repetition lie this far from those of the next.
const STRIDE: u64 = 1 << 40;

/// A bug that this arm finds so soon is not swept with the others: whatever its share, the
/// portfolio finds it soon enough.
const SOON: Duration = Duration::from_millis(40);

/// The arm that every bug is swept with first.
const FIRST: Arm = Arm {
    profile: "storm",
    strategy: "swarm",
};

/// Processor time in which the runs of an arm are counted on the library as it is.
const COUNTING: Duration = Duration::from_secs(4);

/// A profile with a strategy: what a part of the portfolio may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arm {
    /// The profile.
    pub profile: &'static str,
    /// The strategy.
    pub strategy: &'static str,
}

const fn swarm(profile: &'static str) -> Arm {
    Arm {
        profile,
        strategy: "swarm",
    }
}

/// What is measured: all profiles but those which the portfolio leaves out, and the other blind
/// strategies over the two that find the most.
const ARMS: [Arm; 19] = [
    FIRST,
    Arm {
        profile: "storm",
        strategy: "uniform",
    },
    Arm {
        profile: "storm",
        strategy: "pct",
    },
    swarm("membership"),
    swarm("joint"),
    swarm("partitions"),
    swarm("elections"),
    Arm {
        profile: "elections",
        strategy: "uniform",
    },
    Arm {
        profile: "elections",
        strategy: "pct",
    },
    swarm("amnesia"),
    swarm("reads"),
    swarm("snapshots"),
    swarm("transfer"),
    swarm("async-disk"),
    swarm("disk"),
    swarm("network"),
    swarm("requests"),
    swarm("calm"),
    swarm("long"),
];

/// What `cargo xtask portfolio` takes.
#[derive(Debug, Args)]
pub struct Options {
    /// Squall's program with the mutants behind its switch: what `cargo xtask mutants
    /// --build-only` prints [default: it is built].
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Only these bugs: mutants by their id, injected ones as raft-rs+NAME or noraft+NAME
    /// [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Processor time for each sweep of a bug by one profile.
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = duration)]
    budget: Duration,
    /// Repetitions, each with other seeds.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..1 << 20))]
    repeat: u64,
    /// Sweeps side by side, with one thread each [default: one for each processor].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where results are kept as they come, so that a measurement that was ended early goes on.
    /// One file is for one program.
    #[arg(long, value_name = "FILE", default_value = "target/portfolio.jsonl")]
    results: PathBuf,
    /// Put the table into docs/power.md.
    #[arg(long)]
    record: bool,
    /// Put the weights into crates/core/profiles/portfolio.toml.
    #[arg(long)]
    write: bool,
}

/// A bug of either catalogue.
#[derive(Clone, Debug)]
struct Bug {
    /// A mutant's id, or the subject with an injected bug.
    name: String,
    subject: String,
    mutant: Option<String>,
}

/// One sweep, and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Measured {
    /// None: the library as it is.
    bug: Option<String>,
    profile: String,
    strategy: String,
    repetition: u64,
    trial: Trial,
}

impl Told for Vec<Measured> {
    fn tell(&self) {
        let Some(Measured { bug: Some(bug), .. }) = self.first() else {
            return;
        };
        let found = self.iter().filter(|one| one.trial.found);
        let best = found.min_by(|a, b| a.trial.cpu_seconds.total_cmp(&b.trial.cpu_seconds));
        match best {
            Some(best) => println!(
                "{bug:<46} {:>6.2} s by {}, {}",
                best.trial.cpu_seconds, best.profile, best.strategy
            ),
            None => println!("{bug:<46} missed by all"),
        }
    }
}

/// Measures, and works out the shares.
///
/// # Errors
/// A name that no bug has, or a program that does not end as a sweep does.
pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build(project)?,
    };
    let bugs = bugs(project, &program, &options.only)?;
    let results = Results::open(&options.results)?;
    let stop = stop_at_interrupt();
    let work = Work {
        options,
        program: &program,
        results: &results,
        stop,
    };
    let jobs = options.jobs.map(usize::from);
    let costs = side_by_side("arms", jobs, stop, &ARMS, |arm| work.cost(*arm))?;
    let swept = side_by_side("bugs", jobs, stop, &bugs, |bug| work.bug(bug))?;
    if costs.len() < ARMS.len() || swept.len() < bugs.len() {
        eprintln!("ended early: the same call goes on from here");
        return Ok(130);
    }
    let seconds_a_run: Vec<f64> = (costs.iter().flatten())
        .map(|one| one.trial.cpu_seconds / one.trial.runs.max(1) as f64)
        .collect();
    let rates: Vec<Vec<Option<f64>>> = swept.iter().map(|sweeps| rates(sweeps)).collect();
    let shares = shares::work_out(&rates, ARMS.iter().map(|arm| least_share(*arm)).collect());
    let weights = shares::weights(&shares, &seconds_a_run);
    let rows = table::Rows {
        arms: &ARMS,
        names: bugs.iter().map(|bug| bug.name.as_str()).collect(),
        rates: &rates,
        shares: &shares,
        weights: &weights,
    };
    print!("\n{}", rows.summary());
    if options.record {
        let mut command = format!(
            "cargo xtask portfolio --budget {} --repeat {}",
            humantime::format_duration(options.budget),
            options.repeat
        );
        if !options.only.is_empty() {
            command.push_str(" --only ");
            command.push_str(&options.only.join(","));
        }
        crate::table::record(
            &project.join("docs/power.md"),
            PORTFOLIO,
            &rows.markdown(&command),
        )?;
    }
    if options.write {
        let path = project.join("crates/core/profiles/portfolio.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))?;
        put(&path, &rows.profile(&text))?;
    }
    Ok(0)
}

/// The least share of processor time of each arm, two thirds of all time together: a bug that
/// nobody has thought of yet may be found by it alone, and times that were measured a few times are
/// not known well. The storm has more, for it has something of all; what the other strategies
/// get over a profile that is in already, they have to earn.
fn least_share(arm: Arm) -> f64 {
    match (arm.profile, arm.strategy) {
        ("storm", "swarm") => 0.25,
        ("calm" | "requests" | "long", _) => 0.005,
        (_, "swarm") => 0.035,
        _ => 0.0,
    }
}

/// The bugs of both catalogues, the injected ones around each library that the program has them
/// for.
fn bugs(project: &Path, program: &Path, only: &[String]) -> Result<Vec<Bug>, Error> {
    let listed = std::process::Command::new(program)
        .args(["list", "bugs"])
        .output()
        .map_err(|error| Error::file(program, &error))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let is_there = |bug: &Bug| {
        let mut lines = listed.lines();
        lines.any(|line| line.split(' ').next() == Some(&bug.subject))
    };
    let mutants = catalogue::read(&Target::RaftRs.catalogue(project))?;
    let mut bugs: Vec<Bug> = mutants
        .into_iter()
        .map(|mutant| Bug {
            name: mutant.id.clone(),
            subject: "raft-rs".to_owned(),
            mutant: Some(mutant.id),
        })
        .collect();
    let injected = catalogue::bugs(&project.join("docs/driver-bugs.md"))?;
    for library in ["raft-rs", "noraft", "raftbare"] {
        let around = injected.iter().map(|Mutant { id, .. }| Bug {
            name: format!("{library}+{id}"),
            subject: format!("{library}+{id}"),
            mutant: None,
        });
        bugs.extend(around.filter(is_there));
    }
    let names: Vec<&str> = bugs.iter().map(|bug| bug.name.as_str()).collect();
    for asked in only {
        if !names.contains(&asked.as_str()) {
            let nearest = catalogue::nearest(asked, &names);
            return Err(catalogue::CatalogueError::Unknown {
                asked: asked.clone(),
                nearest,
            }
            .into());
        }
    }
    let wanted = |bug: &Bug| only.is_empty() || only.contains(&bug.name);
    Ok(bugs.into_iter().filter(wanted).collect())
}

/// Squall's program with all mutants behind its switch.
fn build(project: &Path) -> Result<PathBuf, Error> {
    let target = Target::RaftRs;
    let library = Library::named(project, target.package())?;
    let all = changes(&library, &catalogue::read(&target.catalogue(project))?)?;
    let builder = Builder {
        project,
        library: &library,
        target,
    };
    eprintln!("building Squall with {} mutants behind a switch", all.len());
    Ok(builder.switched(target.workspace(), &all)?.program)
}

/// Findings a second of processor time, for each arm: as many as it found, through the time that it
/// took. None for an arm that the bug was not swept with.
fn rates(sweeps: &[Measured]) -> Vec<Option<f64>> {
    let of = |arm: &Arm| {
        let mine = sweeps.iter().filter(|one| arm.is_of(one));
        let (found, seconds) = mine.fold((0, 0.0), |(found, seconds), one| {
            let Trial {
                found: is_found,
                cpu_seconds,
                ..
            } = one.trial;
            // Nothing is found in no time.
            (found + u32::from(is_found), seconds + cpu_seconds.max(1e-4))
        });
        (seconds > 0.0).then(|| f64::from(found) / seconds)
    };
    ARMS.iter().map(of).collect()
}

impl Arm {
    fn is_of(self, measured: &Measured) -> bool {
        (self.profile, self.strategy) == (&*measured.profile, &*measured.strategy)
    }
}

struct Work<'a> {
    options: &'a Options,
    program: &'a Path,
    results: &'a Results,
    stop: &'static AtomicBool,
}

impl Work<'_> {
    /// What a run of the arm costs on the library as it is.
    fn cost(&self, arm: Arm) -> Result<Option<Vec<Measured>>, Error> {
        let sweep = self.sweep(None, arm, 0, COUNTING)?;
        Ok(sweep.map(|sweep| vec![sweep]))
    }

    /// The sweeps of one bug: with all arms, unless the first finds it very soon each time.
    fn bug(&self, bug: &Bug) -> Result<Option<Vec<Measured>>, Error> {
        let mut sweeps = Vec::new();
        let mut is_soon = true;
        for arm in ARMS {
            if arm != FIRST && is_soon {
                break;
            }
            for repetition in 0..self.options.repeat {
                let Some(sweep) = self.sweep(Some(bug), arm, repetition, self.options.budget)?
                else {
                    return Ok(None);
                };
                is_soon &= sweep.trial.found && sweep.trial.cpu_seconds < SOON.as_secs_f64();
                sweeps.push(sweep);
            }
        }
        Ok(Some(sweeps))
    }

    fn sweep(
        &self,
        bug: Option<&Bug>,
        arm: Arm,
        repetition: u64,
        budget: Duration,
    ) -> Result<Option<Measured>, Error> {
        let name = bug.map(|bug| bug.name.as_str());
        if let Some(done) = self.results.find(name, arm, repetition) {
            return Ok(Some(done));
        }
        let out = tempfile::tempdir().map_err(|error| Error::file(self.program, &error))?;
        let prey = Prey {
            program: self.program,
            mutant: bug.and_then(|bug| Some((VARIABLE, bug.mutant.as_deref()?))),
            subject: bug.map_or("raft-rs", |bug| &bug.subject),
            profile: arm.profile,
            out: out.path().to_path_buf(),
        };
        let first = (repetition + 1) * STRIDE;
        let trial = prey.try_strategy(arm.strategy, first, budget, false, self.stop)?;
        let Some(trial) = trial else { return Ok(None) };
        let measured = Measured {
            bug: name.map(str::to_owned),
            profile: arm.profile.to_owned(),
            strategy: arm.strategy.to_owned(),
            repetition,
            trial,
        };
        self.results.add(&measured)?;
        Ok(Some(measured))
    }
}

/// What was measured, on the disk and in memory.
struct Results {
    path: PathBuf,
    all: Mutex<(std::fs::File, Vec<Measured>)>,
}

impl Results {
    /// Goes on where the file ends.
    fn open(path: &Path) -> Result<Self, Error> {
        let error = |error: std::io::Error| Error::file(path, &error);
        let before = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(why) => return Err(error(why)),
        };
        // The last line may be half written.
        let lines = before.lines();
        let measured = lines.filter_map(|line| serde_json::from_str(line).ok());
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(error)?;
        Ok(Self {
            path: path.to_path_buf(),
            all: Mutex::new((file, measured.collect())),
        })
    }

    fn find(&self, bug: Option<&str>, arm: Arm, repetition: u64) -> Option<Measured> {
        let all = self.all.lock().expect("no panic");
        let is_it = |one: &&Measured| {
            one.bug.as_deref() == bug && arm.is_of(one) && one.repetition == repetition
        };
        all.1.iter().find(is_it).cloned()
    }

    fn add(&self, measured: &Measured) -> Result<(), Error> {
        let line = serde_json::to_string(measured).expect("plain data");
        let mut all = self.all.lock().expect("no panic");
        writeln!(all.0, "{line}").map_err(|error| Error::file(&self.path, &error))?;
        all.1.push(measured.clone());
        Ok(())
    }
}

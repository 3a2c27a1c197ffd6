//! `cargo xtask mutants`: the catalogue, built once and swept mutant by mutant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use crate::Error;
use crate::build::{Builder, Change, VARIABLE};
use crate::catalogue::{self, Mutant};
use crate::hunt::{Ending, Hunt, Prey};
use crate::library::{Library, put};
use crate::round;
use crate::side_by_side::side_by_side;
use crate::table::{self, Row};
use crate::target::Target;

/// The default profile, which every mutant is swept with.
const DEFAULT: &str = "portfolio";

/// Processor time for each mutant of the catalogue.
const BUDGET: Duration = Duration::from_secs(60);

/// How long a plan is shrunk.
const SHRINK: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub struct Options {
    /// Which library's mutants.
    #[arg(long, value_enum, default_value_t, conflicts_with_all = ["generic", "bugs"])]
    library: Target,
    /// Only these mutants: ids, separated by commas [default: all].
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Processor time for each mutant and profile [default: 60s].
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "generic")]
    budget: Option<Duration>,
    /// Mutants swept side by side, with one thread each [default: one for each processor].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Only list the catalogue.
    #[arg(long)]
    list: bool,
    /// Only build, and print where the program is and how it is told which mutant to be.
    #[arg(long, conflicts_with = "list")]
    pub build_only: bool,
    /// Build each mutant by itself as well, and demand the same violation of both builds.
    #[arg(long, conflicts_with_all = ["list", "build_only"])]
    apart: bool,
    /// Sweep what cargo-mutants would change in raft.rs, raft_log.rs, tracker, quorum and
    /// confchange, instead of the catalogue: some seeds of one profile after the other, until
    /// one catches it. What is said of survivors is in sims/survivors.toml.
    #[arg(long, conflicts_with_all = ["list", "apart"])]
    generic: bool,
    /// With --generic: this many times as many seeds.
    #[arg(long, value_name = "N", requires = "generic", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub times: u32,
    /// With --generic: go on with a round that has ended early. What target/mutants/generic.jsonl
    /// has is not swept again, unless it survived another program than the one that is built
    /// now.
    #[arg(long, requires = "generic", conflicts_with = "only")]
    pub resume: bool,
    /// Sweep the injected bugs of the driver, docs/driver-bugs.md, instead of mutants of the
    /// library.
    #[arg(long, conflicts_with_all = ["list", "build_only", "apart", "generic"])]
    bugs: bool,
    /// Do not shrink.
    #[arg(long)]
    no_shrink: bool,
    /// Put the table into docs/power.md.
    #[arg(long, conflicts_with_all = ["only", "list", "build_only", "apart"])]
    pub record: bool,
}

impl Options {
    /// How many are swept at a time, where that is asked for.
    pub fn jobs(&self) -> Option<usize> {
        self.jobs.map(usize::from)
    }
}

/// Parses a length of time.
pub fn duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match time.is_zero() {
        true => Err("must be longer than nothing".to_owned()),
        false => Ok(time),
    }
}

/// Runs the task: 0 when all are caught, 1 when some are missed, 2 when it was interrupted.
pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    if options.generic {
        return round::run(project, options);
    }
    if options.bugs {
        return bugs(project, options);
    }
    let target = options.library;
    let mutants = catalogue::select(catalogue::read(&target.catalogue(project))?, &options.only)?;
    if options.list {
        print!("{}", table::list(&mutants));
        return Ok(0);
    }
    let library = Library::named(project, target.package())?;
    let changes = changes(&library, &mutants)?;
    let builder = Builder {
        project,
        library: &library,
        target,
    };
    // All of them, whatever is asked for, so that the next call finds the program as it is.
    let all = self::changes(&library, &catalogue::read(&target.catalogue(project))?)?;
    eprintln!(
        "building Squall against {} {} with {} mutants behind a switch",
        library.name,
        library.version,
        all.len()
    );
    let built = builder.switched(target.workspace(), &all)?;
    if let Some((id, why)) = built.unviable.first_key_value() {
        return Err(Error::Untrue(format!(
            "mutant {id} does not compile: {why}"
        )));
    }
    if options.build_only {
        println!("{}", built.program.display());
        eprintln!("{VARIABLE}=ID chooses the mutant; without it the library is as it is");
        return Ok(0);
    }
    let stop = stop_at_interrupt();
    let out = builder.folder().join("out").join(target.subject());
    let budget = options.budget.unwrap_or(BUDGET);
    let work = Work {
        options,
        budget,
        out: &out,
        stop,
        target,
    };
    same_digests(target, project, &built.program, &out)?;
    if options.apart {
        return work.compare(&builder, &built.program, &mutants, &changes);
    }
    if options.only.is_empty() && !work.honest(&built.program, &mutants)? {
        return Ok(2);
    }
    let mut programs = BTreeMap::new();
    for change in changes
        .iter()
        .filter(|change| built.outside.contains(&change.id))
    {
        eprintln!(
            "building mutant {} by itself, for it lies in no function",
            change.id
        );
        programs.insert(change.id.clone(), builder.apart(change)?);
    }
    let program = |mutant: &Mutant| match programs.get(&mutant.id) {
        Some(apart) => (apart.clone(), None),
        None => (built.program.clone(), Some(mutant.id.clone())),
    };
    let rows = work.sweep_each(&mutants, |mutant, profile, shrink| {
        let (program, id) = program(mutant);
        let prey = prey(target, &program, id.as_deref(), profile, &out.join(profile));
        prey.hunt(budget, shrink, stop)
    })?;
    work.conclude(
        project,
        &rows,
        mutants.len(),
        target.table(),
        match target {
            Target::RaftRs => "cargo xtask mutants",
            Target::Openraft => "cargo xtask mutants --library openraft",
        },
    )
}

/// `--bugs`: what is injected around the library.
fn bugs(project: &Path, options: &Options) -> Result<u8, Error> {
    let bugs = catalogue::select(
        catalogue::bugs(&project.join("docs/driver-bugs.md"))?,
        &options.only,
    )?;
    let target = Target::RaftRs;
    let library = Library::named(project, target.package())?;
    let builder = Builder {
        project,
        library: &library,
        target,
    };
    eprintln!("building Squall");
    let program = builder.plain()?;
    let out = builder.folder().join("out-bugs");
    let budget = options.budget.unwrap_or(BUDGET);
    let work = Work {
        options,
        budget,
        out: &out,
        stop: stop_at_interrupt(),
        target,
    };
    let rows = work.sweep_each(&bugs, |bug, profile, shrink| {
        let subject = format!("{}+{}", target.subject(), bug.id);
        let prey = Prey {
            subject: &subject,
            ..prey(target, &program, None, profile, &out)
        };
        prey.hunt(budget, shrink, work.stop)
    })?;
    work.conclude(
        project,
        &rows,
        bugs.len(),
        "bugs",
        "cargo xtask mutants --bugs",
    )
}

/// The changes that `mutants` make, in their order.
///
/// # Errors
/// When a text to replace does not occur once.
pub fn changes(library: &Library, mutants: &[Mutant]) -> Result<Vec<Change>, Error> {
    let change = |mutant: &Mutant| {
        Ok(Change {
            id: mutant.id.clone(),
            file: mutant.file.clone(),
            place: mutant.place(&library.read(&mutant.file)?)?,
            put: mutant.put.clone(),
        })
    };
    mutants.iter().map(change).collect()
}

/// Makes sure that the build with the switch off is the library as it is: its digests are those of
/// the project's tests.
pub fn same_digests(
    target: Target,
    project: &Path,
    program: &Path,
    out: &Path,
) -> Result<(), Error> {
    for (profile, digest) in target.digests(project)? {
        let prey = prey(target, program, None, &profile, out);
        let got = prey
            .digest(64, &AtomicBool::new(false))?
            .unwrap_or_default();
        if got != digest {
            return Err(Error::Untrue(format!(
                "with the switch off, {profile} has the digest {got}, and the library as it is has {digest}"
            )));
        }
    }
    Ok(())
}

/// What is swept: a mutant of the build at `program`, or the library as it is.
pub fn prey<'a>(
    target: Target,
    program: &'a Path,
    mutant: Option<&'a str>,
    profile: &'a str,
    out: &Path,
) -> Prey<'a> {
    Prey {
        program,
        mutant: mutant.map(|id| (VARIABLE, id)),
        subject: target.subject(),
        profile,
        out: out.join(mutant.unwrap_or("none")),
    }
}

/// Set when the user asks to end.
pub fn stop_at_interrupt() -> &'static AtomicBool {
    static STOP: AtomicBool = AtomicBool::new(false);
    // A second one ends at once, as it would without this.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    &STOP
}

struct Work<'a> {
    options: &'a Options,
    budget: Duration,
    out: &'a Path,
    stop: &'static AtomicBool,
    target: Target,
}

impl Work<'_> {
    fn shrink(&self) -> Option<Duration> {
        (!self.options.no_shrink).then_some(SHRINK)
    }

    /// Sweeps the library as it is with every profile in use. False when that was interrupted.
    fn honest(&self, program: &Path, mutants: &[Mutant]) -> Result<bool, Error> {
        let mut profiles: BTreeSet<&str> = mutants
            .iter()
            .map(|mutant| mutant.profile.as_str())
            .collect();
        profiles.insert(DEFAULT);
        let profiles: Vec<&str> = profiles.into_iter().collect();
        let hunts = side_by_side(
            "unmutated",
            self.options.jobs(),
            self.stop,
            &profiles,
            |profile| {
                prey(self.target, program, None, profile, self.out).hunt(
                    self.budget,
                    None,
                    self.stop,
                )
            },
        )?;
        for hunt in &hunts {
            println!(
                "{:<8} unmutated, {}: {} runs in {:.0} s",
                table::word(hunt),
                hunt.profile,
                hunt.runs,
                hunt.cpu_seconds
            );
            if let Ending::Violation(found) = &hunt.ending {
                return Err(Error::Untrue(format!(
                    "the library as it is breaks {} in {}: {} ({})",
                    found.property,
                    hunt.profile,
                    found.message,
                    found.plan.display()
                )));
            }
        }
        Ok(hunts.len() == profiles.len())
    }

    /// Hunts each of `mutants` with the default profile, and with the one that is named for it.
    fn sweep_each(
        &self,
        mutants: &[Mutant],
        hunt: impl Fn(&Mutant, &str, Option<Duration>) -> Result<Option<Hunt>, Error> + Sync,
    ) -> Result<Vec<Row>, Error> {
        side_by_side(
            "mutants",
            self.options.jobs(),
            self.stop,
            mutants,
            |mutant| {
                let Some(first) = hunt(mutant, DEFAULT, self.shrink())? else {
                    return Ok(None);
                };
                let Some(named) = hunt(mutant, &mutant.profile, None)? else {
                    return Ok(None);
                };
                let row = Row {
                    id: mutant.id.clone(),
                    part: mutant.part.clone(),
                    breaks: mutant.breaks.clone(),
                    hunt: first,
                    named,
                };
                Ok(Some(row))
            },
        )
    }

    /// Says what came of it, and writes it down.
    fn conclude(
        &self,
        project: &Path,
        rows: &[Row],
        asked: usize,
        name: &str,
        command: &str,
    ) -> Result<u8, Error> {
        let whole = rows.len() == asked;
        print!("\n{}", table::summary(rows, asked, self.budget));
        let json = serde_json::to_string_pretty(rows).expect("rows are plain data");
        put(
            &project.join("target/mutants").join(format!("{name}.json")),
            &json,
        )?;
        if self.options.record && whole {
            let command = format!(
                "{command} --budget {}",
                humantime::format_duration(self.budget)
            );
            table::record(
                &project.join("docs/power.md"),
                name,
                &table::markdown(rows, self.budget, &command),
            )?;
        }
        Ok(match (whole, rows.iter().all(Row::caught)) {
            (false, _) => 2,
            (true, true) => 0,
            (true, false) => 1,
        })
    }

    /// Hunts each mutant in the build with the switch and in a build of its own.
    fn compare(
        &self,
        builder: &Builder<'_>,
        program: &Path,
        mutants: &[Mutant],
        changes: &[Change],
    ) -> Result<u8, Error> {
        for (mutant, change) in mutants.iter().zip(changes) {
            eprintln!("building mutant {} by itself", mutant.id);
            let apart = builder.apart(change)?;
            let hunt = |program: &Path, id| {
                let out = self.out.join("apart");
                let prey = prey(self.target, program, id, &mutant.profile, &out);
                prey.hunt(self.budget, None, self.stop)
            };
            let (Some(switched), Some(own)) =
                (hunt(program, Some(&mutant.id))?, hunt(&apart, None)?)
            else {
                return Ok(2);
            };
            let told = |hunt: &Hunt| match &hunt.ending {
                Ending::Violation(found) => format!(
                    "{} at seed {}, step {}",
                    found.property, found.seed, found.step
                ),
                _ => table::word(hunt).to_owned(),
            };
            if told(&switched) != told(&own) {
                return Err(Error::Untrue(format!(
                    "mutant {} with the switch: {}; by itself: {}",
                    mutant.id,
                    told(&switched),
                    told(&own)
                )));
            }
            println!("same     {:<32} {}", mutant.id, told(&own));
        }
        Ok(0)
    }
}

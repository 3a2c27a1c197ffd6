//! `cargo xtask mutants`: the catalogue, built once and swept mutant by mutant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use crate::Error;
use crate::build::{Builder, Change, VARIABLE};
use crate::catalogue::{self, Mutant};
use crate::generic::{self, Generic, Verdict};
use crate::hunt::{Ending, Hunt, Prey};
use crate::library::{Library, put};
use crate::side_by_side::side_by_side;
use crate::table::{self, Row};

/// The subject that drives the library.
const SUBJECT: &str = "raft-rs";

/// The default profile, which every mutant is swept with too.
const STORM: &str = "storm";

/// Processor time for each mutant of the catalogue, and for each of cargo-mutants'.
const BUDGET: Duration = Duration::from_secs(60);
const GENERIC_BUDGET: Duration = Duration::from_secs(5);

/// Seeds by which a survivor's runs are compared with those of the library as it is.
const COMPARED: u32 = 256;

/// How long a plan is shrunk.
const SHRINK: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub struct Options {
    /// Only these mutants: ids, separated by commas [default: all].
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Processor time for each mutant and profile [default: 60s].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Option<Duration>,
    /// Mutants swept side by side, with one thread each [default: one for each processor].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Only list the catalogue.
    #[arg(long)]
    list: bool,
    /// Only build, and print where the program is and how it is told which mutant to be.
    #[arg(long, conflicts_with = "list")]
    build_only: bool,
    /// Build each mutant by itself as well, and demand the same violation of both builds.
    #[arg(long, conflicts_with_all = ["list", "build_only"])]
    apart: bool,
    /// Sweep what cargo-mutants would change in raft.rs, raft_log.rs, tracker, quorum and confchange, instead of the catalogue: `storm`
    /// for the budget [default: 5s], and `membership` for twice as long.
    #[arg(long, conflicts_with_all = ["only", "list", "apart"])]
    generic: bool,
    /// With --generic: go on with a round that has ended early. What target/mutants/generic.jsonl has is not swept again.
    #[arg(long, requires = "generic")]
    resume: bool,
    /// Sweep the planted bugs of the driver, docs/driver-bugs.md, instead of mutants of the library.
    #[arg(long, conflicts_with_all = ["list", "build_only", "apart", "generic"])]
    bugs: bool,
    /// Do not shrink.
    #[arg(long)]
    no_shrink: bool,
    /// Put the table into docs/power.md.
    #[arg(long, conflicts_with_all = ["only", "list", "build_only", "apart"])]
    record: bool,
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
        return generic(project, options);
    }
    if options.bugs {
        return bugs(project, options);
    }
    let mutants = catalogue::select(
        catalogue::read(&project.join("sims/mutants"))?,
        &options.only,
    )?;
    if options.list {
        print!("{}", table::list(&mutants));
        return Ok(0);
    }
    let library = Library::locate(project)?;
    let changes = changes(&library, &mutants)?;
    let builder = Builder {
        project,
        library: &library,
    };
    // All of them, whatever is asked for, so that the next call finds the program as it is.
    let all = self::changes(&library, &catalogue::read(&project.join("sims/mutants"))?)?;
    eprintln!(
        "building Squall against {} {} with {} mutants behind a switch",
        crate::library::NAME,
        library.version,
        all.len()
    );
    let built = builder.switched("catalogue", &all)?;
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
    let out = builder.folder().join("out");
    let budget = options.budget.unwrap_or(BUDGET);
    let work = Work {
        options,
        budget,
        out: &out,
        stop,
    };
    same_digests(project, &built.program, &out)?;
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
        let prey = prey(&program, id.as_deref(), profile, &out.join(profile));
        prey.hunt(budget, shrink, stop)
    })?;
    work.conclude(
        project,
        &rows,
        mutants.len(),
        "mutants",
        "cargo xtask mutants",
    )
}

/// `--bugs`: what is planted around the library.
fn bugs(project: &Path, options: &Options) -> Result<u8, Error> {
    let bugs = catalogue::select(
        catalogue::bugs(&project.join("docs/driver-bugs.md"))?,
        &options.only,
    )?;
    let library = Library::locate(project)?;
    let builder = Builder {
        project,
        library: &library,
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
    };
    let rows = work.sweep_each(&bugs, |bug, profile, shrink| {
        let subject = format!("{SUBJECT}+{}", bug.id);
        let prey = Prey {
            subject: &subject,
            ..prey(&program, None, profile, &out)
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

/// `--generic`: what cargo-mutants would change.
fn generic(project: &Path, options: &Options) -> Result<u8, Error> {
    let library = Library::locate(project)?;
    let builder = Builder {
        project,
        library: &library,
    };
    let all = generic::list(&library, &builder.folder())?;
    eprintln!(
        "building Squall against {} {} with {} mutants behind a switch",
        crate::library::NAME,
        library.version,
        all.len()
    );
    let built = generic::build(&builder, &all)?;
    if options.build_only {
        println!("{}", built.program.display());
        return Ok(0);
    }
    let out = builder.folder().join("out-generic");
    let stop = stop_at_interrupt();
    let budget = options.budget.unwrap_or(GENERIC_BUDGET);
    let work = Work {
        options,
        budget,
        out: &out,
        stop,
    };
    same_digests(project, &built.program, &out)?;
    let rounds = generic::rounds(budget);
    let mut honest = Vec::new();
    for (profile, _) in rounds {
        honest.push(prey(&built.program, None, profile, &out).digest(COMPARED, stop)?);
    }
    let there = |mutant: &&Generic| {
        !built.unviable.contains_key(&mutant.id) && !built.outside.contains(&mutant.id)
    };
    let swept: Vec<&Generic> = all.iter().filter(there).collect();
    let results = builder.folder().join("generic.jsonl");
    let mut verdicts = match options.resume {
        true => generic::verdicts(&results, &swept)?,
        false => Vec::new(),
    };
    let lines: String = verdicts.iter().map(line).collect();
    put(&results, &lines)?;
    let is_left = |mutant: &&Generic| !verdicts.iter().any(|done| done.id == mutant.id);
    let left: Vec<&Generic> = swept.iter().copied().filter(is_left).collect();
    let results = Mutex::new(results);
    let new = side_by_side("mutants", work.jobs(), stop, &left, |mutant| {
        let mut hunts = Vec::new();
        for (profile, budget) in rounds {
            let prey = prey(&built.program, Some(&mutant.id), profile, &out);
            let Some(hunt) = prey.hunt(budget, None, stop)? else {
                return Ok(None);
            };
            hunts.push(hunt);
            if hunts.last().is_some_and(Hunt::caught) {
                break;
            }
        }
        let mut verdict = Verdict {
            id: mutant.id.clone(),
            name: mutant.name.clone(),
            hunts,
            changes_runs: None,
        };
        if !verdict.caught() {
            let mut changes = false;
            for ((profile, _), honest) in rounds.iter().zip(&honest) {
                let digest =
                    prey(&built.program, Some(&mutant.id), profile, &out).digest(COMPARED, stop)?;
                if digest.is_none() {
                    return Ok(None);
                }
                changes |= digest != *honest;
            }
            verdict.changes_runs = Some(changes);
        }
        // A line at a time, so that nothing is lost when this ends early.
        let path = results.lock().expect("no panic");
        append(&path, &line(&verdict))?;
        Ok(Some(verdict))
    })?;
    verdicts.extend(new);
    let text = generic::summary(&all, &built.unviable, built.outside.len(), &verdicts);
    print!("\n{text}");
    let whole = verdicts.len() == swept.len();
    if options.record && whole {
        let command = format!(
            "cargo xtask mutants --generic --budget {}",
            humantime::format_duration(budget)
        );
        let table = generic::markdown(&all, &built.unviable, &verdicts);
        let first: Vec<&str> = text.lines().take(3).collect();
        let text = format!(
            "{}{}\n\n{table}",
            table::made_by(&command),
            first.join(". ")
        );
        table::record(&project.join("docs/power.md"), "generic", &text)?;
    }
    Ok(match (whole, verdicts.iter().all(Verdict::caught)) {
        (false, _) => 2,
        (true, true) => 0,
        (true, false) => 1,
    })
}

/// A verdict as a line of JSON.
fn line(verdict: &Verdict) -> String {
    let json = serde_json::to_string(verdict).expect("a verdict is plain data");
    format!("{json}\n")
}

fn append(path: &Path, line: &str) -> Result<(), Error> {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.map_err(|error| Error::file(path, &error))
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

/// Makes sure that the build with the switch off is the library as it is: its digests are those of the project's tests.
fn same_digests(project: &Path, program: &Path, out: &Path) -> Result<(), Error> {
    let path = project.join("tests/golden.txt");
    let golden = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))?;
    for line in golden.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [SUBJECT, profile, digest] = words[..] else {
            continue;
        };
        let prey = prey(program, None, profile, out);
        let got = prey
            .digest(64, &AtomicBool::new(false))?
            .unwrap_or_default();
        if got != digest {
            return Err(Error::Untrue(format!(
                "with the switch off, {profile} has the digest {got}, and tests/golden.txt says {digest}"
            )));
        }
    }
    Ok(())
}

fn prey<'a>(program: &'a Path, mutant: Option<&'a str>, profile: &'a str, out: &Path) -> Prey<'a> {
    Prey {
        program,
        mutant: mutant.map(|id| (VARIABLE, id)),
        subject: SUBJECT,
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
}

impl Work<'_> {
    /// How many are swept at a time, where that is asked for.
    fn jobs(&self) -> Option<usize> {
        self.options.jobs.map(usize::from)
    }

    fn shrink(&self) -> Option<Duration> {
        (!self.options.no_shrink).then_some(SHRINK)
    }

    /// Sweeps the library as it is with every profile in use. False when that was interrupted.
    fn honest(&self, program: &Path, mutants: &[Mutant]) -> Result<bool, Error> {
        let mut profiles: BTreeSet<&str> = mutants
            .iter()
            .map(|mutant| mutant.profile.as_str())
            .collect();
        profiles.insert(STORM);
        let profiles: Vec<&str> = profiles.into_iter().collect();
        let hunts = side_by_side("unmutated", self.jobs(), self.stop, &profiles, |profile| {
            prey(program, None, profile, self.out).hunt(self.budget, None, self.stop)
        })?;
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

    /// Hunts each of `mutants` with its own profile, and with `storm` where that is another.
    fn sweep_each(
        &self,
        mutants: &[Mutant],
        hunt: impl Fn(&Mutant, &str, Option<Duration>) -> Result<Option<Hunt>, Error> + Sync,
    ) -> Result<Vec<Row>, Error> {
        side_by_side("mutants", self.jobs(), self.stop, mutants, |mutant| {
            let Some(first) = hunt(mutant, &mutant.profile, self.shrink())? else {
                return Ok(None);
            };
            let storm = match mutant.profile == STORM {
                true => None,
                false => match hunt(mutant, STORM, None)? {
                    Some(hunt) => Some(hunt),
                    None => return Ok(None),
                },
            };
            let row = Row {
                id: mutant.id.clone(),
                part: mutant.part.clone(),
                breaks: mutant.breaks.clone(),
                hunt: first,
                storm,
            };
            Ok(Some(row))
        })
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
                prey(program, id, &mutant.profile, &self.out.join("apart")).hunt(
                    self.budget,
                    None,
                    self.stop,
                )
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

//! `cargo xtask shrinking`: how small plans get that fail for a mutant of the library. One program
//! shows what the shrinker comes to, several show what a change of the shrinker is worth.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use crate::Error;
use crate::hunt::{Prey, Violation, cpu_time, interrupt};
use crate::mutants::{duration, prey, stop_at_interrupt};
use crate::table::{median, record};
use crate::target::Target;

/// Seeds that are swept at a time for failures, and after how many the mutant is held for too rare.
const PORTION: u64 = 5_000;
const MOST_SEEDS: u64 = 1_000_000;

/// What `cargo xtask shrinking` takes.
#[derive(Debug, Args)]
pub struct Options {
    /// Squall's program with the mutants behind its switch: what `cargo xtask mutants
    /// --build-only` prints. Of several, separated by commas, each shrinks the same plans,
    /// which the last one finds.
    #[arg(long, value_name = "PATHS", value_delimiter = ',', required = true)]
    programs: Vec<PathBuf>,
    /// The mutant whose failures are shrunk.
    #[arg(
        long,
        value_name = "ID",
        default_value = "vote-messages-commit-nothing"
    )]
    mutant: String,
    /// The property that they break.
    #[arg(long, value_name = "NAME", default_value = "liveness")]
    property: String,
    /// The profiles that they are drawn from.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "elections,partitions"
    )]
    profiles: Vec<String>,
    /// How many of each profile: the first by their seeds.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    plans: u16,
    /// These plans of the profiles and no others, so that none need be looked for.
    #[arg(long, value_name = "SEEDS", value_delimiter = ',')]
    seeds: Vec<u64>,
    /// Processor time for each, with one thread.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    cpu: Duration,
    /// Put the table into docs/shrinking.md.
    #[arg(long)]
    record: bool,
}

/// How large a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    faults: u64,
    operations: u64,
}

/// What one program made of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shrunk {
    before: Size,
    after: Size,
    /// Whether time was up before nothing simpler was found.
    cut_short: bool,
}

struct Row {
    profile: String,
    seed: u64,
    shrunk: Vec<Shrunk>,
}

/// Runs the task: 0 at its end, 2 when it was interrupted.
///
/// # Errors
/// A mutant that is too rare, or a program that does not end as a sweep or a shrink does.
pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    let stop = stop_at_interrupt();
    let out = project.join("target/mutants/out-shrinking");
    let finder = options.programs.last().expect("clap demands one");
    let mut rows = Vec::new();
    for profile in &options.profiles {
        let prey = prey(
            Target::RaftRs,
            finder,
            Some(&options.mutant),
            profile,
            &out.join(profile),
        );
        let Some(found) = find(&prey, options, stop)? else {
            return Ok(2);
        };
        for violation in found {
            let mut shrunk = Vec::new();
            for program in &options.programs {
                let prey = Prey {
                    program,
                    ..prey.clone()
                };
                let Some(one) = shrink(&prey, &violation.plan, options.cpu, stop)? else {
                    return Ok(2);
                };
                shrunk.push(one);
            }
            let row = Row {
                profile: profile.clone(),
                seed: violation.seed,
                shrunk,
            };
            println!("{}", line(&row));
            rows.push(row);
        }
    }
    let table = table(&rows, options);
    print!("\n{table}");
    if options.record {
        record(&project.join("docs/shrinking.md"), "long", &table)?;
    }
    Ok(0)
}

/// The first plans by which the mutant breaks the property.
fn find(
    prey: &Prey<'_>,
    options: &Options,
    stop: &AtomicBool,
) -> Result<Option<Vec<Violation>>, Error> {
    let right = |violation: &Violation| violation.property == options.property;
    if !options.seeds.is_empty() {
        let mut found = Vec::new();
        for seed in &options.seeds {
            let Some(one) = prey.findings(*seed..seed + 1, stop)? else {
                return Ok(None);
            };
            found.extend(one.into_iter().filter(right));
        }
        return Ok(Some(found));
    }
    let wanted = usize::from(options.plans);
    let mut found = Vec::new();
    let mut from = 0;
    while found.len() < wanted {
        if from >= MOST_SEEDS {
            return Err(Error::Untrue(format!(
                "{} breaks {} in {} of {from} plans of {} only",
                options.mutant,
                options.property,
                found.len(),
                prey.profile
            )));
        }
        let Some(portion) = prey.findings(from..from + PORTION, stop)? else {
            return Ok(None);
        };
        found.extend(portion.into_iter().filter(right));
        from += PORTION;
    }
    found.truncate(wanted);
    Ok(Some(found))
}

/// Shrinks one plan with one thread. None when `stop` was set before it ended.
fn shrink(
    prey: &Prey<'_>,
    plan: &Path,
    most: Duration,
    stop: &AtomicBool,
) -> Result<Option<Shrunk>, Error> {
    let cannot = |error: std::io::Error| Error::file(prey.program, &error);
    let answer = tempfile::NamedTempFile::new().map_err(cannot)?;
    let mut child = prey
        .command()
        .arg("shrink")
        .arg(plan)
        .args(["--jobs", "1", "-o"])
        .arg(plan.with_extension("shrunk.json"))
        .stdin(Stdio::null())
        .stdout(answer.reopen().map_err(cannot)?)
        .spawn()
        .map_err(cannot)?;
    let mut told = false;
    while child.try_wait().map_err(cannot)?.is_none() {
        // It ends then with the best so far.
        if !told && cpu_time(&child).is_some_and(|spent| spent >= most) {
            interrupt(&child);
            told = true;
        }
        if stop.load(Ordering::Relaxed) {
            let _ = child.kill();
            child.wait().map_err(cannot)?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let text = std::fs::read_to_string(answer.path()).map_err(cannot)?;
    let none = || Error::Sweep(format!("`squall shrink {}` says no sizes", plan.display()));
    read(&text).map(Some).ok_or_else(none)
}

/// What `squall shrink` says: `from` and `to` with a size each, and `after` what it ended.
fn read(text: &str) -> Option<Shrunk> {
    let rest = |word: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
    };
    Some(Shrunk {
        before: size(rest("from")?)?,
        after: size(rest("to")?)?,
        cut_short: !rest("after")?.ends_with("nothing simpler fails in the same way"),
    })
}

/// A size in words: `66 faults, 1,284 client operations, ...`.
fn size(text: &str) -> Option<Size> {
    let mut parts = text.trim().split(", ").map(|part| {
        let (number, _) = part.split_once(' ')?;
        number.replace(',', "").parse().ok()
    });
    Some(Size {
        faults: parts.next()??,
        operations: parts.next()??,
    })
}

fn line(row: &Row) -> String {
    let Row {
        profile,
        seed,
        shrunk,
    } = row;
    let before = shrunk[0].before;
    let mut line = format!(
        "| {profile} | {seed} | {} / {} |",
        before.faults, before.operations
    );
    for one in shrunk {
        let mark = if one.cut_short { "" } else { "*" };
        let _ = write!(
            line,
            " {} / {}{mark} |",
            one.after.faults, one.after.operations
        );
    }
    line
}

fn table(rows: &[Row], options: &Options) -> String {
    let columns = options.programs.len();
    let names: Vec<String> = (1..=columns)
        .map(|number| format!("build {number}"))
        .collect();
    let name = match columns {
        1 => "shrunk".to_owned(),
        _ => names.join(" | "),
    };
    let mut text = format!(
        "| profile | seed | found: faults / operations | {name} |\n| --- | --- | --- |{}\n",
        " --- |".repeat(columns)
    );
    for row in rows {
        let _ = writeln!(text, "{}", line(row));
    }
    let middle = |of: &dyn Fn(&Row) -> Size| {
        let figure =
            |part: fn(&Size) -> u64| median(rows.iter().map(|row| part(&of(row)) as f64).collect());
        format!(
            "{} / {}",
            figure(|size| size.faults),
            figure(|size| size.operations)
        )
    };
    let _ = write!(
        text,
        "| median | | {} |",
        middle(&|row| row.shrunk[0].before)
    );
    for column in 0..columns {
        let _ = write!(text, " **{}** |", middle(&|row| row.shrunk[column].after));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shrink_says_is_read() {
        let text = "from      66 faults, 1,284 client operations, 5 nodes, 87,120 steps, 41.2 s\n\
                    to        2 faults, 1 client operation, 3 nodes, 900 steps, 1.0 s\n\
                    after     12 runs, 3.4 s of processor time; interrupted, so there may be a smaller one\n";
        let sizes = [(66, 1_284), (2, 1)].map(|(faults, operations)| Size { faults, operations });
        let shrunk = Shrunk {
            before: sizes[0],
            after: sizes[1],
            cut_short: true,
        };
        assert_eq!(read(text), Some(shrunk));
        assert_eq!(read("error: the plan does not fail"), None);
    }
}

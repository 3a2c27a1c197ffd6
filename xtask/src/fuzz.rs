//! `cargo xtask fuzz`: all fuzz targets in turn within a budget, one summary, one exit status.
//!
//! Each target runs in libFuzzer's fork mode, which goes on past what it finds. What it learns is kept in
//! `target/fuzz-corpus`, from which only inputs that cover something are left at the end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;

use crate::Error;

/// The targets, and the part of the budget that each gets.
const TARGETS: [(&str, u32); 5] = [
    ("storm", 8),
    ("messages", 4),
    ("linearizability", 2),
    ("disk", 1),
    ("plan_json", 1),
];

/// No target gets less.
const LEAST: Duration = Duration::from_secs(1);

/// An input that takes longer, in seconds, is a finding.
const TIMEOUT_S: u32 = 30;

/// Memory that a run may take, in MB.
const MEMORY_MB: u32 = 2_048;

/// Longest input, in bytes.
const MOST_BYTES: u32 = 16_384;

/// What can be said on the command line.
#[derive(Args)]
pub struct Options {
    /// How long altogether, e.g. 10m, 8h; the targets share it.
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = duration)]
    time: Duration,
    /// Only this target; may be given several times [default: all].
    #[arg(long, value_name = "NAME", value_parser = TARGETS.map(|(name, _)| name))]
    target: Vec<String>,
    /// Processes at a time [default: one for each processor].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Put the minimised corpus into fuzz/corpus, which is committed.
    #[arg(long)]
    update: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("this needs some time; legal: e.g. 10m, 8h".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}; legal: e.g. 10m, 8h")),
    }
}

/// What became of a target.
struct Ran {
    name: String,
    executions: u64,
    /// Edges of code covered, and features: edges with how often, and states of the cluster.
    covered: (u64, u64),
    inputs: usize,
    findings: Vec<PathBuf>,
    /// Why it ended otherwise than it should have.
    trouble: Option<String>,
}

/// Runs it. Exit status: 0 clean, 1 with findings, 2 when it could not be done.
pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    can_fuzz(project)?;
    let chosen = |(name, _): &&(&str, u32)| {
        options.target.is_empty() || options.target.iter().any(|target| target == name)
    };
    let targets: Vec<&(&str, u32)> = TARGETS.iter().filter(chosen).collect();
    let parts: u32 = targets.iter().map(|(_, part)| part).sum();
    println!("building the targets");
    let built = cargo_fuzz(project, &["build", "--sanitizer", "none"])
        .status()
        .map_err(|error| Error::file(Path::new("rustup"), &error))?;
    if !built.success() {
        return Err(Error::Cargo("the targets do not build".to_owned()));
    }
    let mut all = Vec::new();
    for (name, part) in targets {
        let time = (options.time * *part / parts).max(LEAST);
        println!(
            "{name} for {}",
            humantime::format_duration(Duration::from_secs(time.as_secs()))
        );
        all.push(target(project, name, time, options)?);
    }
    println!("\n{}", summary(&all));
    Ok(status(&all))
}

/// Makes sure that there are a nightly toolchain and cargo-fuzz.
fn can_fuzz(project: &Path) -> Result<(), Error> {
    let tried = |command: &mut Command| {
        command
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let nightly = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .output();
    if !nightly.is_ok_and(|output| output.status.success()) {
        return Err(Error::Cargo(
            "fuzzing needs a nightly toolchain: rustup toolchain install nightly".to_owned(),
        ));
    }
    match tried(&mut cargo_fuzz(project, &["--version"])) {
        true => Ok(()),
        false => Err(Error::Cargo(
            "fuzzing needs cargo-fuzz: cargo install cargo-fuzz".to_owned(),
        )),
    }
}

/// `cargo fuzz` of the nightly toolchain.
fn cargo_fuzz(project: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "fuzz"])
        .args(arguments)
        .current_dir(project)
        // What the outer cargo says of itself is not true of the inner one.
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN");
    command
}

fn target(project: &Path, name: &str, time: Duration, options: &Options) -> Result<Ran, Error> {
    let committed = project.join("fuzz/corpus").join(name);
    let work = project.join("target/fuzz-corpus").join(name);
    let artifacts = project.join("fuzz/artifacts").join(name);
    for folder in [&committed, &work, &artifacts] {
        std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, &error))?;
    }
    let before = files(&artifacts)?;
    let limits = [
        format!("-max_total_time={}", time.as_secs()),
        format!(
            "-fork={}",
            options.jobs.map_or_else(processors, usize::from)
        ),
        format!("-timeout={TIMEOUT_S}"),
        format!("-rss_limit_mb={MEMORY_MB}"),
        format!("-max_len={MOST_BYTES}"),
        "-ignore_crashes=1".to_owned(),
        "-ignore_ooms=1".to_owned(),
        "-ignore_timeouts=1".to_owned(),
    ];
    let fuzzed = fuzz(project, name, &[&work, &committed], &limits)?;
    let mut trouble = (!fuzzed.ended_well).then(|| "it ended early".to_owned());
    let (executions, covered) = fuzzed.progress.unwrap_or_default();
    let findings: Vec<PathBuf> = files(&artifacts)?.difference(&before).cloned().collect();
    if executions == 0 && trouble.is_none() && findings.is_empty() {
        trouble = Some("it ran nothing".to_owned());
    }
    // What is left covers what all covered, in as few bytes as may be.
    let small = project
        .join("target/fuzz-corpus")
        .join(format!("{name}.small"));
    let _ = std::fs::remove_dir_all(&small);
    std::fs::create_dir_all(&small).map_err(|error| Error::file(&small, &error))?;
    let merge = ["-merge=1".to_owned(), format!("-max_len={MOST_BYTES}")];
    let merged = fuzz(project, name, &[&small, &committed, &work], &merge)?;
    let inputs = files(&small)?.len();
    match merged.ended_well && inputs > 0 {
        true => {
            replace(&small, &work)?;
            if options.update {
                copy(&work, &committed)?;
            }
        }
        false => trouble = trouble.or(Some("its corpus could not be minimised".to_owned())),
    }
    Ok(Ran {
        name: name.to_owned(),
        executions,
        covered,
        inputs,
        findings,
        trouble,
    })
}

/// What a run of libFuzzer said.
struct Fuzzed {
    ended_well: bool,
    progress: Option<Progress>,
}

/// Executions, and edges and features covered.
type Progress = (u64, (u64, u64));

fn fuzz(
    project: &Path,
    name: &str,
    corpora: &[&PathBuf],
    arguments: &[String],
) -> Result<Fuzzed, Error> {
    let mut command = cargo_fuzz(project, &["run", "--sanitizer", "none", name]);
    command.args(corpora).arg("--").args(arguments);
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| Error::file(Path::new("rustup"), &error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let progress = said.lines().filter_map(progress).next_back();
    if !output.status.success() {
        let last: Vec<&str> = said.lines().rev().take(12).collect();
        last.iter().rev().for_each(|line| eprintln!("  {line}"));
    }
    Ok(Fuzzed {
        ended_well: output.status.success(),
        progress,
    })
}

/// Reads a line as libFuzzer's fork mode prints it: `#12345: cov: 67 ft: 89 corp: 10 ...`.
fn progress(line: &str) -> Option<Progress> {
    let mut words = line.strip_prefix('#')?.split_whitespace();
    let executions = words.next()?.trim_end_matches(':').parse().ok()?;
    let words: Vec<&str> = words.collect();
    let after = |name: &str| {
        let place = words.iter().position(|word| *word == name)?;
        words.get(place + 1)?.parse().ok()
    };
    Some((executions, (after("cov:")?, after("ft:")?)))
}

fn files(folder: &Path) -> Result<BTreeSet<PathBuf>, Error> {
    let error = |error: std::io::Error| Error::file(folder, &error);
    let entries = std::fs::read_dir(folder).map_err(error)?;
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(error))
        .collect()
}

/// Puts one folder in another's place.
fn replace(new: &Path, old: &Path) -> Result<(), Error> {
    std::fs::remove_dir_all(old).map_err(|error| Error::file(old, &error))?;
    std::fs::rename(new, old).map_err(|error| Error::file(old, &error))
}

/// Makes the files of `to` those of `from`.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    for path in files(to)? {
        std::fs::remove_file(&path).map_err(|error| Error::file(&path, &error))?;
    }
    for path in files(from)? {
        let name = path.file_name().unwrap_or_default();
        std::fs::copy(&path, to.join(name)).map_err(|error| Error::file(&path, &error))?;
    }
    Ok(())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What is printed at the end.
fn summary(all: &[Ran]) -> String {
    let mut lines = vec![format!(
        "{:16} {:>12} {:>8} {:>9} {:>7}  findings",
        "target", "executions", "edges", "features", "inputs"
    )];
    for ran in all {
        let (edges, features) = ran.covered;
        lines.push(format!(
            "{:16} {:>12} {edges:>8} {features:>9} {:>7}  {}{}",
            ran.name,
            ran.executions,
            ran.inputs,
            ran.findings.len(),
            ran.trouble
                .as_ref()
                .map_or(String::new(), |why| format!("; {why}"))
        ));
    }
    for (ran, path) in all
        .iter()
        .flat_map(|ran| ran.findings.iter().map(move |path| (ran, path)))
    {
        let command = match ran.name.as_str() {
            "storm" => "cargo run --release -- import",
            _ => "cargo +nightly fuzz run --sanitizer none",
        };
        let target = if ran.name == "storm" {
            ""
        } else {
            ran.name.as_str()
        };
        let words = [command, target, &path.display().to_string()].join(" ");
        lines.push(words.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let findings: usize = all.iter().map(|ran| ran.findings.len()).sum();
    lines.push(match status(all) {
        0 => "clean: nothing was found".to_owned(),
        1 => format!("{findings} found"),
        _ => "could not tell: not every target ran as it should".to_owned(),
    });
    lines.join("\n")
}

/// 1 for a finding; else 2 where something went wrong; else 0.
fn status(all: &[Ran]) -> u8 {
    if all.iter().any(|ran| !ran.findings.is_empty()) {
        1
    } else if all.iter().any(|ran| ran.trouble.is_some()) {
        2
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(findings: &[&str], trouble: Option<&str>) -> Ran {
        Ran {
            name: "storm".to_owned(),
            executions: 10,
            covered: (2, 3),
            inputs: 4,
            findings: findings.iter().map(PathBuf::from).collect(),
            trouble: trouble.map(str::to_owned),
        }
    }

    #[test]
    fn a_line_of_the_fork_mode_is_read() {
        let line = "#76543: cov: 9120 ft: 31001 corp: 420 exec/s: 812 oom/timeout/crash: 0/0/0 time: 94s job: 12 dft_time: 0";
        assert_eq!(progress(line), Some((76_543, (9_120, 31_001))));
        assert_eq!(progress("INFO: Seed: 1"), None);
        assert_eq!(progress("#12 NEW"), None);
    }

    #[test]
    fn one_status_stands_for_all() {
        assert_eq!(status(&[ran(&[], None)]), 0);
        assert_eq!(
            status(&[ran(&[], None), ran(&[], Some("it ended early"))]),
            2
        );
        assert_eq!(
            status(&[ran(&["a"], None), ran(&[], Some("it ended early"))]),
            1
        );
    }

    #[test]
    fn the_summary_says_how_to_go_on() {
        let text = summary(&[ran(&["fuzz/artifacts/storm/crash-1"], None)]);
        assert!(text.contains("cargo run --release -- import fuzz/artifacts/storm/crash-1"));
        assert!(text.ends_with("1 found"));
    }
}

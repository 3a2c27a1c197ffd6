//! `cargo xtask fuzz`: all fuzz targets in turn within a budget, one summary, one exit status.
//!
//! Each target runs in libFuzzer's fork mode, which goes on past what it finds. What it learns is
//! kept in `fuzz/corpus`, where at the end only inputs are left that cover something.

mod corpus;
mod fuzzer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use crate::Error;
use crate::mutants::stop_at_interrupt;
use corpus::files;
use fuzzer::{Fuzzed, Fuzzer, Progress};

/// The targets, and the part of the budget that each gets.
const TARGETS: [(&str, u32); 5] = [
    ("storm", 8),
    ("messages", 4),
    ("linearizability", 2),
    ("disk", 1),
    (PLAN_JSON, 1),
];

/// The target whose inputs are text, and long.
const PLAN_JSON: &str = "plan_json";

/// How cargo-fuzz builds them: as the commands that Squall prints have it, or everything would be
/// built anew.
const BUILD: [&str; 3] = ["--sanitizer", "none", "--no-trace-compares"];

/// No target gets less.
const LEAST: Duration = Duration::from_secs(1);

/// An input that takes longer, in seconds, is a finding.
const TIMEOUT_S: u32 = 30;

/// Memory that a run may take, in MB.
const MEMORY_MB: u32 = 2_048;

/// Longest input, in bytes.
const MOST_BYTES: u32 = 16_384;

/// Longest input that is committed, in bytes: of choices, and of plans that are written down.
const MOST_COMMITTED_BYTES: [u64; 2] = [1_024, 2_600];

/// Bytes that are committed for a target in all; of more, a sample is.
const MOST_COMMITTED_IN_ALL: u64 = 128 << 10;

/// A target ends early when it has found so much: more of the same tells nothing new.
const ENOUGH: usize = 50;

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
    /// Choose anew which inputs of fuzz/corpus are committed: few and small ones that reach the
    /// same code.
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
#[derive(Default)]
struct Ran {
    name: String,
    progress: Progress,
    inputs: usize,
    findings: Vec<Finding>,
    /// What there is to say about it that is no failure.
    remark: Option<String>,
    /// Why it ended otherwise than it should have.
    trouble: Option<String>,
}

/// An input that a target fails on.
#[derive(Clone, Debug)]
struct Finding {
    /// What it is, where the target said so again.
    what: String,
    /// The command that reproduces it.
    repeat: String,
}

/// Runs it. Exit status: 0 clean, 1 with findings, 2 when it could not be done or was interrupted.
pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    let host = can_fuzz(project)?;
    let stop = stop_at_interrupt();
    let chosen = |(name, _): &&(&str, u32)| {
        options.target.is_empty() || options.target.iter().any(|target| target == name)
    };
    let targets: Vec<&(&str, u32)> = TARGETS.iter().filter(chosen).collect();
    let parts: u32 = targets.iter().map(|(_, part)| part).sum();
    println!("building the targets");
    let built = cargo_fuzz(project, &["build"])
        .args(BUILD)
        .status()
        .map_err(|error| Error::file(Path::new("rustup"), &error))?;
    if stop.load(Ordering::Relaxed) {
        println!("interrupted: nothing was run");
        return Ok(2);
    }
    if !built.success() {
        return Err(Error::Cargo("the targets do not build".to_owned()));
    }
    let programs = project.join("fuzz/target").join(host).join("release");
    let mut all = Vec::new();
    for (name, part) in &targets {
        let time = (options.time * *part / parts).max(LEAST);
        println!(
            "{name} for {}",
            humantime::format_duration(Duration::from_secs(time.as_secs()))
        );
        all.push(target(project, &programs, name, time, options, stop)?);
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    let interrupted = stop.load(Ordering::Relaxed);
    println!("\n{}", summary(&all, targets.len(), interrupted));
    Ok(status(&all, interrupted))
}

/// Makes sure that there are a nightly toolchain and cargo-fuzz. Returns what targets are built
/// for.
fn can_fuzz(project: &Path) -> Result<String, Error> {
    let nightly = Command::new("rustup")
        .args(["run", "nightly", "rustc", "-vV"])
        .stdin(Stdio::null())
        .output();
    let Ok(nightly) = nightly.map_err(drop).and_then(|output| {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let host = said.lines().find_map(|line| line.strip_prefix("host: "));
        host.map(str::to_owned).ok_or(())
    }) else {
        return Err(Error::Cargo(
            "fuzzing needs a nightly toolchain: rustup toolchain install nightly".to_owned(),
        ));
    };
    let version = cargo_fuzz(project, &["--version"])
        .stdin(Stdio::null())
        .output();
    match version.is_ok_and(|output| output.status.success()) {
        true => Ok(nightly),
        false => Err(Error::Cargo(
            "fuzzing needs cargo-fuzz: cargo install cargo-fuzz --locked".to_owned(),
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

fn target(
    project: &Path,
    programs: &Path,
    name: &str,
    time: Duration,
    options: &Options,
    stop: &AtomicBool,
) -> Result<Ran, Error> {
    let corpus = project.join("fuzz/corpus").join(name);
    let artifacts = project.join("fuzz/artifacts").join(name);
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, &error))?;
    }
    let fuzzer = Fuzzer {
        program: programs.join(name),
        project,
        variables: &[],
    };
    let before = files(&artifacts)?;
    let new_findings = || -> BTreeSet<PathBuf> {
        let now = files(&artifacts).unwrap_or_default();
        now.difference(&before).cloned().collect()
    };
    let processes = options.jobs.map_or_else(processors, usize::from);
    let arguments = [
        format!("-max_total_time={}", time.as_secs()),
        format!("-fork={processes}"),
        format!("-timeout={TIMEOUT_S}"),
        format!("-report_slow_units={TIMEOUT_S}"),
        format!("-rss_limit_mb={MEMORY_MB}"),
        format!("-max_len={MOST_BYTES}"),
        // Its entropic schedule takes most of the time where an input has thousands of features.
        "-entropic=0".to_owned(),
        // An input of a few bytes stands for few choices.
        "-len_control=0".to_owned(),
        format!("-artifact_prefix=fuzz/artifacts/{name}/"),
        "-ignore_crashes=1".to_owned(),
        "-ignore_ooms=1".to_owned(),
        "-ignore_timeouts=1".to_owned(),
        corpus.display().to_string(),
    ];
    let tell = |progress: Progress| {
        println!(
            "  {} executions, {} edges, {} features",
            progress.executions, progress.edges, progress.features
        );
    };
    let enough = || new_findings().len() >= ENOUGH;
    let fuzzed = fuzzer.run(&arguments, Some(time), stop, enough, tell)?;
    let found = new_findings();
    let mut ran = Ran {
        name: name.to_owned(),
        progress: fuzzed.progress.unwrap_or_default(),
        inputs: files(&corpus)?.len(),
        findings: found.iter().map(|path| finding(&fuzzer, path)).collect(),
        ..Ran::default()
    };
    let interrupted = stop.load(Ordering::Relaxed);
    if found.len() >= ENOUGH {
        ran.remark = Some(format!("ended early: {ENOUGH} findings are enough"));
    } else if !fuzzed.ended_well && !interrupted && found.is_empty() {
        ran.trouble = Some("it ended early".to_owned());
        fuzzed.last.iter().for_each(|line| eprintln!("  {line}"));
    } else if ran.progress.executions == 0 && !interrupted && found.is_empty() {
        ran.trouble = Some("it ran nothing".to_owned());
    }
    if interrupted {
        // The corpus is as libFuzzer left it: larger than need be, and whole.
        return Ok(ran);
    }
    match minimise(project, &fuzzer, &corpus, options.update, stop)? {
        true => ran.inputs = files(&corpus)?.len(),
        false => ran.trouble = (ran.trouble).or(Some("its corpus is not minimised".to_owned())),
    }
    Ok(ran)
}

/// Leaves of a corpus what covers all that it does, and, if asked to, chooses what is committed.
/// False when it failed or was interrupted: then the corpus is as it was.
fn minimise(
    project: &Path,
    fuzzer: &Fuzzer<'_>,
    corpus: &Path,
    update: bool,
    stop: &AtomicBool,
) -> Result<bool, Error> {
    let name = corpus.file_name().unwrap_or_default();
    let small = project.join("target/fuzz-merge").join(name);
    let merge = |how: &[&str], from: &Path, variables| -> Result<bool, Error> {
        corpus::empty(&small)?;
        // An input that fails is left out, and has been told of before: what it writes once more
        // goes away again.
        let failing = tempfile::tempdir().map_err(|error| Error::file(&small, &error))?;
        let mut arguments: Vec<String> = how.iter().map(ToString::to_string).collect();
        arguments.push(format!("-max_len={MOST_BYTES}"));
        arguments.push(format!("-artifact_prefix={}/", failing.path().display()));
        arguments.extend([&small, from].map(|path: &Path| path.display().to_string()));
        let fuzzer = Fuzzer {
            program: fuzzer.program.clone(),
            project,
            variables,
        };
        let merged: Fuzzed = fuzzer.run(&arguments, None, stop, || false, |_| {})?;
        Ok(merged.ended_well && !files(&small)?.is_empty())
    };
    let mut done = merge(&["-merge=1"], corpus, &[])?;
    if done {
        corpus::replace(corpus, &small, false)?;
    }
    if done && update {
        // The same edges of code, whatever else: counts and states would take thousands of inputs.
        let how = ["-set_cover_merge=1", "-use_counters=0"];
        let [choices, text] = MOST_COMMITTED_BYTES;
        let most_bytes = if name == PLAN_JSON { text } else { choices };
        let short = tempfile::tempdir().map_err(|error| Error::file(&small, &error))?;
        corpus::copy_short(corpus, short.path(), most_bytes)?;
        done = merge(&how, short.path(), &[("SQUALL_FUZZ_STATES", "off")])?;
        if done {
            corpus::sample(&small, MOST_COMMITTED_IN_ALL)?;
            corpus::replace(corpus, &small, true)?;
        }
    }
    let _ = std::fs::remove_dir_all(&small);
    Ok(done)
}

/// What a target says of an artifact when it is given it once more.
fn finding(fuzzer: &Fuzzer<'_>, artifact: &Path) -> Finding {
    let short = artifact.strip_prefix(fuzzer.project).unwrap_or(artifact);
    let target = fuzzer.program.file_name().unwrap_or_default();
    let (what, repeat) = fuzzer.told(artifact).unwrap_or_else(|| {
        let name = artifact.file_name().unwrap_or_default().to_string_lossy();
        let kind = name.split('-').next().unwrap_or_default();
        let command = format!(
            "cargo +nightly fuzz run {} {} {}",
            BUILD.join(" "),
            target.display(),
            short.display()
        );
        (format!("{kind}: it does not say more"), command)
    });
    Finding { what, repeat }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What a finding has in common with others of its kind: the property, and the place of a panic.
fn kind(finding: &Finding) -> (&str, &str) {
    let name = finding.what.split(':').next().unwrap_or_default();
    let place = match name {
        "no-panic" => finding.what.rsplit(' ').next().unwrap_or_default(),
        _ => "",
    };
    (name, place)
}

/// What is printed at the end.
fn summary(all: &[Ran], asked: usize, interrupted: bool) -> String {
    let mut lines = vec![format!(
        "{:16} {:>12} {:>8} {:>9} {:>7}  findings",
        "target", "executions", "edges", "features", "inputs"
    )];
    for ran in all {
        let Progress {
            executions,
            edges,
            features,
        } = ran.progress;
        let more = ran.trouble.as_ref().or(ran.remark.as_ref());
        lines.push(format!(
            "{:16} {executions:>12} {edges:>8} {features:>9} {:>7}  {}{}",
            ran.name,
            ran.inputs,
            ran.findings.len(),
            more.map_or(String::new(), |why| format!("; {why}"))
        ));
    }
    for ran in all.iter().filter(|ran| !ran.findings.is_empty()) {
        let mut kinds = BTreeMap::<_, Vec<&Finding>>::new();
        for finding in &ran.findings {
            kinds.entry(kind(finding)).or_default().push(finding);
        }
        lines.push(format!(
            "\nfindings of {}, in fuzz/artifacts/{0}:",
            ran.name
        ));
        for alike in kinds.values() {
            let one = alike[0];
            lines.push(format!("{}\n  {} like it", one.what, alike.len()));
            lines.push(format!("  reproduce  {}", one.repeat));
            if let Some((command, rest)) = one.repeat.split_once(" -- replay ") {
                lines.push(format!("  shrink   {command} -- import {rest}"));
            }
        }
    }
    let findings: usize = all.iter().map(|ran| ran.findings.len()).sum();
    lines.push(match status(all, interrupted) {
        0 => "clean: nothing was found".to_owned(),
        1 => format!("{findings} found"),
        _ if interrupted => "nothing was found".to_owned(),
        _ => "could not tell: not every target ran as it should".to_owned(),
    });
    if interrupted {
        lines.push(format!(
            "interrupted: {} of {asked} targets were begun; what they learnt is kept in fuzz/corpus",
            all.len()
        ));
    }
    lines.join("\n")
}

/// 1 for a finding; else 2 where something went wrong; else 0.
fn status(all: &[Ran], interrupted: bool) -> u8 {
    if all.iter().any(|ran| !ran.findings.is_empty()) {
        1
    } else if interrupted || all.iter().any(|ran| ran.trouble.is_some()) {
        2
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(findings: &[&str], trouble: Option<&str>) -> Ran {
        let finding = |what: &&str| Finding {
            what: (*what).to_owned(),
            repeat: "cargo run --release -- replay fuzz/artifacts/storm/crash-1".to_owned(),
        };
        Ran {
            name: "storm".to_owned(),
            findings: findings.iter().map(finding).collect(),
            trouble: trouble.map(str::to_owned),
            ..Ran::default()
        }
    }

    #[test]
    fn one_status_stands_for_all() {
        assert_eq!(status(&[ran(&[], None)], false), 0);
        assert_eq!(status(&[ran(&[], None)], true), 2);
        let bad = || ran(&[], Some("it ended early"));
        assert_eq!(status(&[ran(&[], None), bad()], false), 2);
        assert_eq!(status(&[ran(&["a"], None), bad()], false), 1);
        assert_eq!(status(&[ran(&["a"], None)], true), 1);
    }

    #[test]
    fn the_summary_tells_each_kind_once_and_how_to_go_on() {
        let found = ran(&["log-matching: n1", "log-matching: n2", "other: x"], None);
        let text = summary(&[found], 1, false);
        for part in [
            "log-matching: n1\n  2 like it\n  reproduce  cargo run --release -- replay fuzz/artifacts/storm/crash-1",
            "shrink   cargo run --release -- import fuzz/artifacts/storm/crash-1",
            "other: x\n  1 like it",
        ] {
            assert!(text.contains(part), "{part}\n---\n{text}");
        }
        assert!(text.ends_with("\n3 found"), "{text}");
    }

    #[test]
    fn an_interrupted_run_says_how_far_it_came() {
        let text = summary(&[ran(&[], None)], 5, true);
        assert!(text.contains("nothing was found\ninterrupted: 1 of 5 targets"));
    }
}

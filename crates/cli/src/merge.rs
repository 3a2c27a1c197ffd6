//! `squall merge`: the shards of a sweep, which ran on any number of machines, become one sweep:
//! its digest, its counters, its findings, and what it covers. Knows nothing of how the shards were
//! spread; what it reads is whole files in folders.

mod parts;

pub mod distinct;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use self::distinct::{Distinct, List, Shrinking};
use self::parts::{Damaged, Part, Parts};
use super::artifact::profile_for;
use super::sweep_page::SweepPage;
use super::unfinished::{self, Asked, file::Known};
use super::{
    CliError, Manner, can_write, corpus, default_jobs, duration, program, quoted, replay_command,
    say, say_json, shard, warn, warn_of_command, write_file,
};
use squall_core::coverage::Map;
use squall_core::fsutil::{NewName, copy_new};
use squall_core::plan::{Plan, Profile};
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::report::{self, Files, JsonSummary, Swept, many};
use squall_explore::shard::{Chained, Shard};
use squall_explore::strategy;
use squall_explore::sweep::{Leak, RUNS_FOR_REQUIRED, Summary, Sweep, Tally};

/// How the name of a plan's file ends that hung in a sweep.
const HANG: &str = "-hang.json";

#[derive(Debug, Args)]
pub struct Options {
    /// Folders with shards that `sweep --shard` wrote, at any depth.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// The folder that the plans of all findings go to, each once, and a list of the failures
    /// (merge.json). It may hold an earlier merge of the same sweep.
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    /// Shrink the smallest plan of each failure, each on one thread.
    #[arg(long)]
    shrink: bool,
    /// How long to shrink each of them, at most.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    shrink_for: Duration,
    /// Threads to shrink with [default: one for each processor].
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Also say how often each event happened.
    #[arg(long)]
    events: bool,
    /// Write the summary as JSON to this file, or to standard output (-) in place of the text.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write the summary as Markdown to this file, with the commands that replay what was found.
    #[arg(long, value_name = "FILE")]
    summary_md: Option<PathBuf>,
    /// Write the merged sweep as an HTML page (index.html) into this folder, with a page for each
    /// failure.
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
}

/// A shard that is not there, or not whole, and what to type to have it.
#[derive(Clone, Debug, Serialize)]
struct ToDo {
    shard: Shard,
    command: String,
    /// Plans that hung, and ended it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hangs: Vec<PathBuf>,
}

/// What is said of the shards, as JSON.
#[derive(Debug, Serialize)]
struct JsonShards {
    count: u64,
    merged: usize,
    missing: Vec<ToDo>,
    unfinished: Vec<ToDo>,
    /// Those that are merged without something that is damaged.
    to_repeat: Vec<ToDo>,
    damaged: Vec<PathBuf>,
    /// The digest is over so many seeds from the first.
    digest_seeds: u64,
}

/// The summary of a merged sweep as JSON: that of a sweep, and what is said of the shards.
#[derive(Debug, Serialize)]
struct JsonMerged<'a> {
    #[serde(flatten)]
    summary: JsonSummary<'a>,
    shards: &'a JsonShards,
    distinct: &'a [Distinct],
}

/// What shards add up to.
struct Merged {
    asked: Asked,
    summary: Summary,
    files: Vec<Files>,
    shards: JsonShards,
    damaged: Vec<Damaged>,
    /// What is said of the corpora, where there are any.
    corpus: String,
}

pub fn run(subjects: &Registry, options: &Options, manner: Manner) -> Result<u8, CliError> {
    let mut found = Parts::find(&options.folders)?;
    let asked = found.asked.clone();
    let engine = subjects.engine(&asked.engine)?;
    let subject = &subjects.find(&asked.subject)?.on(engine);
    let profile = profile_for(subjects, &asked.profile)?;
    if unfinished::hash_of(&profile) != asked.profile_hash {
        return Err(CliError::Usage(format!(
            "profile {} is not what it was when the shards ran; merge where it is",
            asked.profile
        )));
    }
    can_write_all(options)?;
    let (json_to_stdout, out) = (
        options.json.as_deref() == Some(Path::new("-")),
        &options.out,
    );
    let talks = !json_to_stdout && !manner.quiet;
    let chained = found.chain();
    let mut merged = add_up(found, chained, subject, &profile, out)?;
    let (mut groups, smallest): (Vec<Distinct>, Vec<usize>) =
        distinct::distinct(&merged.summary.findings, &merged.files)
            .into_iter()
            .unzip();
    let title = subject.title();
    let swept = Swept {
        subject: &title,
        profile: &profile,
        first_seed: asked.seeds.start,
    };
    if talks {
        say(&banner(&merged, &title))?;
        say(&failures(&groups, &smallest, &merged.files, subject))?;
        say(&summary(options, manner, &merged, swept, subject))?;
        say(&merged.corpus)?;
    }
    // All of it before anything is shrunk, which can hang or fail.
    let json = write_all(options, &merged, &groups, &smallest, swept, subject)?;
    if let Some(folder) = options.html.as_ref().filter(|_| talks) {
        let file = folder.join(squall_page::SWEEP_FILE);
        say(&format!("page       {}\n", file.display()))?;
    }
    tell_of_the_rest(&merged, subject, !talks)?;
    let say_json = |json: &str| match json_to_stdout {
        true => say_json(json),
        false => Ok(()),
    };
    let json = match options.shrink {
        false => json,
        true => {
            let plans: Vec<PathBuf> = (smallest.iter())
                .map(|place| merged.files[*place].plan.clone())
                .collect();
            let shrinking = Shrinking {
                jobs: options.jobs.map_or_else(default_jobs, usize::from),
                time: Some(options.shrink_for),
                manner: Manner {
                    quiet: !talks,
                    ..manner
                },
                at_hang: &|| {
                    if let Err(failed) = say_json(&json) {
                        warn(&failed.to_string());
                    }
                },
            };
            let shrunk = distinct::shrink(subject, &plans, shrinking);
            let shrunk = shrunk.or_else(|failed| say_json(&json).and(Err(failed)))?;
            for ((place, group), shrunk) in smallest.iter().zip(&mut groups).zip(shrunk) {
                // What an interrupt has left may have been shrunk before.
                let Some(shrunk) = shrunk else { continue };
                group.shrunk = shrunk.file_name().map(Into::into);
                merged.files[*place].shrunk = Some(shrunk);
            }
            write_all(options, &merged, &groups, &smallest, swept, subject)?
        }
    };
    say_json(&json)?;
    match merged.damaged.is_empty() {
        true => Ok(merged.summary.verdict().status()),
        // Whatever was found, something is lost.
        false => Ok(2),
    }
}

/// Writes the list of the failures, and the summaries that are asked for. Returns that in JSON,
/// which is not written where it is to go to standard output.
fn write_all(
    options: &Options,
    merged: &Merged,
    groups: &[Distinct],
    smallest: &[usize],
    swept: Swept<'_>,
    subject: &RegisteredSubject,
) -> Result<String, CliError> {
    let out = &options.out;
    List::of(&merged.asked.engine, groups.to_vec()).write(out)?;
    if let Some(path) = &options.summary_md {
        let text = report::markdown(&merged.summary, swept, &merged.files, |plan| {
            replay_command(plan, subject)
        });
        write_file(path, &text)?;
    }
    let json = JsonMerged {
        summary: JsonSummary::new(
            &merged.summary,
            subject,
            swept.profile,
            swept.first_seed,
            &merged.files,
        ),
        shards: &merged.shards,
        distinct: groups,
    };
    let text = serde_json::to_string_pretty(&json).expect("a summary is plain data") + "\n";
    match &options.json {
        Some(path) if path.as_os_str() != "-" => write_file(path, &text)?,
        _ => {}
    }
    if let Some(folder) = &options.html {
        let json = serde_json::to_value(&json).expect("a summary is plain data");
        page(folder, out, merged, smallest, json, subject)?;
    }
    Ok(text)
}

/// Adds up shards, and puts the plans of their findings into the folder `out`.
fn add_up(
    found: Parts,
    chained: Chained,
    subject: &RegisteredSubject,
    profile: &Profile,
    out: &Path,
) -> Result<Merged, CliError> {
    let missing: Vec<Shard> = found.missing().collect();
    let Parts {
        asked,
        count,
        folder,
        parts,
        mut damaged,
        ..
    } = found;
    let begin = |shard: Shard| ToDo {
        shard,
        command: begin_command(&asked, &folder, shard, subject),
        hangs: Vec::new(),
    };
    let missing: Vec<ToDo> = missing.into_iter().map(begin).collect();
    let (mut summary, mut findings) = (Summary::default(), Vec::new());
    let (mut unfinished, mut corpora, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts.into_values() {
        let Part { path, file, .. } = &part;
        // Where a file is damaged that says what a shard covers, that alone is left out: its runs
        // are in the digest.
        let map = asked
            .coverage
            .then(|| unfinished::coverage(path, file.runs));
        let map = map.and_then(|map| match map {
            Ok(map) => Some(map),
            Err(why) => {
                damaged.push(Damaged::beside(&part, why));
                None
            }
        });
        add(&mut summary, &file.summary(), map);
        if !part.of_shard.is_over {
            unfinished.push(ToDo {
                shard: part.shard,
                command: unfinished::command(path),
                hangs: hangs_in(super::folder_of(path)),
            });
        }
        let kept = super::folder_of(path).join(corpus::FOLDER);
        if kept.is_dir() && !corpora.contains(&kept) {
            corpora.push(kept);
        }
        whole.push(part);
    }
    let learns = strategy::Kind::named(&asked.strategy).is_some_and(strategy::Kind::learns);
    std::fs::create_dir_all(out).map_err(|error| CliError::file(out, &error))?;
    for part in &whole {
        for known in part.file.findings(&part.path, CliError::Usage) {
            match known {
                Ok(known) => findings.push(known),
                Err(error) => damaged.push(Damaged::beside(part, error.to_string())),
            }
        }
    }
    let to_repeat: BTreeSet<Shard> = damaged.iter().filter_map(|one| one.shard).collect();
    unfinished.retain(|one| !to_repeat.contains(&one.shard));
    let to_repeat = to_repeat.into_iter().map(begin).collect();
    findings.sort_by_key(|known| known.finding.seed);
    let mut files = Vec::new();
    for Known { finding, plan } in findings {
        files.push(keep(out, &plan, &finding.plan)?);
        summary.findings.push(finding);
    }
    summary.digest = chained.digest;
    // What is damaged may have been a finding.
    summary.interrupted = !(missing.is_empty() && unfinished.is_empty() && damaged.is_empty());
    if summary.runs >= RUNS_FOR_REQUIRED {
        summary.missing = never_happened(&summary, &asked, subject, profile);
    }
    let shards = JsonShards {
        count,
        merged: whole.len(),
        missing,
        unfinished,
        to_repeat,
        damaged: damaged.iter().map(|one| one.path.clone()).collect(),
        digest_seeds: chained.seeds,
    };
    let corpus = match learns && !corpora.is_empty() {
        true => {
            let registry: Registry = vec![subject.clone()].into();
            corpus::merge(&registry, &out.join(corpus::FOLDER), &corpora)?
        }
        false => String::new(),
    };
    Ok(Merged {
        asked,
        summary,
        files,
        shards,
        damaged,
        corpus,
    })
}

/// Adds what a shard came to, its findings aside.
fn add(all: &mut Summary, one: &Summary, map: Option<Map>) {
    all.runs += one.runs;
    all.steps += one.steps;
    all.simulated_us += one.simulated_us;
    all.cpu += one.cpu;
    // Side by side, or as far apart as it may be: the longest.
    all.wall = all.wall.max(one.wall);
    all.counters.merge(&one.counters);
    all.double_runs += one.double_runs;
    if all.variants.len() < one.variants.len() {
        all.variants.resize(one.variants.len(), Tally::default());
    }
    for (all, one) in all.variants.iter_mut().zip(&one.variants) {
        all.runs += one.runs;
        all.steps += one.steps;
        all.violations += one.violations;
    }
    let earlier = |leak: &&Leak| (all.leak.as_ref()).is_none_or(|other| leak.seed < other.seed);
    if let Some(leak) = one.leak.as_ref().filter(earlier) {
        all.leak = Some(leak.clone());
    }
    if let Some(map) = map {
        all.coverage.get_or_insert_default().add(&map.listed());
    }
}

/// What the profile requires and never happened in any shard.
fn never_happened(
    summary: &Summary,
    asked: &Asked,
    subject: &RegisteredSubject,
    profile: &Profile,
) -> Vec<String> {
    let Some(strategy) = strategy::Kind::named(&asked.strategy) else {
        return Vec::new();
    };
    let stop = AtomicBool::new(false);
    let sweep = Sweep {
        subject,
        profile,
        strategy,
        coverage: false,
        corpus: Vec::new(),
        seeds: asked.seeds.clone(),
        shard: Shard::WHOLE,
        jobs: 1,
        time_limit: None,
        keep_going: true,
        stop: &stop,
        lookout: None,
    };
    sweep.missing(&*sweep.strategy(), &summary.counters)
}

/// Puts a plan into the folder `out`, under the name that it has, and says where it is.
fn keep(out: &Path, from: &Path, plan: &Plan) -> Result<Files, CliError> {
    let stem = from.file_stem().unwrap_or_default();
    let name = NewName {
        stem: out.join(stem),
        ending: ".json",
    };
    // It lies with its shard as well, so that it need not be forced to the disk.
    let kept = copy_new(out, &name, &plan.to_json());
    let plan = kept.map_err(|error| CliError::file(&name.stem, &error))?;
    let smaller = distinct::beside(&plan);
    let shrunk = Plan::read(&smaller).is_ok().then_some(smaller);
    Ok(Files { plan, shrunk })
}

/// The plans in a folder that hung while it was swept.
fn hangs_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let hangs = |path: &PathBuf| path.to_string_lossy().ends_with(HANG);
    let mut found: Vec<PathBuf> = paths.filter(hangs).collect();
    found.sort();
    found
}

/// The command that does a shard from its beginning.
fn begin_command(
    asked: &Asked,
    folder: &Path,
    shard: Shard,
    subject: &RegisteredSubject,
) -> String {
    let Asked {
        engine,
        profile,
        strategy,
        seeds: Range { start, end },
        time_ms,
        coverage,
        corpus,
        ..
    } = asked;
    let mut command = format!(
        "{} sweep --subject {}{} --profile {} --strategy {strategy}",
        program(),
        quoted(&subject.name),
        subject.named_with,
        quoted(profile)
    );
    command += &super::engine_option_of(engine);
    if (*start, *end) != (0, u64::MAX) {
        command += &format!(" --seeds {start}..{end}");
    }
    if let Some(ms) = time_ms {
        let time = humantime::format_duration(Duration::from_millis(*ms)).to_string();
        command += &format!(" --for {}", quoted(&time));
    }
    if *coverage {
        command += " --coverage";
    }
    if let Some(corpus) = corpus {
        command += &format!(" --corpus {}", quoted(&corpus.display().to_string()));
    }
    let folder = match folder.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => folder.display().to_string(),
    };
    command + &format!("{} --out {}", shard::option(shard), quoted(&folder))
}

fn banner(merged: &Merged, title: &str) -> String {
    let Merged { asked, shards, .. } = merged;
    let Range { start, end } = asked.seeds;
    let seeds = match end {
        u64::MAX => format!("seeds from {start}"),
        end => format!("seeds {start}..{end}"),
    };
    format!(
        "squall {}: {} of {} of {title} under {}, {seeds}\n\n",
        env!("CARGO_PKG_VERSION"),
        shards.merged,
        many(shards.count, "shard"),
        asked.profile
    )
}

/// The failures, each with the command that replays its smallest plan.
fn failures(
    groups: &[Distinct],
    smallest: &[usize],
    files: &[Files],
    subject: &RegisteredSubject,
) -> String {
    let mut text = String::new();
    for (group, place) in groups.iter().zip(smallest) {
        let place_in_words = match group.place.is_empty() {
            true => String::new(),
            false => format!(" ({})", group.place),
        };
        let plan = &files[*place];
        let plan = plan.shrunk.as_ref().unwrap_or(&plan.plan);
        text += &format!(
            "{}{place_in_words}: {}, the smallest plan is of seed {}\n  reproduce  {}\n",
            group.property,
            many(group.runs, "violation"),
            group.seed,
            replay_command(plan, subject)
        );
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The summary, with what is said of the shards before it.
fn summary(
    options: &Options,
    manner: Manner,
    merged: &Merged,
    swept: Swept<'_>,
    subject: &RegisteredSubject,
) -> String {
    let start = merged.asked.seeds.start;
    let mut text = String::new();
    if options.events || manner.verbose {
        text = format!("{}\n", report::events(&merged.summary));
    }
    text += &format!(
        "  digest     {:016x}, of {} from {start}\n",
        merged.summary.digest,
        many(merged.shards.digest_seeds, "seed")
    );
    text + &report::summary(
        &merged.summary,
        swept,
        subject.runner.supports(),
        manner.verbose,
    )
}

/// Names what is missing, unfinished and damaged, with the commands that mend it.
fn tell_of_the_rest(
    merged: &Merged,
    subject: &RegisteredSubject,
    on_standard_error: bool,
) -> Result<(), CliError> {
    let JsonShards {
        missing,
        unfinished,
        to_repeat,
        ..
    } = &merged.shards;
    let tell = |line: &str| match on_standard_error {
        true => {
            warn_of_command(line);
            Ok(())
        }
        false => say(&format!("  {line}\n")),
    };
    for Damaged { path, why, .. } in &merged.damaged {
        warn(&format!("damaged, and left out: {}: {why}", path.display()));
    }
    let lists = [
        (to_repeat, "to repeat"),
        (unfinished, "unfinished"),
        (missing, "missing"),
    ];
    for (list, what) in lists {
        let number = list.len() as u64;
        if number == 0 {
            continue;
        }
        let head = format!("{} {what}:", many(number, "shard"));
        match on_standard_error {
            true => warn(&head),
            false => say(&format!("{head}\n"))?,
        }
        for ToDo { command, hangs, .. } in list {
            tell(command)?;
            for plan in hangs {
                tell(&format!("  a run hangs: {}", replay_command(plan, subject)))?;
            }
        }
    }
    Ok(())
}

/// Writes the page of the merged sweep.
fn page(
    folder: &Path,
    out: &Path,
    merged: &Merged,
    smallest: &[usize],
    json: serde_json::Value,
    subject: &RegisteredSubject,
) -> Result<(), CliError> {
    let is_there = folder.join(squall_page::SWEEP_FILE).exists();
    let nothing = Summary::default();
    let mut page = SweepPage::begin(folder, out, is_there, &nothing, json.clone())?;
    let findings = &merged.summary.findings;
    // The first of its kind gets a page.
    let others = (0..findings.len()).filter(|place| !smallest.contains(place));
    let order = smallest.iter().copied().chain(others);
    for place in order {
        let command = replay_command(&merged.files[place].plan, subject);
        page.finding(subject, &findings[place], &command);
    }
    page.stands(json, true)
}

/// Makes sure, before anything is written, that the summary can be.
fn can_write_all(options: &Options) -> Result<(), CliError> {
    match &options.json {
        Some(path) if path.as_os_str() != "-" => can_write(path)?,
        _ => {}
    }
    options.summary_md.as_deref().map_or(Ok(()), can_write)
}

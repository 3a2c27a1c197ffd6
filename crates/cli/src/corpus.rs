//! `squall corpus`: folders of plans that guided sweeps keep.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use squall_core::coverage::{Coverage, Map, RunCoverage, cover};
use squall_core::engine::Observer;
use squall_core::plan::Plan;
use squall_core::registry::Registry;
use squall_explore::report::{group, many};
use squall_explore::strategy::{Contents, Folder};

use super::{CliError, quoted, say, warn};

/// The folder in that of a shard where it keeps plans, and in that of a merge.
pub const FOLDER: &str = "corpus";

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every plan of a corpus, and say what it covers.
    List {
        /// The corpus.
        dir: PathBuf,
    },
    /// Add to a corpus the plans of others that reach what it does not.
    Merge {
        /// The corpus that grows.
        into: PathBuf,
        /// The corpora to take plans from.
        #[arg(required = true)]
        from: Vec<PathBuf>,
    },
    /// Remove from a corpus the plans that it does not need to reach what it reaches.
    Minimise {
        /// The corpus.
        dir: PathBuf,
        /// Say what would be removed, and remove nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// A plan of a corpus, and how its run went.
struct Entry {
    file: PathBuf,
    plan: Plan,
    steps: u64,
    trail: RunCoverage,
    fails: bool,
}

pub fn run(subjects: &Registry, options: &Options) -> Result<u8, CliError> {
    match &options.command {
        Command::List { dir } => list(subjects, dir),
        Command::Merge { into, from } => say(&merge(subjects, into, from)?),
        Command::Minimise { dir, dry_run } => minimise(subjects, dir, *dry_run),
    }
    .map(|()| 0)
}

/// Reads a corpus. What is broken is reported, and left out.
pub fn read(dir: &Path) -> Result<Vec<(PathBuf, Plan)>, CliError> {
    let contents = Folder::at(dir).read();
    let Contents { plans, broken } = contents.map_err(|source| CliError::Unreadable {
        path: dir.to_path_buf(),
        source,
    })?;
    for error in broken {
        warn(&format!("left out: {error}"));
    }
    Ok(plans)
}

/// Reads a corpus that must be there, and runs what is in it.
fn entries(subjects: &Registry, dir: &Path) -> Result<Vec<Entry>, CliError> {
    if !dir.is_dir() {
        return Err(CliError::Unreadable {
            path: dir.to_path_buf(),
            source: std::io::ErrorKind::NotADirectory.into(),
        });
    }
    let mut entries = Vec::new();
    for (file, plan) in read(dir)? {
        let Ok(subject) = subjects.find(&plan.subject) else {
            let file = file.display();
            warn(&format!(
                "left out: plan {file} is for the unknown subject \"{}\"",
                plan.subject
            ));
            continue;
        };
        let mut coverage = Coverage::new(plan.nodes().len());
        let watch = Observer {
            coverage: Some(&mut coverage),
            ..Observer::default()
        };
        let outcome = subject.runner.run(&plan, watch);
        entries.push(Entry {
            file,
            steps: outcome.steps,
            trail: coverage.trail(),
            fails: outcome.failure.is_some(),
            plan,
        });
    }
    Ok(entries)
}

fn total(map: &Map, plans: usize) -> String {
    format!(
        "{} plans cover {} states and {} transitions\n",
        group(plans as u64),
        group(map.states()),
        group(map.transitions())
    )
}

fn list(subjects: &Registry, dir: &Path) -> Result<(), CliError> {
    let mut map = Map::default();
    let entries = entries(subjects, dir)?;
    let mut text = String::new();
    for entry in &entries {
        map.add(&entry.trail);
        text.push_str(&format!(
            "{}  {} under {}: {}, {}, {} steps, {} states, {} transitions{}\n",
            entry.file.display(),
            entry.plan.subject,
            entry.plan.profile,
            many(entry.plan.nodes().len() as u64, "node"),
            many(entry.plan.faults.len() as u64, "fault"),
            group(entry.steps),
            group(entry.trail.states.len() as u64),
            group(entry.trail.transitions.len() as u64),
            if entry.fails { ", fails" } else { "" }
        ));
    }
    say(&format!("{text}{}", total(&map, entries.len())))
}

/// Adds to the corpus `into` the plans of others that reach what it does not, and says what came of
/// it.
pub fn merge(subjects: &Registry, into: &Path, from: &[PathBuf]) -> Result<String, CliError> {
    let mut map = Map::default();
    let mut plans = 0;
    if into.exists() {
        for entry in entries(subjects, into)? {
            map.add(&entry.trail);
            plans += 1;
        }
    }
    let mut others = Vec::new();
    for dir in from {
        others.extend(entries(subjects, dir)?);
    }
    let mut added = 0;
    others.sort_by(|a, b| (a.steps, &a.file).cmp(&(b.steps, &b.file)));
    let corpus = Folder::at(into);
    for entry in &others {
        if !map.add(&entry.trail).is_empty() {
            let kept = corpus.keep(&entry.plan);
            kept.map_err(|error| CliError::file(into, &error))?;
            added += 1;
        }
    }
    let seen = group(others.len() as u64);
    Ok(format!(
        "{} of {seen} plans reach something new\n{}",
        group(added),
        total(&map, plans + added as usize)
    ))
}

fn minimise(subjects: &Registry, dir: &Path, dry_run: bool) -> Result<(), CliError> {
    let entries = entries(subjects, dir)?;
    let runs: Vec<(u64, RunCoverage)> = entries
        .iter()
        .map(|entry| (entry.steps, entry.trail.clone()))
        .collect();
    let needed = cover(&runs);
    let mut map = Map::default();
    needed.iter().for_each(|place| {
        map.add(&runs[*place].1);
    });
    let (mut text, mut removed) = (String::new(), 0_u64);
    for (place, entry) in entries.iter().enumerate() {
        if needed.contains(&place) {
            continue;
        }
        removed += 1;
        match dry_run {
            true => text.push_str(&format!("{}\n", quoted(&entry.file.display().to_string()))),
            false => std::fs::remove_file(&entry.file)
                .map_err(|error| CliError::file(&entry.file, &error))?,
        }
    }
    let would = if dry_run { "could be" } else { "were" };
    say(&format!(
        "{text}{} plans {would} removed\n{}",
        group(removed),
        total(&map, needed.len())
    ))
}

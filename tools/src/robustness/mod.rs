//! `cargo xtask robustness`: what Squall is put through that nobody wishes it, each kind of it one
//! row: files that are spoilt, sweeps that are killed at any moment, disks that are full, two
//! sweeps at once in one folder, ten thousand findings.
//!
//! A row goes by what anybody can see: exit statuses, what is printed, the summary as JSON, and the
//! files that these name. It knows no name of a file by itself.

mod disks;
mod fields;
mod kills;
mod many;
mod sweep;
mod together;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::Error;
use crate::table::record;

/// What `cargo xtask robustness` takes.
#[derive(Debug, Args)]
pub struct Options {
    /// Only this row; may be given several times [default: all].
    #[arg(long, value_name = "ROW", value_parser = ROWS.map(|(name, ..)| name))]
    only: Vec<String>,
    /// How often a sweep of each strategy is killed.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    kills: u32,
    /// Seeds of the sweep with many findings, each of which is one.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    findings: u32,
    /// What the moments of kills are drawn from.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// The profile of cargo that Squall is built with.
    #[arg(long, value_name = "PROFILE", default_value = "release")]
    profile: String,
    /// Put the tables into docs/robustness.md.
    #[arg(long)]
    record: bool,
}

/// What rows share.
pub struct Scene<'a> {
    project: &'a Path,
    /// Squall's program.
    program: PathBuf,
    options: &'a Options,
}

/// What came of one thing that was tried.
pub struct Line {
    /// What was done.
    pub tried: String,
    /// What came of it, in figures.
    pub came: String,
    /// What must not be, one by one.
    pub wrong: Vec<String>,
}

type Row = fn(&Scene<'_>) -> Result<Vec<Line>, Error>;

/// The rows: name, what it is about, its doing.
const ROWS: [(&str, &str, Row); 5] = [
    (
        "fields",
        "Every field of every kind of file, spoilt",
        fields::run,
    ),
    ("kills", "kill -9 at random moments", kills::run),
    ("disks", "Disks that are full", disks::run),
    (
        "together",
        "Two sweeps at once in one folder",
        together::run,
    ),
    ("findings", "Many findings", many::run),
];

/// Runs the rows. Exit status: 0 when all is as it must be, 1 otherwise.
///
/// # Errors
/// When Squall cannot be built or started, or a file not be written.
pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    let scene = Scene {
        project,
        program: build(project, &options.profile)?,
        options,
    };
    let mut all_well = true;
    for (name, about, row) in ROWS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
            continue;
        }
        eprintln!("{name}: {about}");
        let lines = row(&scene)?;
        let table = table(about, name, options, &lines);
        println!("{table}");
        for line in &lines {
            all_well &= line.wrong.is_empty();
            for wrong in &line.wrong {
                eprintln!("wrong: {}: {wrong}", line.tried);
            }
        }
        if options.record {
            record(&project.join("docs/robustness.md"), name, &table)?;
        }
    }
    Ok(u8::from(!all_well))
}

/// The row as a table of Markdown, below the command that makes it.
fn table(about: &str, name: &str, options: &Options, lines: &[Line]) -> String {
    let more = match name {
        "kills" => format!(" --kills {} --seed {}", options.kills, options.seed),
        "findings" => format!(" --findings {}", options.findings),
        _ => String::new(),
    };
    let mut text = format!("**{about}** (`cargo xtask robustness --only {name}{more}`)\n\n");
    text.push_str("| tried | what came of it | must not be |\n| --- | --- | ---: |\n");
    for line in lines {
        let Line { tried, came, wrong } = line;
        text.push_str(&format!("| {tried} | {came} | {} |\n", wrong.len()));
    }
    text
}

/// Squall's program, built.
fn build(project: &Path, profile: &str) -> Result<PathBuf, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--bin", "squall", "--profile", profile])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(project)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| Error::file(Path::new("cargo"), &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = messages.filter_map(|message| {
        let path = message["executable"].as_str().map(PathBuf::from);
        path.filter(|_| message["target"]["name"] == "squall")
    });
    match programs.next() {
        Some(program) if output.status.success() => Ok(program),
        _ => Err(Error::Cargo("squall does not build".to_owned())),
    }
}

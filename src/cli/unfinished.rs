//! A sweep that is under way, on the disk: what it was asked for, how far it is, and what it has found. Written whole and
//! before anything of it is printed, so that a sweep that is killed goes on where it was.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{CliError, write_file};
use crate::campaign::{Finding, Summary};
use crate::check::{Property, Violation};
use crate::engine::{Engine, Failure};
use crate::plan::{Plan, Profile};
use crate::sometimes::Counters;
use crate::types::{NodeId, mix_bytes};

/// The version of the file's format.
const VERSION: u32 = 1;

/// How such a file's name ends.
const ENDING: &str = ".unfinished.json";

/// How often it is written at most, but for the first time and as something is found.
const EVERY: Duration = Duration::from_millis(500);

/// What a sweep was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub subject: String,
    /// The engine's name.
    #[serde(default = "usual_engine")]
    pub engine: String,
    /// As it was named.
    pub profile: String,
    /// Of what the profile said, so that a change of it does not go unnoticed.
    pub profile_hash: u64,
    pub strategy: String,
    pub seeds: Range<u64>,
    pub time_ms: Option<u64>,
    pub keep_going: bool,
    pub shrink_for_ms: Option<u64>,
}

/// What files of earlier versions mean, which do not say it.
fn usual_engine() -> String {
    Engine::default().name().to_owned()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// The version of this crate: another one may draw other plans from the same seeds.
    squall: String,
    asked: Asked,
    next: u64,
    runs: u64,
    steps: u64,
    simulated_us: u64,
    cpu_us: u64,
    wall_us: u64,
    digest: u64,
    double_runs: u64,
    counters: BTreeMap<String, u64>,
    findings: Vec<Found>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    seed: u64,
    property: String,
    node: Option<u8>,
    message: String,
    step: u64,
    time_us: u64,
    /// The plan's file, beside this one.
    plan: PathBuf,
}

/// Where a sweep stands.
pub struct Stand {
    pub next: u64,
    pub summary: Summary,
}

/// A sweep that is under way.
pub struct Unfinished {
    path: PathBuf,
    asked: Asked,
    written: Option<Instant>,
    /// How long to wait for the next time: the longer the file takes to be written, the longer.
    wait: Duration,
    /// Folders that were made for it.
    made: Vec<PathBuf>,
}

impl Unfinished {
    /// One that begins in the folder `out`.
    pub fn begin(out: &Path, asked: Asked) -> Result<Self, CliError> {
        let Range { start, end } = asked.seeds;
        let end = match end {
            u64::MAX => "open".to_owned(),
            end => end.to_string(),
        };
        let profile = Path::new(&asked.profile).file_stem().unwrap_or_default();
        let engine = match asked.engine == usual_engine() {
            true => String::new(),
            false => format!("-{}", asked.engine),
        };
        let name = format!(
            "{}-{}{engine}-{start}-{end}{ENDING}",
            asked.subject,
            profile.to_string_lossy()
        );
        let made = super::sweep::missing_folders(out);
        std::fs::create_dir_all(out).map_err(|error| CliError::file(out, &error))?;
        let mut unfinished = Self {
            path: out.join(name),
            asked,
            written: None,
            wait: EVERY,
            made,
        };
        let start = unfinished.asked.seeds.start;
        unfinished.write(start, &Summary::default())?;
        Ok(unfinished)
    }

    /// The one at `path`, or the only one in that folder, and where it stands.
    pub fn read(path: &Path) -> Result<(Self, Stand), CliError> {
        let path = match path.is_dir() {
            true => only_one(path)?,
            false => path.to_path_buf(),
        };
        let wrong =
            |why: String| CliError::Usage(format!("cannot go on with {}: {why}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let file: File = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let version = env!("CARGO_PKG_VERSION");
        if (file.version, file.squall.as_str()) != (VERSION, version) {
            return Err(wrong(format!(
                "squall {} wrote it, and this is {version}, which may draw other plans from its seeds",
                file.squall
            )));
        }
        let mut findings = Vec::new();
        for found in &file.findings {
            let plan = Plan::read(&super::folder_of(&path).join(&found.plan))?;
            let failure = found.failure().map_err(wrong)?;
            let seed = found.seed;
            findings.push(Finding {
                failure,
                plan,
                seed,
            });
        }
        let counters = file
            .counters
            .iter()
            .map(|(name, times)| (name.as_str(), *times));
        let summary = Summary {
            runs: file.runs,
            steps: file.steps,
            simulated_us: file.simulated_us,
            cpu: Duration::from_micros(file.cpu_us),
            wall: Duration::from_micros(file.wall_us),
            digest: file.digest,
            counters: Counters::of_named(counters),
            double_runs: file.double_runs,
            findings,
            ..Summary::default()
        };
        let stand = Stand {
            next: file.next,
            summary,
        };
        let unfinished = Self {
            path,
            asked: file.asked,
            written: None,
            wait: EVERY,
            made: Vec::new(),
        };
        Ok((unfinished, stand))
    }

    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        super::folder_of(&self.path)
    }

    /// What to type to go on with it.
    pub fn how_to_go_on(&self) -> String {
        let program = std::env::args()
            .next()
            .unwrap_or_else(|| "squall".to_owned());
        format!(
            "go on    {} sweep --resume {}\n",
            super::quoted(&program),
            super::quoted(&self.path.display().to_string())
        )
    }

    /// Takes down where the sweep stands, if the last time was long enough ago.
    #[allow(clippy::disallowed_methods)] // How often a file is written; no run knows of it.
    pub fn stands(&mut self, next: u64, summary: &Summary) -> Result<(), CliError> {
        if self.written.is_some_and(|then| then.elapsed() < self.wait) {
            return Ok(());
        }
        let began = Instant::now();
        self.write(next, summary)?;
        self.wait = EVERY.max(20 * began.elapsed());
        self.written = Some(Instant::now());
        Ok(())
    }

    fn write(&mut self, next: u64, summary: &Summary) -> Result<(), CliError> {
        let found = |finding: &Finding| Found {
            seed: finding.seed,
            property: finding.failure.violation.property.name().to_owned(),
            node: finding.failure.violation.node.map(|node| node.0),
            message: finding.failure.violation.message.clone(),
            step: finding.failure.step,
            time_us: finding.failure.time_us,
            plan: super::written::plan_name(&self.asked.subject, finding).into(),
        };
        let named = summary.counters.named().into_iter();
        let file = File {
            version: VERSION,
            squall: env!("CARGO_PKG_VERSION").to_owned(),
            asked: self.asked.clone(),
            next,
            runs: summary.runs,
            steps: summary.steps,
            simulated_us: summary.simulated_us,
            cpu_us: summary.cpu.as_micros() as u64,
            wall_us: summary.wall.as_micros() as u64,
            digest: summary.digest,
            double_runs: summary.double_runs,
            counters: named
                .map(|(name, times)| (name.to_owned(), times))
                .collect(),
            findings: summary.findings.iter().map(found).collect(),
        };
        let text = serde_json::to_string(&file).expect("a sweep's stand is plain data");
        write_file(&self.path, &(text + "\n"))
    }

    /// The sweep is over, and all of it is written and told.
    pub fn end(self) {
        // What stays is a file that says where an ended sweep stood; going on with it ends at once.
        let _ = std::fs::remove_file(&self.path);
        for folder in self.made {
            // One that holds findings stays.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

impl Found {
    fn failure(&self) -> Result<Failure, String> {
        let property = Property::ALL
            .into_iter()
            .find(|property| property.name() == self.property);
        let property = property.ok_or_else(|| format!("there is no property {}", self.property))?;
        Ok(Failure {
            violation: Violation {
                property,
                node: self.node.map(NodeId),
                message: self.message.clone(),
            },
            step: self.step,
            time_us: self.time_us,
        })
    }
}

/// The unfinished sweep in a folder.
fn only_one(folder: &Path) -> Result<PathBuf, CliError> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| CliError::Usage(format!("cannot read {}: {error}", folder.display())))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(ENDING));
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(CliError::Usage(format!(
            "{} holds no unfinished sweep: each has a file there that ends in {ENDING}",
            folder.display()
        ))),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            Err(CliError::Usage(format!(
                "{} holds several unfinished sweeps; legal: {}",
                folder.display(),
                names.join(", ")
            )))
        }
    }
}

/// A hash of all that a profile says.
pub fn hash_of(profile: &Profile) -> u64 {
    mix_bytes(0, format!("{profile:?}").as_bytes())
}

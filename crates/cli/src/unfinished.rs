//! A sweep that is under way, on the disk: what it was asked for, how far it is, and what it has
//! found. Written whole and before anything of it is printed, so that a sweep that is killed goes
//! on where it was.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::CliError;
use squall_core::counters::Counters;
use squall_core::engine::{Engine, Failure};
use squall_core::fsutil::{Equal, NewName, read_text, write_by, write_new};
use squall_core::ids::NodeId;
use squall_core::invariants::{Property, Violation};
use squall_core::plan::{Plan, Profile};
use squall_explore::report::Files;
use squall_explore::sweep::{Finding, Summary, Tally};
use squall_world::hash::mix_bytes;

/// The version of the file's format. In version 1 a profile's hash was of another form of it.
const VERSION: u32 = 2;

/// How such a file's name ends.
const ENDING: &str = ".unfinished.json";

/// No number in it is larger: no sweep comes near, and sums of such numbers are numbers.
const MOST: u64 = 1 << 53;

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
    /// Of each of the profile's variants. Files of earlier versions do not have them.
    #[serde(default)]
    variants: Vec<Tally>,
    findings: Vec<Found>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    seed: u64,
    property: String,
    node: Option<u8>,
    message: String,
    /// The same, as its fields. Files of earlier versions do not have it.
    #[serde(default)]
    violation: Option<Value>,
    step: u64,
    time_us: u64,
    /// The plan's file, beside this one.
    plan: PathBuf,
}

/// Where a sweep stands.
pub struct Stand {
    pub next: u64,
    pub summary: Summary,
    /// The files of the findings, in their order.
    pub plans: Vec<PathBuf>,
}

impl Stand {
    /// Where a sweep stands before its first run.
    pub fn before(asked: &Asked) -> Self {
        Self {
            next: asked.seeds.start,
            summary: Summary::default(),
            plans: Vec::new(),
        }
    }
}

/// A sweep that is under way.
pub struct Unfinished {
    path: PathBuf,
    asked: Asked,
    written: Option<Instant>,
    /// How long to wait for the next time: the longer the file takes to be written, the longer.
    wait: Duration,
    /// It is new, and nothing has been done yet that could be lost.
    is_blank: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_blank {
            self.remove();
        }
    }
}

impl Unfinished {
    /// One that begins in the folder `out`, by way of the folder `scratch`, as `name` calls its
    /// sweep. It takes no other one's place.
    pub fn begin(out: &Path, scratch: &Path, name: &str, asked: Asked) -> Result<Self, CliError> {
        let Range { start, end } = asked.seeds;
        let end = match end {
            u64::MAX => "open".to_owned(),
            end => end.to_string(),
        };
        let name = NewName {
            stem: out.join(format!("{name}-{start}-{end}")),
            ending: ENDING,
        };
        let text = text(&asked, start, &Summary::default(), &[]);
        let path = write_new(scratch, &name, &text, Equal::IsAnother);
        Ok(Self {
            path: path.map_err(|error| CliError::file(out, &error))?,
            asked,
            written: None,
            wait: EVERY,
            is_blank: true,
        })
    }

    /// The one at `path`, or the only one in that folder, and where it stands.
    pub fn read(path: &Path) -> Result<(Self, Stand), CliError> {
        let path = match path.is_dir() {
            true => only_one(path)?,
            false => path.to_path_buf(),
        };
        let wrong =
            |why: String| CliError::Usage(format!("cannot go on with {}: {why}", path.display()));
        let text = read_text(&path).map_err(|error| wrong(error.to_string()))?;
        let file: File = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let version = env!("CARGO_PKG_VERSION");
        if file.version != VERSION {
            return Err(wrong(format!(
                "it is of version {} of such files, and this build reads version {VERSION}; begin the sweep anew",
                file.version
            )));
        }
        if file.squall != version {
            return Err(wrong(format!(
                "squall {} wrote it, and this is {version}, which may draw other plans from its seeds",
                file.squall
            )));
        }
        file.check().map_err(wrong)?;
        let (mut findings, mut plans) = (Vec::new(), Vec::new());
        for found in &file.findings {
            let plan_path = super::folder_of(&path).join(&found.plan);
            let plan = Plan::read(&plan_path)?;
            plans.push(plan_path);
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
            variants: file.variants,
            findings,
            ..Summary::default()
        };
        let stand = Stand {
            next: file.next,
            summary,
            plans,
        };
        let unfinished = Self {
            path,
            asked: file.asked,
            written: None,
            wait: EVERY,
            is_blank: false,
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
        format!("go on    {}\n", command(&self.path))
    }

    /// It has ended early, and is to go on some time.
    pub fn leave(mut self) {
        self.is_blank = false;
    }

    /// Takes down where the sweep stands, if the last time was long enough ago. `files` are those
    /// of its findings.
    #[allow(clippy::disallowed_methods)] // How often a file is written; no run knows of it.
    pub fn stands(
        &mut self,
        scratch: &Path,
        next: u64,
        summary: &Summary,
        files: &[Files],
    ) -> Result<(), CliError> {
        if self.written.is_some_and(|then| then.elapsed() < self.wait) {
            return Ok(());
        }
        let began = Instant::now();
        let text = text(&self.asked, next, summary, files);
        write_by(scratch, &self.path, &text).map_err(|error| CliError::file(&self.path, &error))?;
        self.is_blank = false;
        self.wait = EVERY.max(20 * began.elapsed());
        self.written = Some(Instant::now());
        Ok(())
    }

    /// The sweep is over, and all of it is written and told.
    pub fn end(self) {
        self.remove();
    }

    fn remove(&self) {
        // What stays is a file that says where a sweep stood; going on with it does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What is written down of a sweep.
fn text(asked: &Asked, next: u64, summary: &Summary, files: &[Files]) -> String {
    let found = |(finding, files): (&Finding, &Files)| Found {
        seed: finding.seed,
        property: finding.failure.violation.property().name().to_owned(),
        node: finding.failure.violation.node.map(|node| node.0),
        message: finding.failure.violation.message(),
        violation: Some(json!(finding.failure.violation)),
        step: finding.failure.step,
        time_us: finding.failure.time_us,
        plan: files.plan.file_name().unwrap_or_default().into(),
    };
    let named = summary.counters.named().into_iter();
    let file = File {
        version: VERSION,
        squall: env!("CARGO_PKG_VERSION").to_owned(),
        asked: asked.clone(),
        next,
        runs: summary.runs,
        steps: summary.steps,
        simulated_us: summary.simulated_us,
        cpu_us: summary.cpu.as_micros() as u64,
        wall_us: summary.wall.as_micros() as u64,
        digest: summary.digest,
        double_runs: summary.double_runs,
        variants: summary.variants.clone(),
        counters: named
            .map(|(name, times)| (name.to_owned(), times))
            .collect(),
        findings: summary.findings.iter().zip(files).map(found).collect(),
    };
    serde_json::to_string(&file).expect("a sweep's stand is plain data") + "\n"
}

impl File {
    /// That a sweep can stand there.
    fn check(&self) -> Result<(), String> {
        let Range { start, end } = self.asked.seeds;
        if start >= end {
            return Err(format!("its seeds {start}..{end} hold no seed"));
        }
        if !(start..=end).contains(&self.next) {
            let next = self.next;
            return Err(format!(
                "next is {next}; it must be {start} to {end}, as its seeds are"
            ));
        }
        let done = self.next - start;
        if self.runs != done {
            let runs = self.runs;
            return Err(format!("runs is {runs}, and {done} seeds are done"));
        }
        let numbers = [
            ("steps", self.steps),
            ("simulated_us", self.simulated_us),
            ("cpu_us", self.cpu_us),
            ("wall_us", self.wall_us),
            ("double_runs", self.double_runs),
        ];
        let counters = self
            .counters
            .iter()
            .map(|(name, times)| (name.as_str(), *times));
        let mut large = numbers
            .into_iter()
            .chain(counters)
            .filter(|(_, number)| *number > MOST);
        if let Some((name, number)) = large.next() {
            return Err(format!("{name} is {number}; it must be at most {MOST}"));
        }
        let of_variants = self.variants.iter();
        let of_variants = of_variants.fold([0_u64; 2], |[runs, steps], tally| {
            [
                runs.saturating_add(tally.runs),
                steps.saturating_add(tally.steps),
            ]
        });
        if !self.variants.is_empty() && of_variants != [self.runs, self.steps] {
            let [runs, steps] = of_variants;
            return Err(format!(
                "its variants have {runs} runs and {steps} steps, and all have {} and {}",
                self.runs, self.steps
            ));
        }
        let plain = |found: &&Found| found.plan.components().count() != 1;
        if let Some(found) = self.findings.iter().find(plain) {
            let plan = found.plan.display();
            return Err(format!("plan {plan} must be the name of a file beside it"));
        }
        let outside = |found: &&Found| !(start..self.next).contains(&found.seed);
        match self.findings.iter().find(outside) {
            Some(found) => Err(format!("seed {} of a finding is not done", found.seed)),
            None => Ok(()),
        }
    }
}

impl Found {
    fn failure(&self) -> Result<Failure, String> {
        let property = Property::ALL
            .iter()
            .copied()
            .find(|property| property.name() == self.property);
        let property = property.ok_or_else(|| format!("there is no property {}", self.property))?;
        let fields = match self.violation.clone() {
            None => Map::new(),
            // Of an object that has no such field, this is null.
            Some(whole @ Value::Object(_))
                if whole["property"] != self.property || whole["node"] != json!(self.node) =>
            {
                return Err(self.contradicts(&whole));
            }
            Some(Value::Object(fields)) => fields,
            Some(other) => return Err(self.contradicts(&other)),
        };
        let node = self.node.map(NodeId);
        let violation = Violation::as_written(node, property, self.message.clone(), fields);
        Ok(Failure {
            violation,
            step: self.step,
            time_us: self.time_us,
        })
    }

    fn contradicts(&self, fields: &Value) -> String {
        format!(
            "the finding of seed {} is told as \"{}: {}\", and its fields are {fields}",
            self.seed, self.property, self.message
        )
    }
}

/// Whether a file is where a sweep stands, by its name.
pub fn is_one(path: &Path) -> bool {
    path.to_string_lossy().ends_with(ENDING)
}

/// The unfinished sweeps in a folder.
pub fn all_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| is_one(path));
    found.sort();
    Ok(found)
}

/// What to type to go on with the sweep of that file, or in that folder.
pub fn command(path: &Path) -> String {
    let program = super::program();
    let path = super::quoted(&path.display().to_string());
    format!("{program} sweep --resume {path}")
}

/// The unfinished sweep in a folder.
fn only_one(folder: &Path) -> Result<PathBuf, CliError> {
    let found = all_in(folder)
        .map_err(|error| CliError::Usage(format!("cannot read {}: {error}", folder.display())))?;
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
    let text = serde_json::to_string(profile).expect("a profile is plain data");
    mix_bytes(0, text.as_bytes())
}

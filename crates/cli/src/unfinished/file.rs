//! The file that says where a sweep stands: its form, and what must hold in it. A shard of a sweep
//! leaves a file of the same form when it has ended, from which shards are merged.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::CliError;
use super::Asked;
use squall_core::counters::Counters;
use squall_core::engine::Failure;
use squall_core::fsutil::{read_text, text_of};
use squall_core::ids::NodeId;
use squall_core::invariants::{Property, Violation};
use squall_core::plan::Plan;
use squall_explore::report::Files;
use squall_explore::shard::Shard;
use squall_explore::shard::digests::Digests;
use squall_explore::sweep::{Finding, Leak, Summary, Tally};

/// The version of the file's format. In version 1 a profile's hash was of another form of it.
const VERSION: u32 = 2;

/// No number in it is larger: no sweep comes near, and sums of such numbers are numbers.
const MOST: u64 = 1 << 53;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    version: u32,
    /// The version of this crate: another one may draw other plans from the same seeds.
    squall: String,
    pub asked: Asked,
    pub next: u64,
    pub runs: u64,
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
    /// Of a shard: what it takes to merge it with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<OfShard>,
}

/// What it takes to merge a shard with others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfShard {
    /// A hash of the program, in hexadecimal digits.
    pub build: String,
    /// The command that starts the subject, where that is a process of its own.
    pub command: Option<String>,
    /// Seeds of a portion.
    pub portion: u64,
    /// Whether no more is to come.
    pub is_over: bool,
    leak: Option<TwoRuns>,
    /// Segments of digests that are written.
    segments: u64,
    /// The digests after them.
    digests: String,
}

/// A plan's two runs that differed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TwoRuns {
    seed: u64,
    step: Option<u64>,
    first: String,
    second: String,
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

/// What tells the version of a file, whatever else is in it.
#[derive(Deserialize)]
struct Version {
    version: u32,
    squall: String,
}

/// Why a file does not serve: one line.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// It cannot be read, or contradicts itself.
    #[error("{0}")]
    Damaged(String),
    /// Another version of this program wrote it.
    #[error("{0}")]
    OtherVersion(String),
}

/// A finding as a file has it, and its plan's file.
pub struct Known {
    pub finding: Finding,
    pub plan: PathBuf,
}

impl OfShard {
    /// What there is to say of a shard besides what it adds up to.
    pub fn of(
        build: String,
        command: Option<String>,
        portion: u64,
        leak: Option<&Leak>,
        digests: &Digests,
    ) -> Self {
        Self {
            build,
            command,
            portion,
            is_over: false,
            leak: leak.cloned().map(TwoRuns::from),
            segments: digests.segments(),
            digests: digests.rest(),
        }
    }

    /// The digests of its runs, in files whose names begin so.
    ///
    /// # Errors
    /// One line, when they are damaged.
    pub fn digests(&self, stem: PathBuf) -> Result<Digests, String> {
        Digests::of(stem, self.segments, &self.digests)
    }
}

impl From<Leak> for TwoRuns {
    fn from(leak: Leak) -> Self {
        let Leak {
            seed,
            step,
            first,
            second,
        } = leak;
        Self {
            seed,
            step,
            first,
            second,
        }
    }
}

impl From<TwoRuns> for Leak {
    fn from(runs: TwoRuns) -> Self {
        let TwoRuns {
            seed,
            step,
            first,
            second,
        } = runs;
        Self {
            seed,
            step,
            first,
            second,
        }
    }
}

impl File {
    /// What is written down of a sweep that stands there; `files` are those of its findings.
    pub fn of(
        asked: &Asked,
        next: u64,
        summary: &Summary,
        files: &[Files],
        shard: Option<OfShard>,
    ) -> Self {
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
        Self {
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
            shard,
        }
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a sweep's stand is plain data") + "\n"
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or no sweep of this version can stand there.
    pub fn read(path: &Path) -> Result<Self, Wrong> {
        let damaged = |error: &dyn std::fmt::Display| Wrong::Damaged(error.to_string());
        // Of a sweep with very many findings it is larger than any other file that is read.
        let text = match std::fs::metadata(path) {
            Ok(of_file) if of_file.is_file() => std::fs::read(path).and_then(text_of),
            _ => read_text(path),
        };
        let text = text.map_err(|error| damaged(&error))?;
        let read = serde_json::from_str::<File>(&text);
        // Another version may have other fields, and says so itself.
        let of: Option<Version> = serde_json::from_str(&text).ok();
        if let Some(Version { version, squall }) = of {
            let this = env!("CARGO_PKG_VERSION");
            if version != VERSION {
                return Err(Wrong::OtherVersion(format!(
                    "it is of version {version} of such files, and this build reads version {VERSION}; begin the sweep anew",
                )));
            }
            if squall != this {
                return Err(Wrong::OtherVersion(format!(
                    "squall {squall} wrote it, and this is {this}, which may draw other plans from its seeds",
                )));
            }
        }
        let file = read.map_err(|error| damaged(&error))?;
        file.check().map_err(Wrong::Damaged)?;
        Ok(file)
    }

    /// What it adds up to, but for the findings.
    pub fn summary(&self) -> Summary {
        let counters = self
            .counters
            .iter()
            .map(|(name, times)| (name.as_str(), *times));
        let leak = self.shard.as_ref().and_then(|shard| shard.leak.clone());
        Summary {
            runs: self.runs,
            steps: self.steps,
            simulated_us: self.simulated_us,
            cpu: Duration::from_micros(self.cpu_us),
            wall: Duration::from_micros(self.wall_us),
            digest: self.digest,
            counters: Counters::of_named(counters),
            double_runs: self.double_runs,
            variants: self.variants.clone(),
            leak: leak.map(Leak::from),
            shard: self.asked.shard,
            ..Summary::default()
        }
    }

    /// Its findings, whose plans lie beside the file, which is at `path`. An error of a finding is
    /// that of its plan, or what `wrong` makes of one line.
    pub fn findings<'a>(
        &'a self,
        path: &'a Path,
        wrong: impl Fn(String) -> CliError + 'a,
    ) -> impl Iterator<Item = Result<Known, CliError>> + 'a {
        self.findings.iter().map(move |found| {
            let plan_path = super::super::folder_of(path).join(&found.plan);
            let plan = Plan::read(&plan_path)?;
            let failure = found.failure().map_err(&wrong)?;
            let seed = found.seed;
            let finding = Finding {
                failure,
                plan,
                seed,
            };
            Ok(Known {
                finding,
                plan: plan_path,
            })
        })
    }

    /// The files of its findings' plans, beside the file, which is at `path`.
    pub fn plans(&self, path: &Path) -> Vec<PathBuf> {
        let folder = super::super::folder_of(path);
        let plans = self.findings.iter().map(|found| folder.join(&found.plan));
        plans.collect()
    }

    /// That everything is there, and whole, of which the file of a shard speaks, which is at
    /// `path`.
    ///
    /// # Errors
    /// One line, which says what is damaged.
    pub fn is_whole(&self, path: &Path) -> Result<(), String> {
        if let Some(of_shard) = &self.shard {
            let digests = of_shard.digests(super::stem_of_shard(path))?;
            digests.read().try_for_each(|digest| digest.map(drop))?;
        }
        if self.asked.coverage {
            super::coverage(path, self.runs)?;
        }
        let mut findings = self.findings(path, CliError::Usage);
        findings.try_for_each(|known| known.map(drop).map_err(|error| error.to_string()))
    }

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
        let last = self.check_shard()?;
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
        let too_many = |tally: &&Tally| tally.violations > tally.runs;
        if let Some(tally) = self.variants.iter().find(too_many) {
            let Tally {
                violations, runs, ..
            } = tally;
            return Err(format!(
                "a variant has {violations} violations in {runs} runs"
            ));
        }
        let plain = |found: &&Found| found.plan.components().count() != 1;
        if let Some(found) = self.findings.iter().find(plain) {
            let plan = found.plan.display();
            return Err(format!("plan {plan} must be the name of a file beside it"));
        }
        let outside = |found: &&Found| !(start..last).contains(&found.seed);
        match self.findings.iter().find(outside) {
            Some(found) => Err(format!("seed {} of a finding is not done", found.seed)),
            None => Ok(()),
        }
    }

    /// That its runs are those that it says are done. Returns the end of the seeds that may have
    /// been run.
    fn check_shard(&self) -> Result<u64, String> {
        let (seeds, next, runs) = (&self.asked.seeds, self.next, self.runs);
        let shard = self.asked.shard.unwrap_or(Shard::WHOLE);
        let Some(of_shard) = &self.shard else {
            if self.asked.shard.is_some() {
                return Err(format!(
                    "it is of shard {shard}, and lacks what a shard has"
                ));
            }
            let done = next - seeds.start;
            return match runs == done {
                true => Ok(next),
                false => Err(format!("runs is {runs}, and {done} seeds are done")),
            };
        };
        let portion = of_shard.portion;
        if !(1..=MOST).contains(&portion) {
            return Err(format!("portion is {portion}; it must be 1 to {MOST}"));
        }
        let done = shard.seeds_before(seeds, portion, next);
        // A shard that has ended may have begun one portion more.
        let (most, last) = match of_shard.is_over {
            true => {
                let last = shard.go_to(seeds, portion, next).saturating_add(portion);
                (done.saturating_add(portion), last.min(seeds.end))
            }
            false => (done, next),
        };
        if !(done..=most).contains(&runs) {
            return Err(format!("runs is {runs}, and {done} seeds are done"));
        }
        let digests = of_shard.digests(PathBuf::new())?.count();
        if digests != done {
            return Err(format!(
                "it has {digests} digests, and {done} seeds are done"
            ));
        }
        Ok(last)
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

//! The summary of a sweep as JSON, for programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::{Files, tallies};
use crate::shard::Shard;
use crate::sweep::Summary;
use squall_core::invariants::Violation;
use squall_core::plan::Profile;
use squall_core::registry::RegisteredSubject;

/// A finding as `--json` gives it.
#[derive(Debug, Serialize)]
pub struct JsonViolation<'a> {
    /// The property's name.
    pub property: &'static str,
    /// The plan's seed.
    pub seed: u64,
    /// The step that broke it.
    pub step: u64,
    /// What broke it.
    pub message: String,
    /// The same, as its fields.
    pub violation: &'a Violation,
    /// The plan's file.
    pub plan: PathBuf,
    /// The file of the smaller plan made of it, for the first violation of each property.
    pub shrunk_plan: Option<PathBuf>,
}

/// What a sweep covered, as `--json` gives it.
#[derive(Debug, Serialize)]
pub struct JsonCoverage {
    /// Abstract states that some run was in.
    pub states: u64,
    /// Transitions between them that some run made.
    pub transitions: u64,
}

/// A run that hung, as `--json` gives it.
#[derive(Debug, Serialize)]
pub struct JsonHang {
    /// The plan's seed.
    pub seed: u64,
    /// The step that did not end.
    pub step: u64,
    /// Where it was in that step.
    pub at: String,
}

/// What the runs of one variant of a profile came to, as `--json` gives it.
#[derive(Debug, Serialize)]
pub struct JsonVariant<'a> {
    /// How it is called.
    pub name: &'a str,
    /// Runs done.
    pub runs: u64,
    /// Their steps.
    pub steps: u64,
    /// Those that ended in a violation.
    pub violations: u64,
}

/// A sweep as `--json` gives it.
#[derive(Debug, Serialize)]
pub struct JsonSummary<'a> {
    /// The verdict's name.
    pub verdict: &'static str,
    /// The subject's name.
    pub subject: &'a str,
    /// The profile's name.
    pub profile: &'a str,
    /// The engine's name.
    pub engine: &'static str,
    /// The first seed.
    pub first_seed: u64,
    /// Which part of the sweep of those seeds this is, as `I/N`, where it is not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Runs done.
    pub runs: u64,
    /// Steps of all runs.
    pub steps: u64,
    /// Processor time, in seconds.
    pub cpu_seconds: f64,
    /// Wall time, in seconds.
    pub wall_seconds: f64,
    /// Steps a second of processor time.
    pub steps_per_cpu_second: f64,
    /// Simulated time of all runs, in seconds.
    pub simulated_seconds: f64,
    /// How often each event happened.
    pub sometimes: BTreeMap<&'static str, u64>,
    /// Required events that never happened, or not as often as the profile says.
    pub missing: &'a [String],
    /// Plans run twice, to see that they repeat.
    pub double_runs: u64,
    /// States and transitions covered, where they were taken down.
    pub coverage: Option<JsonCoverage>,
    /// What the runs of each of the profile's variants came to, where it has any.
    pub variants: Vec<JsonVariant<'a>>,
    /// A hash of all runs: 16 hexadecimal digits.
    pub digest: String,
    /// The violations, in the order of their seeds.
    pub violations: Vec<JsonViolation<'a>>,
    /// The run that hung, where one did.
    pub hang: Option<JsonHang>,
}

impl<'a> JsonSummary<'a> {
    /// The JSON form of `summary`; `files` are those of its findings, in their order.
    pub fn new(
        summary: &'a Summary,
        subject: &'a RegisteredSubject,
        profile: &'a Profile,
        first_seed: u64,
        files: &[Files],
    ) -> Self {
        let violations = summary
            .findings
            .iter()
            .zip(files)
            .map(|(finding, files)| JsonViolation {
                property: finding.failure.violation.property().name(),
                seed: finding.seed,
                step: finding.failure.step,
                message: finding.failure.violation.message(),
                violation: &finding.failure.violation,
                plan: files.plan.clone(),
                shrunk_plan: files.shrunk.clone(),
            });
        Self {
            verdict: summary.verdict().name(),
            subject: &subject.name,
            profile: &profile.name,
            engine: subject.engine.name(),
            first_seed,
            shard: summary.shard,
            runs: summary.runs,
            steps: summary.steps,
            cpu_seconds: summary.cpu.as_secs_f64(),
            wall_seconds: summary.wall.as_secs_f64(),
            steps_per_cpu_second: summary.steps_per_cpu_second(),
            simulated_seconds: summary.simulated_us as f64 / 1e6,
            sometimes: summary.counters.named(),
            missing: &summary.missing,
            double_runs: summary.double_runs,
            coverage: summary.coverage.as_ref().map(|map| JsonCoverage {
                states: map.states(),
                transitions: map.transitions(),
            }),
            variants: tallies(summary, profile)
                .map(|(variant, tally)| JsonVariant {
                    name: &variant.label,
                    runs: tally.runs,
                    steps: tally.steps,
                    violations: tally.violations,
                })
                .collect(),
            digest: format!("{:016x}", summary.digest),
            violations: violations.collect(),
            hang: summary.hang.as_ref().map(|hang| JsonHang {
                seed: hang.seed,
                step: hang.step,
                at: hang.at.to_string(),
            }),
        }
    }
}

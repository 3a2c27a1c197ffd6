//! A sweep as an HTML page, and many sweeps as one. Knows no engine: all that is shown is in the
//! [`SweepDocument`]s, which lie beside their pages as `sweep.json`.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::context;
use serde::{Deserialize, Serialize};

use squall_core::counters::Counter;
use squall_explore::report::{group, rounded};

use crate::charts::{Bar, Curve, HEIGHT, WIDTH, bars};
use crate::fill;

/// What [`SweepDocument::format`] says.
pub const SWEEP_FORMAT: &str = "squall-sweep";

/// The version of the document: see [`squall_explore::run_document::VERSION`] for what that means.
pub const SWEEP_VERSION: u32 = 1;

/// The file that a sweep's document is in.
pub const SWEEP_FILE: &str = "sweep.json";

/// The most findings that a page lists.
const MOST_FINDINGS: usize = 500;

/// Events that are shown first, in this order: what elections, logs, faults and clients came to.
const FIRST: [Counter; 20] = [
    Counter::LeaderElected,
    Counter::LeaderChanged,
    Counter::TwoLeadersAtOnce,
    Counter::LeaderSteppedDown,
    Counter::EntryAppended,
    Counter::EntryCommitted,
    Counter::EntryTruncated,
    Counter::CommittedAcrossTerms,
    Counter::CommittedWithoutLeaderDisk,
    Counter::SnapshotTaken,
    Counter::SnapshotInstalled,
    Counter::Configured,
    Counter::Crash,
    Counter::WriteLost,
    Counter::Pause,
    Counter::LinkCut,
    Counter::MessageLost,
    Counter::MessageDuplicated,
    Counter::CommandApplied,
    Counter::ReadConfirmed,
];

/// A sweep, as `sweep.json` has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SweepDocument {
    /// Always [`SWEEP_FORMAT`].
    pub format: String,
    /// Always [`SWEEP_VERSION`].
    pub version: u32,
    /// The version of Squall that made it.
    pub squall: String,
    /// When it began, as `YYYY-MM-DD HH:MM` in UTC.
    pub begun: String,
    /// Whether it has ended.
    pub is_over: bool,
    /// What `squall sweep --json` prints.
    pub summary: serde_json::Value,
    /// How it went, in order of time: not more than some hundred points.
    pub points: Vec<Point>,
    /// Its findings, in the order in which they were found.
    pub findings: Vec<Found>,
}

/// How far a sweep was at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Wall-clock time since it began, in seconds.
    pub seconds: f64,
    /// Runs done.
    pub runs: u64,
    /// Steps made.
    pub steps: u64,
    /// Violations found.
    pub findings: u64,
    /// Abstract states covered, where they are recorded.
    pub states: Option<u64>,
}

/// A violation that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Wall-clock time since the sweep began, in seconds.
    pub seconds: f64,
    /// The plan's seed.
    pub seed: u64,
    /// The property.
    pub property: String,
    /// What broke it.
    pub message: String,
    /// What tells it from other violations of the property: where a panic came from, or how the
    /// rule was broken.
    pub kind: String,
    /// What repeats it.
    pub reproduce: String,
    /// The file of its page, beside the sweep's.
    pub page: Option<String>,
}

impl SweepDocument {
    fn text(&self, name: &str) -> String {
        let value = &self.summary[name];
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    }

    fn number(&self, name: &str) -> f64 {
        self.summary[name].as_f64().unwrap_or_default()
    }

    /// The subject and the profile.
    fn title(&self) -> String {
        format!("{} under {}", self.text("subject"), self.text("profile"))
    }
}

/// What happened how often, as bars by the logarithm: the counts lie orders of magnitude apart.
fn events(document: &SweepDocument) -> (Vec<Bar>, Vec<(String, String)>) {
    let counts = |name: &str| document.summary["sometimes"][name].as_u64().unwrap_or(0);
    let first = bars(FIRST.iter().map(|event| {
        let count = counts(event.name());
        let length = ((count + 1) as f64).log10();
        (event.about().to_owned(), length, group(count))
    }));
    let is_first = |event: &&Counter| FIRST.iter().any(|first| first.name() == event.name());
    let others = Counter::ALL.iter().filter(|event| !is_first(event));
    let others = others
        .filter(|event| counts(event.name()) > 0)
        .map(|event| (event.about().to_owned(), group(counts(event.name()))))
        .collect();
    (first, others)
}

/// Share and yield of each profile.
fn variants(document: &SweepDocument) -> (Vec<Bar>, Vec<Bar>) {
    let all = document.summary["variants"].as_array();
    let all = all.map_or(&[][..], Vec::as_slice);
    let name = |variant: &serde_json::Value| variant["name"].as_str().unwrap_or("").to_owned();
    let number = |variant: &serde_json::Value, of: &str| variant[of].as_f64().unwrap_or(0.0);
    let steps: f64 = all.iter().map(|variant| number(variant, "steps")).sum();
    let shares = bars(all.iter().map(|variant| {
        let share = number(variant, "steps") / steps.max(1.0) * 100.0;
        let runs = group(number(variant, "runs") as u64);
        (
            name(variant),
            share,
            format!("{share:.1} % of the steps, {runs} runs"),
        )
    }));
    let yields = bars(all.iter().map(|variant| {
        let found = number(variant, "violations");
        let rate = found / (number(variant, "steps") / 1e6).max(1e-9);
        let words = format!("{} found, {rate:.2} a million steps", group(found as u64));
        (name(variant), rate, words)
    }));
    (shares, yields)
}

/// A kind of failure with its first finding.
#[derive(Clone, Debug, Serialize)]
struct Kind {
    property: String,
    kind: String,
    count: usize,
    first: Found,
    after: String,
    percent: f64,
}

fn kinds(document: &SweepDocument) -> Vec<Kind> {
    let mut by_kind: BTreeMap<(&str, &str), Vec<&Found>> = BTreeMap::new();
    for found in &document.findings {
        let key = (found.property.as_str(), found.kind.as_str());
        by_kind.entry(key).or_default().push(found);
    }
    let end = document.points.last().map_or(0.0, |point| point.seconds);
    let mut kinds: Vec<Kind> = by_kind
        .into_iter()
        .map(|((property, kind), found)| Kind {
            property: property.to_owned(),
            kind: kind.to_owned(),
            count: found.len(),
            first: with_page(&found),
            after: time(found[0].seconds),
            percent: found[0].seconds / end.max(found[0].seconds).max(1e-9) * 100.0,
        })
        .collect();
    kinds.sort_by(|one, other| one.first.seconds.total_cmp(&other.first.seconds));
    kinds
}

/// The first of them that has a page, or else the first.
fn with_page(found: &[&Found]) -> Found {
    let with = found.iter().find(|found| found.page.is_some());
    (*with.unwrap_or(&found[0])).clone()
}

/// A time in words.
fn time(seconds: f64) -> String {
    match seconds {
        3600.0.. => format!("{:.1} h", seconds / 3600.0),
        60.0.. => format!("{:.1} min", seconds / 60.0),
        _ => format!("{seconds:.2} s"),
    }
}

/// A chart of lines, with the words beside it.
#[derive(Clone, Debug, Serialize)]
struct Chart {
    title: &'static str,
    curve: Curve,
    most_x: String,
    most_y: String,
}

fn charts(document: &SweepDocument) -> Vec<Chart> {
    let curve = |title, of: &dyn Fn(&Point) -> Option<u64>| {
        let points = document.points.iter();
        let points = points.filter_map(|point| Some((point.seconds, of(point)? as f64)));
        let curve = Curve::through(&points.collect::<Vec<_>>())?;
        Some(Chart {
            title,
            most_x: time(curve.most_x),
            most_y: group(curve.most_y as u64),
            curve,
        })
    };
    let all = [
        curve(
            "Abstract states of the cluster that were reached",
            &|point| point.states,
        ),
        curve("Steps", &|point| Some(point.steps)),
        curve("Violations", &|point| Some(point.findings)),
    ];
    all.into_iter().flatten().collect()
}

/// The page of a sweep.
///
/// # Panics
/// Never: the template is ours.
pub fn sweep_html(document: &SweepDocument) -> String {
    let (first_events, other_events) = events(document);
    let (shares, yields) = variants(document);
    let shown = document.findings.len().min(MOST_FINDINGS);
    fill(
        "sweep.html",
        &context! {
            title => document.title(),
            document => document,
            verdict => document.text("verdict"),
            runs => group(document.number("runs") as u64),
            steps => group(document.number("steps") as u64),
            rate => rounded(document.number("steps_per_cpu_second")),
            cpu => time(document.number("cpu_seconds")),
            wall => time(document.number("wall_seconds")),
            kinds => kinds(document),
            findings => &document.findings[..shown],
            left_out => document.findings.len() - shown,
            charts => charts(document),
            width => WIDTH,
            height => HEIGHT,
            shares,
            yields,
            first_events,
            other_events,
            styles => styles(),
        },
    )
}

fn styles() -> String {
    [
        include_str!("../assets/theme.css"),
        include_str!("../assets/charts.css"),
    ]
    .concat()
}

/// A row of the page of many sweeps.
#[derive(Clone, Debug, Serialize)]
struct Night {
    link: String,
    begun: String,
    title: String,
    verdict: String,
    runs: String,
    steps: String,
    findings: usize,
    new: Vec<String>,
    gone: Vec<String>,
}

/// The page of many sweeps: `sweeps` are their documents, each with the address of its page.
/// A failure is new where no earlier sweep of the subject had it, and gone where the sweep before
/// had it and this one has not.
///
/// # Panics
/// Never: the template is ours.
pub fn report_html(sweeps: &[(String, SweepDocument)]) -> String {
    let mut in_order: Vec<&(String, SweepDocument)> = sweeps.iter().collect();
    in_order.sort_by(|one, other| (&one.1.begun, &one.0).cmp(&(&other.1.begun, &other.0)));
    let (mut seen, mut last) = (BTreeMap::new(), BTreeMap::new());
    let mut nights = Vec::new();
    for (link, document) in in_order {
        let kinds: BTreeSet<String> = (document.findings.iter())
            .map(|found| format!("{}: {}", found.property, found.kind))
            .collect();
        let subject = document.text("subject");
        let known: &mut BTreeSet<String> = seen.entry(subject).or_default();
        // What a sweep that is not over has not found is not gone.
        let before: Option<BTreeSet<String>> = match document.is_over {
            true => last.insert(document.title(), kinds.clone()),
            false => None,
        };
        nights.push(Night {
            link: link.clone(),
            begun: document.begun.clone(),
            title: document.title(),
            verdict: match document.is_over {
                true => document.text("verdict"),
                false => "not over".to_owned(),
            },
            runs: group(document.number("runs") as u64),
            steps: group(document.number("steps") as u64),
            findings: document.findings.len(),
            new: kinds.difference(known).cloned().collect(),
            gone: before
                .map(|before| before.difference(&kinds).cloned().collect())
                .unwrap_or_default(),
        });
        known.extend(kinds);
    }
    let trend = |title, of: &dyn Fn(&SweepDocument) -> f64| {
        let bars = bars(sweeps_by_time(sweeps).map(|document| {
            let value = of(document);
            let label = format!("{} {}", document.begun, document.title());
            (label, value, group(value as u64))
        }));
        context! { title => title, bars => bars }
    };
    let trends = vec![
        trend("Steps", &|document| document.number("steps")),
        trend("Steps a second of processor time", &|document| {
            document.number("steps_per_cpu_second")
        }),
        trend("Violations", &|document| document.findings.len() as f64),
    ];
    nights.reverse();
    fill(
        "report.html",
        &context! { nights => nights, trends => trends, styles => styles() },
    )
}

/// The documents from the oldest on.
fn sweeps_by_time(sweeps: &[(String, SweepDocument)]) -> impl Iterator<Item = &SweepDocument> {
    let mut documents: Vec<&SweepDocument> = sweeps.iter().map(|(_, document)| document).collect();
    documents.sort_by(|one, other| one.begun.cmp(&other.begun));
    documents.into_iter()
}

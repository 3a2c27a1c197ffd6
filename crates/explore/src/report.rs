//! What a person reads: the page of a failure, the summary of a sweep, and the
//! same as JSON. Decides nothing; everything here is a function of an outcome.

mod json;
mod markdown;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub use json::{JsonCoverage, JsonHang, JsonSummary, JsonVariant, JsonViolation};
pub use markdown::{Swept, markdown};

use crate::explain::CausalTrace;
use crate::shrink::{Ended, Shrunk, Size};
use crate::sweep::{Leak, RUNS_FOR_REQUIRED, Summary, Tally, USUAL_CAUSES, Verdict};
use squall_core::counters::Counter;
use squall_core::engine::{Line, Observer, Outcome, node_table};
use squall_core::ids::{NodeId, node_list};
use squall_core::options::Feature;
use squall_core::plan::{Asked, Heal, Plan, Profile, Variant};
use squall_core::registry::RegisteredSubject;
use squall_core::text::{WIDTH, indented, seconds};

/// The most operations of clients that a failure's page lists.
const MOST_OPERATIONS: usize = 12;

/// Carries `plan` out once more and writes the page of its failure; none when it
/// does not fail. `path` is where the plan lies, `html` the line that says where its HTML page is,
/// or nothing, `command` what reproduces it.
pub fn failure(
    subject: &RegisteredSubject,
    plan: &Plan,
    path: &Path,
    html: &str,
    command: &str,
) -> Option<String> {
    let (outcome, causes) = watched(subject, plan);
    page(plan, &outcome, &causes, path, html, command)
}

/// Carries `plan` out, and keeps what its explanation needs.
pub fn watched(subject: &RegisteredSubject, plan: &Plan) -> (Outcome, CausalTrace) {
    let mut causes = CausalTrace::default();
    let mut keep = |line: Line| causes.add(line);
    let watch = Observer {
        lines: Some(&mut keep),
        ..Observer::default()
    };
    let outcome = subject.runner.run(plan, watch);
    (outcome, causes)
}

/// A run explained, for people who have never seen it: what it was, how its violation came
/// about, or what happened in it when it was clean. `command` repeats it.
pub fn explanation(plan: &Plan, outcome: &Outcome, causes: &CausalTrace, command: &str) -> String {
    let Plan { cluster, .. } = plan;
    let mut parts = vec![many(cluster.voters.into(), "voter")];
    for (number, what) in [
        (cluster.learners, "learner"),
        (cluster.spares, "spare node"),
    ] {
        if number > 0 {
            parts.push(many(number.into(), what));
        }
    }
    parts.push(many(plan.faults.len() as u64, "fault"));
    if let Some(script) = &plan.script {
        parts.push(many(script.len() as u64, "client operation"));
    }
    let mut text = format!("{}: {}\n\n", plan.subject, parts.join(", "));
    for line in causes.tell(plan, outcome) {
        let _ = writeln!(text, "{line}");
    }
    let _ = match &outcome.failure {
        Some(failure) => {
            let rule = format!("the rule: {}", failure.violation.property().about());
            let words = lost_disks(outcome).into_iter().chain([rule]);
            let lines: Vec<String> = words
                .flat_map(|words| indented("", &words, 2, WIDTH))
                .collect();
            writeln!(
                text,
                "\nVIOLATION {}\n{}\n  reproduce  {command}",
                failure.violation,
                lines.join("\n")
            )
        }
        None => {
            let end = match outcome.counters.get(Counter::ConvergenceNotJudged) {
                0 => "the cluster converged",
                _ => {
                    "a change that was under way needs nodes that are gone, so it need not converge"
                }
            };
            writeln!(
                text,
                "\nclean: {} steps, {} of simulated time; {end}",
                group(outcome.steps),
                seconds(outcome.time_us)
            )
        }
    };
    text
}

/// The page of a failure that ended in `outcome`, with its explanation.
pub fn page(
    plan: &Plan,
    outcome: &Outcome,
    causes: &CausalTrace,
    path: &Path,
    html: &str,
    command: &str,
) -> Option<String> {
    let failure = outcome.failure.as_ref()?;
    let mut page = String::new();
    let mut add = |line: &str| {
        page.push_str(line);
        page.push('\n');
    };
    add(&format!("VIOLATION {}", failure.violation));
    add(&format!(
        "  at step {}, simulated time {}",
        failure.step,
        seconds(failure.time_us)
    ));
    let question = failure.violation.ask_first();
    let ask_first = question.map(|it| format!("if the adapter is yours, ask first: {it}"));
    if let Some(words) = lost_disks(outcome).or(ask_first) {
        for line in indented("", &words, 2, WIDTH) {
            add(&line);
        }
    }
    let panic = failure.violation.panic();
    if let Some(printed) = panic.and_then(|panic| panic.printed.as_deref()) {
        add("  its process had printed");
        for line in printed.lines() {
            add(&format!("    {line}"));
        }
    }
    add("");
    add(&node_table(&outcome.nodes));
    if !plan.driver.own.is_empty() {
        add("");
        add("options that the subject has of its own");
        for (name, value) in &plan.driver.own {
            add(&format!("  {name} = {value}"));
        }
    }
    add("");
    add(&format!(
        "faults of the plan ({}), until the storm ends at {}",
        plan.faults.len(),
        seconds(plan.heal_us)
    ));
    let mut faults: Vec<_> = plan.faults.iter().collect();
    faults.sort_by_key(|fault| match fault.when {
        squall_core::plan::When::AtUs(at_us) => at_us,
        _ => u64::MAX,
    });
    let script = plan.script.as_deref().unwrap_or_default();
    let faults = faults.into_iter().map(ToString::to_string);
    let schedule = plan.schedule.iter().map(ToString::to_string);
    let told = |asked: &Asked| match causes.words_of(asked) {
        Some(words) => asked.in_words(words),
        None => asked.to_string(),
    };
    let asked = script.iter().take(MOST_OPERATIONS).map(told);
    for words in faults.chain(schedule).chain(asked) {
        for line in indented("", &words, 2, WIDTH) {
            add(&line);
        }
    }
    if script.len() > MOST_OPERATIONS {
        let more = script.len() - MOST_OPERATIONS;
        add(&format!("  and {more} more operations of clients"));
    }
    match &plan.heal {
        Heal::Everyone => add("  then everyone is healed"),
        Heal::Quorum(members) => add(&format!("  then only {} are healed", node_list(members))),
    }
    add("");
    add("causal trace");
    for line in causes.tell(plan, outcome) {
        add(&line);
    }
    add("");
    // A page is longer than a terminal is high, and its end is what is seen.
    add(&format!("broken     {}", failure.violation));
    if !outcome.members_without_disk.is_empty() {
        add("cause      a lost disk (above): this tells nothing against the library");
    }
    add(&format!("plan       {}", path.display()));
    html.lines().for_each(&mut add);
    add(&format!("reproduce  {command}"));
    Some(page)
}

/// That members have lost their disks, where some have, and what follows from that.
fn lost_disks(outcome: &Outcome) -> Option<String> {
    let nodes: BTreeSet<NodeId> = outcome.members_without_disk.iter().copied().collect();
    let nodes: Vec<NodeId> = nodes.into_iter().collect();
    let (disks, came) = match nodes.len() {
        0 => return None,
        1 => ("its disk", "came back empty under its id"),
        _ => ("their disks", "came back empty under their ids"),
    };
    Some(format!(
        "{nodes} lost {disks} and {came}, without the votes and entries that others count on; Raft \
         does not survive that (Raft paper, figure 2), so this tells nothing against the library: \
         replace-disk is how a disk is replaced",
        nodes = node_list(&nodes),
    ))
}

/// The result of a shrinker, for people.
pub fn shrunk(shrunk: &Shrunk) -> String {
    let mut text = format!(
        "{:<9} {}\n{:<9} {}\n",
        "from",
        size(&shrunk.before),
        "to",
        size(&shrunk.after)
    );
    let why = match shrunk.ended {
        Ended::Smallest => "nothing simpler fails in the same way",
        Ended::OutOfTime => "time is up, so there may be a smaller one",
        Ended::Interrupted => "interrupted, so there may be a smaller one",
    };
    let _ = writeln!(
        text,
        "{:<9} {} runs, {:.1} s of processor time; {why}",
        "after",
        group(shrunk.runs),
        shrunk.cpu.as_secs_f64()
    );
    text
}

/// What each pass of a shrinker tried, for people.
pub fn passes(shrunk: &Shrunk) -> String {
    let mut text = String::new();
    for tried in &shrunk.tried {
        let _ = writeln!(
            text,
            "  {:<22} {:>7} tried, {:>5} kept",
            tried.pass,
            group(tried.runs),
            group(tried.kept)
        );
    }
    text
}

/// The size of a plan, in words.
pub fn size(size: &Size) -> String {
    format!(
        "{}, {}, {}, {}, {}",
        many(size.faults as u64, "fault"),
        many(size.operations as u64, "client operation"),
        many(size.nodes as u64, "node"),
        many(size.steps, "step"),
        seconds(size.time_us)
    )
}

/// A number of things, in words: `1 fault`, `2 faults`.
#[doc(hidden)]
pub fn many(number: u64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {what}{s}", group(number))
}

/// The files of a finding.
#[derive(Clone, Debug)]
pub struct Files {
    /// Its plan's.
    pub plan: PathBuf,
    /// That of the smaller plan made of it, where one was.
    pub shrunk: Option<PathBuf>,
}

/// The variants of the profile that runs drew from, and what these runs came to.
pub(super) fn tallies<'a>(
    summary: &'a Summary,
    profile: &'a Profile,
) -> impl Iterator<Item = (&'a Variant, &'a Tally)> {
    let both = profile.variants.iter().zip(&summary.variants);
    both.filter(|(_, tally)| tally.runs > 0)
}

/// What clients asked for, and the share of attempts that nobody answered in time: a driver that
/// leaves its clients waiting shows here before it shows anywhere else.
fn clients(summary: &Summary) -> String {
    let all = |events: &[Counter]| -> u64 {
        events
            .iter()
            .map(|event| summary.counters.get(*event))
            .sum()
    };
    let asked = all(&[Counter::CommandSent, Counter::ReadSent]);
    let again = all(&[Counter::CommandRetried, Counter::ReadRetried]);
    let late = summary.counters.get(Counter::CommandTimedOut);
    let share = 100.0 * late as f64 / (asked + again).max(1) as f64;
    let requests = if asked == 1 { "request" } else { "requests" };
    format!(
        "{} {requests}, {} sent again, {share:.1} % not answered in time",
        group(asked),
        group(again)
    )
}

/// How many runs each variant had, the most first, and how many of them ended in a violation.
fn variants(summary: &Summary, profile: &Profile) -> Option<String> {
    let mut all: Vec<_> = tallies(summary, profile).collect();
    all.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.runs));
    let words = all.iter().map(|(variant, tally)| {
        let Variant { label, .. } = variant;
        let mut words = format!("{label} {}", group(tally.runs));
        if tally.violations > 0 {
            let _ = write!(words, " ({})", many(tally.violations, "violation"));
        }
        words
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// The summary of a sweep, for people: a few lines, the last of which is the verdict.
///
/// `supports` is what the subject has: the features that plans left out are counted where they are
/// many, or each named where the summary is to be `verbose`.
pub fn summary(summary: &Summary, swept: Swept<'_>, supports: &[Feature], verbose: bool) -> String {
    let Swept {
        subject, profile, ..
    } = swept;
    let count = |event| group(summary.counters.get(event));
    let of = |event, one: &str, more: &str| {
        let what = if summary.counters.get(event) == 1 {
            one
        } else {
            more
        };
        format!("{} {what}", count(event))
    };
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        for line in indented(&format!("  {name}"), &value, 13, WIDTH) {
            let _ = writeln!(text, "{line}");
        }
    };
    row(
        "runs",
        format!(
            "{} of {subject} with profile {}, {} of them twice{}",
            group(summary.runs),
            profile.name,
            group(summary.double_runs),
            (summary.shard).map_or(String::new(), |shard| format!("; shard {shard}"))
        ),
    );
    row(
        "steps",
        format!(
            "{}, {} a second of processor time",
            group(summary.steps),
            rounded(summary.steps_per_cpu_second())
        ),
    );
    row(
        "time",
        format!(
            "{} s simulated in {:.1} s",
            group(summary.simulated_us / 1_000_000),
            summary.wall.as_secs_f64()
        ),
    );
    row(
        "elections",
        format!(
            "{} begun, {}",
            count(Counter::ElectionStarted),
            of(Counter::LeaderElected, "leader elected", "leaders elected")
        ),
    );
    row(
        "log",
        format!(
            "{}, {}",
            of(
                Counter::EntryCommitted,
                "entry committed",
                "entries committed"
            ),
            of(
                Counter::SnapshotInstalled,
                "snapshot installed",
                "snapshots installed"
            )
        ),
    );
    row("clients", clients(summary));
    row(
        "nodes",
        format!(
            "{}, {}, {}",
            of(Counter::Crash, "crash", "crashes"),
            of(Counter::Pause, "pause", "pauses"),
            of(
                Counter::Halt,
                "node stopped by itself",
                "nodes stopped by themselves"
            )
        ),
    );
    row(
        "links",
        format!(
            "{}, {} of {} messages lost",
            of(Counter::LinkCut, "cut", "cuts"),
            count(Counter::MessageLost),
            count(Counter::MessageSent)
        ),
    );
    if let Some(words) = variants(summary, profile) {
        row("variants", words);
    }
    if let Some(map) = &summary.coverage {
        let (states, transitions) = (group(map.states()), group(map.transitions()));
        row(
            "covered",
            format!("{states} abstract states, {transitions} transitions"),
        );
    }
    let missing = Feature::missing_from(supports).count();
    match left_out(supports) {
        Some(_) if missing > FEW_FEATURES && !verbose => {
            let all = Feature::ALL.len();
            row(
                "left out",
                format!("{missing} of {all} features (-v lists them)"),
            );
        }
        Some(words) => row("left out", words),
        None => {}
    }
    let _ = write!(text, "{}", verdict(summary));
    text
}

/// Up to this many features that are left out are named in any summary.
const FEW_FEATURES: usize = 8;

/// The features that plans leave out for a subject that supports these, by their names; none where
/// it supports all.
pub fn left_out(supports: &[Feature]) -> Option<String> {
    let names: Vec<&str> = Feature::missing_from(supports).map(Feature::name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// How often each event happened in a sweep, in two columns. Those that never did are left out.
pub fn events(summary: &Summary) -> String {
    let events: Vec<String> = Counter::ALL
        .iter()
        .filter(|event| summary.counters.get(**event) > 0)
        .map(|event| {
            let count = group(summary.counters.get(*event));
            // A column has 38 places.
            let room = 37_usize.saturating_sub(event.name().len());
            format!("{} {count:>room$}", event.name())
        })
        .collect();
    let mut text = String::from("what happened, and how often\n");
    let half = events.len().div_ceil(2);
    for (number, left) in events[..half].iter().enumerate() {
        let right = events.get(half + number).map_or("", String::as_str);
        let _ = writeln!(text, "  {}", format!("{left}  {right}").trim_end());
    }
    text
}

/// A number in two digits or three, as `1.4 M`.
#[doc(hidden)]
pub fn rounded(number: f64) -> String {
    match number {
        1e6.. => format!("{:.1} M", number / 1e6),
        1e3.. => format!("{:.0} k", number / 1e3),
        _ => format!("{number:.0}"),
    }
}

/// The verdict of a sweep, for people: one line.
pub fn verdict(summary: &Summary) -> String {
    let runs = many(summary.runs, "run");
    match summary.verdict() {
        Verdict::Clean if summary.shard.is_some() => format!(
            "clean: no violation in {runs} of this shard (required events are demanded of all shards together)\n"
        ),
        Verdict::Clean if summary.runs < RUNS_FOR_REQUIRED => format!(
            "clean: no violation in {runs} ({} are needed to demand required events)\n",
            group(RUNS_FOR_REQUIRED)
        ),
        Verdict::Clean => {
            format!("clean: no violation in {runs}, and every required event happened\n")
        }
        Verdict::Interrupted => format!("interrupted: no violation in the {runs} so far\n"),
        Verdict::Hung => {
            format!("hung: no violation in the {runs} so far, and then one that does not end\n")
        }
        Verdict::Incomplete => format!(
            "incomplete: no violation in {runs}, but what the profile requires did not happen, or not as often: {}\n",
            summary.missing.join(", ")
        ),
        Verdict::Violation => {
            let mut properties = BTreeMap::<&str, u64>::new();
            for finding in &summary.findings {
                *properties
                    .entry(finding.failure.violation.property().name())
                    .or_default() += 1;
            }
            let list: Vec<String> = properties
                .iter()
                .map(|(name, times)| format!("{name} in {times}"))
                .collect();
            format!(
                "violation: {} of {runs} failed ({})\n",
                group(summary.findings.len() as u64),
                list.join(", ")
            )
        }
        Verdict::Nondeterministic => {
            let leak = summary
                .leak
                .as_ref()
                .expect("that is what this verdict says");
            format!("nondeterministic: {}", self::leak(leak))
        }
    }
}

/// A leak in words: where two runs part, both sides of it, and what it comes from.
pub fn leak(leak: &Leak) -> String {
    let seed = leak.seed;
    let differ = match leak.step {
        Some(step) => format!("two runs of seed {seed} differ first at step {step}:"),
        None => format!(
            "two runs of seed {seed} were not the same, and others of it were; they ended in"
        ),
    };
    format!(
        "{differ}\n  once:  {}\n  again: {}\nNothing that was found or not found is certain until that is mended. {USUAL_CAUSES}\nWhere the subject is one that comes with Squall, please report it.\n",
        leak.first, leak.second
    )
}

/// A number with its digits in groups of three: `1,234,567`.
#[doc(hidden)]
pub fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::group;

    #[test]
    fn digits_are_grouped_by_three() {
        let grouped = [0, 999, 1_000, 1_234_567].map(group);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }
}

//! `squall diff`: where two runs first differ.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use squall_core::engine::{Happened, Line, Observer, Outcome};
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry};

use super::artifact::{check_own, subject_for};
use super::chosen::On;
use super::{CliError, say};

/// Lines of the first step that differs which are shown of each run.
const MOST_LINES: usize = 12;

/// Differences between the plans that are listed.
const MOST_DIFFERENCES: usize = 40;

#[derive(Debug, Args)]
pub struct Options {
    /// The first plan's file.
    #[arg(value_name = "A.json")]
    a: PathBuf,
    /// The second plan's file.
    #[arg(value_name = "B.json")]
    b: PathBuf,
    #[command(flatten)]
    on: On,
}

pub fn run(subjects: &Registry, options: &Options) -> Result<u8, CliError> {
    let engine = subjects.engine(&options.on.engine)?;
    let mut plans = [Plan::read(&options.a)?, Plan::read(&options.b)?];
    let named = options.on.subject.as_deref();
    let on = plans.each_mut().map(|plan| {
        let subject = subject_for(subjects, named, plan)?;
        Ok(subject.on(engine))
    });
    let [on_a, on_b]: [Result<_, CliError>; 2] = on;
    let [a, b] = &plans;
    for (path, plan) in [(&options.a, a), (&options.b, b)] {
        check_own(subjects, &plan.subject, path, plan)?;
    }
    let mut text = String::new();
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    add(&format!("A  {}", heading(&options.a, a)));
    add(&format!("B  {}", heading(&options.b, b)));
    let differences = differences(a, b);
    add("");
    match differences.is_empty() {
        true => add("the plans are equal"),
        false => add("the plans differ"),
    }
    for line in differences.iter().take(MOST_DIFFERENCES) {
        add(&format!("  {line}"));
    }
    if let more @ 1.. = differences.len().saturating_sub(MOST_DIFFERENCES) {
        add(&format!("  and in {more} places more"));
    }
    let runs = [lines_of(&on_a?, a), lines_of(&on_b?, b)];
    let parting = parting(&runs[0].0, &runs[1].0);
    add("");
    match parting {
        None => add("the runs are equal, line by line"),
        Some(place) => {
            let common = place.checked_sub(1).map(|last| &runs[0].0[last]);
            match common {
                Some(line) => {
                    add(&format!("the runs are equal for {place} lines, up to"));
                    add(&format!("  {line}"));
                }
                None => add("the runs differ from the start"),
            }
            for (name, (lines, _)) in ["A", "B"].iter().zip(&runs) {
                add("");
                add(&format!("then {name}"));
                for line in rest_of_step(lines, place) {
                    add(&format!("  {line}"));
                }
            }
        }
    }
    add("");
    for (name, (_, outcome)) in ["A", "B"].iter().zip(&runs) {
        add(&format!("{name} ends  {}", ending(outcome)));
    }
    say(&text)?;
    Ok(u8::from(parting.is_some()))
}

fn heading(path: &Path, plan: &Plan) -> String {
    format!(
        "{}: {} with seed {}, {}",
        path.display(),
        plan.subject,
        plan.seed,
        squall_explore::report::many(plan.faults.len() as u64, "fault")
    )
}

fn ending(outcome: &Outcome) -> String {
    match &outcome.failure {
        Some(failure) => format!("VIOLATION {failure}"),
        None => format!(
            "clean: {} steps, {} of simulated time",
            outcome.steps,
            squall_core::text::seconds(outcome.time_us)
        ),
    }
}

fn lines_of(subject: &RegisteredSubject, plan: &Plan) -> (Vec<Line>, Outcome) {
    let mut lines = Vec::new();
    let mut keep = |line: Line| lines.push(line);
    let watch = Observer {
        lines: Some(&mut keep),
        ..Observer::default()
    };
    let outcome = subject.runner.run(plan, watch);
    (lines, outcome)
}

/// The first place at which the runs say something else.
fn parting(a: &[Line], b: &[Line]) -> Option<usize> {
    let same = |(a, b): &(&Line, &Line)| {
        (a.time_us, a.step, a.node, &a.text) == (b.time_us, b.step, b.node, &b.text)
    };
    let common = a.iter().zip(b).take_while(same).count();
    (common < a.len() || common < b.len()).then_some(common)
}

/// What is left, from `place` on, of the step there, and at least what begins the next.
fn rest_of_step(lines: &[Line], place: usize) -> Vec<String> {
    let rest = &lines[place..];
    let Some(first) = rest.first() else {
        return vec!["nothing more happens".to_owned()];
    };
    let here = |line: &&Line| line.step == first.step && !matches!(line.event, Happened::Library);
    let mut shown: Vec<String> = rest
        .iter()
        .take_while(here)
        .map(ToString::to_string)
        .collect();
    if let more @ 1.. = shown.len().saturating_sub(MOST_LINES) {
        shown.truncate(MOST_LINES);
        shown.push(format!("and {more} lines more in this step"));
    }
    shown
}

/// What the plans do not have in common, in words: faults and operations as lists, the rest by
/// name.
fn differences(a: &Plan, b: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    let values = [a, b].map(|plan| {
        let mut plan = plan.clone();
        plan.faults.clear();
        plan.script = plan.script.map(|_| Vec::new());
        Value::Object(plan.to_fields())
    });
    walk("", &values[0], &values[1], &mut found);
    let faults = [a, b].map(|plan| plan.faults.iter().map(ToString::to_string).collect());
    lists(&faults, &mut found);
    let scripts = [a, b].map(|plan| {
        let asked = plan.script.iter().flatten();
        asked.map(ToString::to_string).collect()
    });
    lists(&scripts, &mut found);
    found
}

fn walk(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let null = &Value::Null;
                let (a, b) = (a.get(key).unwrap_or(null), b.get(key).unwrap_or(null));
                walk(&below(key), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}[{place}]"), a, b, found);
            }
        }
        _ if a == b => {}
        // A list of operations or none: what is in it is told below.
        _ if path == "script" => {
            let how = |value: &Value| if value.is_null() { "drawn" } else { "listed" };
            found.push(format!("clients: {} in A, {} in B", how(a), how(b)));
        }
        _ => found.push(format!("{path}: {a} in A, {b} in B")),
    }
}

/// What one list has more often than the other.
fn lists(texts: &[Vec<String>; 2], found: &mut Vec<String>) {
    for (name, mine, others) in [("A", &texts[0], &texts[1]), ("B", &texts[1], &texts[0])] {
        let mut others: Vec<&String> = others.iter().collect();
        for text in mine {
            match others.iter().position(|other| *other == text) {
                Some(place) => drop(others.swap_remove(place)),
                None => found.push(format!("only {name}: {text}")),
            }
        }
    }
}

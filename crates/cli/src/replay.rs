//! `squall replay`: one plan again, from its file or its seed; or all plans of a folder.

mod narrow;

use std::path::{Path, PathBuf};

use clap::Args;

use squall_core::engine::{Engine, Line, Observer, Outcome};
use squall_core::ids::NodeId;
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::explain::CausalTrace;
use squall_explore::report;
use squall_explore::run_document::RunDocument;

use narrow::{Around, Narrow};

use super::artifact::{check_own, subject_for};
use super::chosen::{Chosen, OnePlan};
use super::page::{DEFAULT_OUT, Pages};
use super::{CliError, Manner, say, unfinished};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    one: OnePlan,
    #[command(flatten)]
    pages: Pages,
    /// Print everything that happens, and the library's own log, as it happens.
    #[arg(long)]
    trace: bool,
    /// Print only the library's own log, in simulated time.
    #[arg(long, conflicts_with = "trace")]
    log: bool,
    /// End after this step.
    #[arg(long, value_name = "STEP")]
    until: Option<u64>,
    /// Print only what happens at this node, and faults; e.g. 2 or n2.
    #[arg(long, value_name = "NODE", value_parser = narrow::node)]
    node: Option<NodeId>,
    /// Print only the steps around this one: `violation`, or a step's number.
    #[arg(long, value_name = "violation|STEP", value_parser = narrow::around)]
    around: Option<Around>,
    /// With --around: how many steps before and after.
    #[arg(long, value_name = "STEPS", default_value_t = 20, requires = "around")]
    context: u64,
    /// Print the whole run as one JSON document, and nothing else: docs/run.schema.json says what
    /// is in it.
    #[arg(long, conflicts_with_all = ["trace", "log", "node", "around", "break_at"])]
    json: bool,
    /// Call squall_break just before this step's input goes into the node, for a debugger's
    /// breakpoint on squall_break. The run has one thread, and catches no signal.
    #[arg(long, value_name = "STEP")]
    break_at: Option<u64>,
}

pub fn run(subjects: &Registry, options: &Options, manner: Manner) -> Result<u8, CliError> {
    let file = options.one.plan.as_deref();
    if let Some(folder) = file.filter(|path| path.is_dir()) {
        if options.json {
            return Err(CliError::Usage(format!(
                "--json is for one plan, and {} is a folder",
                folder.display()
            )));
        }
        return all_of(subjects, options, folder, manner);
    }
    let chosen = options.one.choose(subjects)?;
    let (plan, subject) = (&chosen.plan, &chosen.subject);
    if let Some(node) = options.node.filter(|node| node.0 > plan.cluster.nodes()) {
        return Err(CliError::Usage(format!(
            "there is no {node} in this plan; legal: n1 to n{}",
            plan.cluster.nodes()
        )));
    }
    if options.json {
        return whole_run(&chosen, options.until);
    }
    // The seed in the name of a file is that which was swept: a smaller plan may have another.
    let drawn = match chosen.file {
        Some(_) => String::new(),
        None => format!(" with seed {}", plan.seed),
    };
    if !manner.quiet {
        say(&format!(
            "replaying {}{drawn}, {}, {}\n\n",
            plan.subject,
            report::many(plan.cluster.voters.into(), "node"),
            report::many(plan.faults.len() as u64, "fault")
        ))?;
    }
    let mut narrow = Narrow {
        everything: options.trace || manner.verbose,
        log: options.log,
        node: options.node,
        around: options
            .around
            .map(|around| steps_around(around, options.context, subject, plan)),
    };
    // Whoever narrows a trace wants one.
    narrow.everything |=
        options.until.is_some() || narrow.node.is_some() || narrow.around.is_some();
    narrow.everything &= !options.log;
    let mut output = Ok(());
    let mut printed = false;
    let mut causes = CausalTrace::default();
    let mut line = |line: Line| {
        if narrow.shows(&line) && output.is_ok() {
            output = say(&format!("{line}\n"));
            printed = true;
        }
        if line.begins(options.break_at) {
            squall_break(line.step);
        }
        causes.add(line);
    };
    let watch = Observer {
        lines: Some(&mut line),
        library_log: options.trace || manner.verbose || options.log || narrow.around.is_some(),
        most_steps: options.until,
        ..Observer::default()
    };
    let outcome = subject.runner.run(plan, watch);
    output?;
    if printed {
        say("\n")?;
    }
    if let Some(step) = options.break_at.filter(|step| *step > outcome.steps) {
        let steps = report::group(outcome.steps);
        say(&format!("step {step} was not reached: there are {steps}\n"))?;
    }
    let html = match outcome.failure {
        Some(_) if options.until.is_none() => {
            (options.pages).line(subject, plan, &html_of(&chosen), &chosen.command)
        }
        _ => String::new(),
    };
    let (place, command) = (chosen.place(), &chosen.command);
    match report::page(plan, &outcome, &causes, place, &html, command) {
        Some(page) => {
            say(&page)?;
            Ok(1)
        }
        None => {
            if !manner.quiet {
                say(&ending(&outcome, options.until))?;
            }
            Ok(0)
        }
    }
}

/// Where the HTML page of a failure goes: the plan may lie among what is kept.
fn html_of(chosen: &Chosen) -> PathBuf {
    let mut name = match &chosen.file {
        Some(file) => file.file_stem().unwrap_or_default().to_owned(),
        None => format!("seed-{}", chosen.plan.seed).into(),
    };
    name.push(".html");
    Path::new(DEFAULT_OUT).join(name)
}

/// Prints the run as one document.
fn whole_run(chosen: &Chosen, most_steps: Option<u64>) -> Result<u8, CliError> {
    let Chosen {
        plan,
        subject,
        command,
        ..
    } = chosen;
    let (document, outcome) = RunDocument::of_run(subject, plan, command, most_steps);
    let mut text =
        serde_json::to_string(&document).map_err(|error| CliError::Usage(error.to_string()))?;
    text.push('\n');
    say(&text)?;
    Ok(outcome.failure.is_some().into())
}

fn ending(outcome: &Outcome, until: Option<u64>) -> String {
    match until.filter(|until| outcome.steps >= *until) {
        Some(_) => format!(
            "ended after step {} as asked, at {}: no violation so far\n",
            outcome.steps,
            squall_core::text::seconds(outcome.time_us)
        ),
        None => format!(
            "clean: {} steps, {} of simulated time, digest {:016x}\n",
            report::group(outcome.steps),
            squall_core::text::seconds(outcome.time_us),
            outcome.digest
        ),
    }
}

/// The first and the last step to be shown. To find the violation, the plan is run once
/// more.
fn steps_around(
    around: Around,
    context: u64,
    subject: &RegisteredSubject,
    plan: &Plan,
) -> (u64, u64) {
    let step = match around {
        Around::Step(step) => step,
        Around::Violation => {
            let outcome = subject.runner.run(plan, Observer::default());
            outcome
                .failure
                .map_or(outcome.steps, |failure| failure.step)
        }
    };
    (step.saturating_sub(context), step.saturating_add(context))
}

/// Replays every plan of a folder, one line each. The exit status is the worst of them all.
fn all_of(
    subjects: &Registry,
    options: &Options,
    folder: &Path,
    manner: Manner,
) -> Result<u8, CliError> {
    let engine = subjects.engine(&options.one.on.engine)?;
    let unreadable = |error: std::io::Error| {
        CliError::Usage(format!("cannot read {}: {error}", folder.display()))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_plan = path.extension().is_some_and(|ending| ending == "json");
        // Where a sweep stands is no plan.
        if is_plan && !unfinished::is_one(&path) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(CliError::Usage(format!(
            "there is no plan in {}; a plan's file ends in .json",
            folder.display()
        )));
    }
    let mut worst = 0;
    for path in files {
        let name = path.display();
        let (status, words) = match one_of(subjects, options, engine, &path) {
            Ok(outcome) => match &outcome.failure {
                Some(failure) => (1, format!("VIOLATION {failure}")),
                None => (0, format!("clean: {} steps", report::group(outcome.steps))),
            },
            Err(error) => (2, error.to_string()),
        };
        worst = worst.max(status);
        if status > 0 || !manner.quiet {
            say(&format!("{name}  {words}\n"))?;
        }
    }
    Ok(worst)
}

fn one_of(
    subjects: &Registry,
    options: &Options,
    engine: Engine,
    path: &Path,
) -> Result<Outcome, CliError> {
    let mut plan = Plan::read(path)?;
    let named = options.one.on.subject.as_deref();
    let subject = subject_for(subjects, named, &mut plan)?.on(engine);
    check_own(subjects, &plan.subject, path, &plan)?;
    Ok(subject.runner.run(&plan, Observer::default()))
}

/// Does nothing. A debugger stops here, just before a step's input goes into its node: a few frames
/// up.
#[inline(never)]
fn squall_break(step: u64) {
    std::hint::black_box(step);
}

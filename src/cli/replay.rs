//! `squall replay`: one plan again, from its file or its seed.

use std::collections::VecDeque;
use std::path::PathBuf;

use clap::Args;

use crate::engine::{Line, Watch, Weight};
use crate::plan::{Plan, Profile, generate};
use crate::report;
use crate::subject::Subjects;

use super::artifact::read_plan;
use super::{CliError, quoted, replay_command, say, seed};

#[derive(Debug, Args)]
pub struct Options {
    /// The plan's file, as a sweep wrote it, or an input of the fuzz target storm.
    #[arg(value_name = "PLAN.json", conflicts_with_all = ["seed", "profile"])]
    plan: Option<PathBuf>,
    /// The plan's seed.
    #[arg(long, value_parser = seed::seed)]
    seed: Option<u64>,
    /// What to test [default: the plan's own subject, or the first of `list subjects`].
    #[arg(long)]
    subject: Option<String>,
    /// What the seed's plan is drawn from [default: storm].
    #[arg(long)]
    profile: Option<String>,
    /// Print everything that happens, and the library's own log.
    #[arg(long)]
    trace: bool,
}

pub fn run(subjects: &Subjects, options: &Options) -> Result<u8, CliError> {
    let mut plan = match (&options.plan, options.seed) {
        (Some(path), _) => read_plan(subjects, path, options.subject.as_deref())?,
        (None, Some(seed)) => {
            let profile = Profile::load(options.profile.as_deref().unwrap_or("storm"))?;
            let subject = subjects.find_or_first(options.subject.as_deref())?;
            generate(seed, &subject.name, subject.runner.lacks(), &profile)
        }
        (None, None) => {
            return Err(CliError::Usage(
                "give the file of a plan, or --seed N".to_owned(),
            ));
        }
    };
    if let Some(name) = &options.subject {
        plan.subject = name.clone();
    }
    let subject = subjects.find(&plan.subject)?;
    let (path, command) = match &options.plan {
        Some(path) => (path.clone(), replay_command(path)),
        None => (
            PathBuf::from("(none: the plan is drawn from the seed)"),
            seed_command(&plan),
        ),
    };
    say(&format!(
        "replaying {} with seed {}, {} nodes, {} faults\n\n",
        plan.subject,
        plan.seed,
        plan.cluster.voters,
        plan.faults.len()
    ))?;
    let mut output = Ok(());
    let mut last: VecDeque<Line> = VecDeque::new();
    let mut line = |line: Line| {
        if options.trace && output.is_ok() {
            output = say(&format!("{line}\n"));
        }
        if line.weight == Weight::Notable {
            last.push_back(line);
            if last.len() > report::LAST_EVENTS {
                last.pop_front();
            }
        }
    };
    let watch = Watch {
        lines: Some(&mut line),
        library_log: options.trace,
        ..Watch::default()
    };
    let outcome = subject.runner.run(&plan, watch);
    output?;
    if options.trace {
        say("\n")?;
    }
    match report::page(&plan, &outcome, last.make_contiguous(), &path, &command) {
        Some(page) => {
            say(&page)?;
            Ok(1)
        }
        None => {
            say(&format!(
                "clean: {} steps, {} of simulated time, digest {:016x}\n",
                report::group(outcome.steps),
                crate::types::seconds(outcome.time_us),
                outcome.digest
            ))?;
            Ok(0)
        }
    }
}

fn seed_command(plan: &Plan) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "squall".to_owned());
    format!(
        "{} replay --seed {} --subject {} --profile {}",
        quoted(&program),
        plan.seed,
        quoted(&plan.subject),
        quoted(&plan.profile)
    )
}

//! `squall show`: how a plan's run went, explained.

use std::path::PathBuf;

use clap::Args;

use squall_core::engine::Engine;
use squall_core::plan::Plan;
use squall_core::registry::Registry;
use squall_explore::report;

use super::artifact::check_own;
use super::{CliError, replay_command, say};

#[derive(Debug, Args)]
pub struct Options {
    /// The plan's file.
    #[arg(value_name = "PLAN.json")]
    plan: PathBuf,
    /// What to run it on [default: the plan's own subject].
    #[arg(long)]
    subject: Option<String>,
}

pub fn run(subjects: &Registry, options: &Options) -> Result<u8, CliError> {
    let mut plan = Plan::read(&options.plan)?;
    if let Some(name) = &options.subject {
        plan.subject = name.clone();
    }
    check_own(subjects, &plan.subject, &options.plan, &plan)?;
    let subject = subjects.find(&plan.subject)?;
    let (outcome, causes) = report::watched(subject, &plan);
    let command = replay_command(&options.plan, Engine::default());
    say(&report::explanation(&plan, &outcome, &causes, &command))?;
    Ok(u8::from(outcome.failure.is_some()))
}

//! `squall show`: how a plan's run went, explained.

use clap::Args;

use squall_core::registry::Registry;
use squall_explore::report;

use super::chosen::OnePlan;
use super::{CliError, Manner, say};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    one: OnePlan,
}

pub fn run(subjects: &Registry, options: &Options, manner: Manner) -> Result<u8, CliError> {
    let chosen = options.one.choose(subjects)?;
    let (plan, command) = (&chosen.plan, &chosen.command);
    let (outcome, causes) = report::watched(&chosen.subject, plan);
    let page = match manner.verbose {
        true => report::page(plan, &outcome, &causes, chosen.place(), "", command),
        false => None,
    };
    let explanation = || report::explanation(plan, &outcome, &causes, command);
    say(&page.unwrap_or_else(explanation))?;
    Ok(u8::from(outcome.failure.is_some()))
}

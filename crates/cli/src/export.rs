//! `squall export`: a run in the formats of other tools.

use std::path::PathBuf;

use clap::Args;

use squall_explore::export::{SHIVIZ_EXPRESSION, edn, perfetto, shiviz};
use squall_explore::run_document::RunDocument;

use super::chosen::OnePlan;
use super::{CliError, Manner, say, write_file};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    one: OnePlan,
    #[command(flatten)]
    to: Format,
    /// Where it goes; `-` is the standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// What the run is written as.
#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
struct Format {
    /// JSON for Perfetto (ui.perfetto.dev) and chrome://tracing: nodes as processes, messages as
    /// flows, roles, pauses and what is not on the disk yet as slices.
    #[arg(long)]
    perfetto: bool,
    /// A log for ShiViz, with vector clocks, in the form that ShiViz expects.
    #[arg(long)]
    shiviz: bool,
    /// The history of the clients for Jepsen's checkers, in EDN.
    #[arg(long)]
    edn: bool,
}

pub fn run(
    subjects: &squall_core::registry::Registry,
    options: &Options,
    manner: Manner,
) -> Result<u8, CliError> {
    let chosen = options.one.choose(subjects)?;
    let (document, _) = RunDocument::of_run(&chosen.subject, &chosen.plan, &chosen.command, None);
    let text = match options.to {
        Format { perfetto: true, .. } => perfetto(&document),
        Format { shiviz: true, .. } => shiviz(&document),
        Format { .. } => edn(&document),
    };
    if options.output.as_os_str() == "-" {
        say(&text)?;
        return Ok(0);
    }
    write_file(&options.output, &text)?;
    if !manner.quiet {
        say(&format!("written    {}\n", options.output.display()))?;
        if options.to.shiviz {
            say(&format!("expression {SHIVIZ_EXPRESSION}\n"))?;
        }
    }
    Ok(0)
}

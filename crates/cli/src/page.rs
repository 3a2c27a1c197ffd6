//! `squall page`: a run as one HTML page; and the pages of failures that other commands find.

use std::path::{Path, PathBuf};

use clap::Args;

use squall_core::fsutil;
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::run_document::RunDocument;

use super::chosen::{Chosen, OnePlan};
use super::{CliError, Manner, say, warn};

/// The folder that what is found goes to, where nobody names one.
pub const DEFAULT_OUT: &str = "squall-out";

/// Whether failures get pages.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Pages {
    /// Write no HTML page of a failure.
    #[arg(long)]
    no_page: bool,
}

impl Pages {
    /// Writes the page of a failing plan to `to`, and returns the line that says where it is; no
    /// line where no page is wanted. A page that cannot be written is a warning: the failure is
    /// told all the same.
    pub fn line(
        self,
        subject: &RegisteredSubject,
        plan: &Plan,
        to: &Path,
        command: &str,
    ) -> String {
        // What was written to a pipe has nothing beside it.
        let is_beside_a_file = !to.starts_with("/dev");
        if self.no_page || !is_beside_a_file {
            return String::new();
        }
        squall_page::beside_failure(subject, plan, command, to).unwrap_or_else(|error| {
            warn(&CliError::file(to, &error).to_string());
            String::new()
        })
    }
}

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    one: OnePlan,
    /// Where the page goes; `-` is the standard output [default: beside the plan, as .html].
    #[arg(short, long, value_name = "FILE.html")]
    output: Option<PathBuf>,
    /// Open the page in the browser.
    #[arg(long)]
    open: bool,
}

pub fn run(subjects: &Registry, options: &Options, manner: Manner) -> Result<u8, CliError> {
    let chosen = options.one.choose(subjects)?;
    let (document, _) = RunDocument::of_run(&chosen.subject, &chosen.plan, &chosen.command, None);
    let page = squall_page::html(&document);
    let to = options.output.clone().unwrap_or_else(|| beside(&chosen));
    if to == Path::new("-") {
        if options.open {
            let words = "--open needs a file, and the page goes to the standard output";
            return Err(CliError::Usage(words.to_owned()));
        }
        say(&page)?;
        return Ok(0);
    }
    fsutil::write_whole(&to, &page).map_err(|error| CliError::file(&to, &error))?;
    if !manner.quiet {
        say(&format!("page       {}\n", to.display()))?;
    }
    if options.open {
        open::that_detached(&to).map_err(|error| {
            CliError::Usage(format!(
                "cannot open {} in a browser: {error}; the page is written",
                to.display()
            ))
        })?;
    }
    Ok(0)
}

/// Where the page of a plan goes if nobody says: beside its file, or into this folder.
fn beside(chosen: &Chosen) -> PathBuf {
    match &chosen.file {
        Some(file) => file.with_extension("html"),
        None => {
            let subject = fsutil::name_part(&chosen.plan.subject);
            format!("{subject}-seed-{}.html", chosen.plan.seed).into()
        }
    }
}

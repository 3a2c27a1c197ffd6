//! `squall export`: a run in the formats of other tools.

use std::path::{Path, PathBuf};

use clap::Args;

use squall_core::fsutil;
use squall_explore::export::{SHIVIZ_EXPRESSION, edn, perfetto, rust, shiviz};
use squall_explore::report::many;
use squall_explore::run_document::RunDocument;

use super::chosen::{Chosen, OnePlan};
use super::{CliError, Manner, say, write_file};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    one: OnePlan,
    #[command(flatten)]
    to: Format,
    /// Where it goes; `-` is the standard output. With --rust, the folder of the crate.
    #[arg(short, long, value_name = "FILE|DIR", default_value = "-")]
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
    /// A crate with one test that makes the library's calls alone, as few as break the same rule:
    /// for a maintainer of the library. Needs -o DIR.
    #[arg(long)]
    rust: bool,
}

pub fn run(
    subjects: &squall_core::registry::Registry,
    options: &Options,
    manner: Manner,
) -> Result<u8, CliError> {
    let chosen = options.one.choose(subjects)?;
    let (document, _) = RunDocument::of_run(&chosen.subject, &chosen.plan, &chosen.command, None);
    if options.to.rust {
        return write_crate(&chosen, &document, &options.output, manner);
    }
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

/// Writes the crate that reproduces the run into the folder `to`.
fn write_crate(
    chosen: &Chosen,
    document: &RunDocument,
    to: &Path,
    manner: Manner,
) -> Result<u8, CliError> {
    if to == Path::new("-") {
        let words = "--rust writes a crate: say into which folder, with -o DIR";
        return Err(CliError::Usage(words.to_owned()));
    }
    let name = match &chosen.file {
        Some(file) => file.file_stem().unwrap_or_default().to_string_lossy(),
        None => format!("seed-{}", chosen.plan.seed).into(),
    };
    let name = crate_name(&name);
    let made = rust(&chosen.subject, &chosen.plan, document, &name);
    let made = made.map_err(|none| CliError::Usage(none.to_string()))?;
    let manifest = to.join("Cargo.toml");
    let is_ours = |text: String| text.contains("Reproduces a failure that Squall found");
    let mut there = made.files.iter().map(|(file, _)| to.join(file));
    let there = there.find(|file| file.exists());
    if let Some(there) = there.filter(|_| !fsutil::read_text(&manifest).is_ok_and(is_ours)) {
        return Err(CliError::Usage(format!(
            "{} is there, and Squall did not write it; name another folder",
            there.display()
        )));
    }
    for (file, text) in &made.files {
        let file = to.join(file);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|error| CliError::file(folder, &error))?;
        }
        fsutil::write_whole(&file, text).map_err(|error| CliError::file(&file, &error))?;
    }
    if !manner.quiet {
        say(&format!(
            "written    {}: {} in {}\nends with  {}\nreproduce  cargo test --manifest-path {}\n",
            to.display(),
            many(made.calls as u64, "call"),
            many(made.lines as u64, "line"),
            made.ends_with,
            fsutil::quoted(&manifest.display().to_string())
        ))?;
    }
    Ok(0)
}

/// A name that Cargo takes, which begins with a letter and has letters, digits and hyphens.
fn crate_name(name: &str) -> String {
    let legal = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(legal).take(60).collect();
    let name = name.trim_matches('-');
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name.to_owned(),
        Some(_) => format!("run-{name}"),
        None => "reproduction".to_owned(),
    }
}

//! The summary of a sweep as Markdown, for the page of a nightly job.

use std::fmt::Write as _;
use std::path::Path;

use super::{Files, group};
use crate::sweep::{Summary, Verdict};
use squall_core::counters::Counter;
use squall_core::plan::Profile;
use squall_core::text::{markdown_escaped, printable};

/// Findings that a page lists; a sweep that goes on may have thousands.
const MOST_FINDINGS: usize = 50;

/// Events that a page shows, in this order.
const SHOWN: [Counter; 8] = [
    Counter::LeaderElected,
    Counter::LeaderChanged,
    Counter::EntryCommitted,
    Counter::EntryTruncated,
    Counter::Crash,
    Counter::LinkCut,
    Counter::MessageSent,
    Counter::MessageLost,
];

/// What was swept, as a page names it.
#[derive(Clone, Copy, Debug)]
pub struct Swept<'a> {
    /// The subject's name.
    pub subject: &'a str,
    /// The profile.
    pub profile: &'a Profile,
    /// The first seed.
    pub first_seed: u64,
}

/// The summary of a sweep as Markdown: the verdict, figures, and each finding with the command that
/// `replay` makes of its plan's file. `files` are those of the findings, in their order.
pub fn markdown(
    summary: &Summary,
    swept: Swept<'_>,
    files: &[Files],
    replay: impl Fn(&Path) -> String,
) -> String {
    let Swept {
        subject,
        profile,
        first_seed,
    } = swept;
    let verdict = summary.verdict();
    let mut text = format!(
        "### squall: {} under {}: {}\n\n",
        markdown_escaped(subject),
        markdown_escaped(&profile.name),
        verdict.name()
    );
    match verdict {
        Verdict::Incomplete => {
            let _ = writeln!(
                text,
                "Required, and did not happen, or not as often: {}.\n",
                summary.missing.join(", ")
            );
        }
        Verdict::Hung => text.push_str("A run hung, and ended the sweep.\n\n"),
        Verdict::Interrupted => text.push_str("The sweep was ended early.\n\n"),
        Verdict::Nondeterministic => {
            let leak = summary
                .leak
                .as_ref()
                .expect("that is what this verdict says");
            let _ = writeln!(text, "{}\n", markdown_escaped(&super::leak(leak)));
        }
        Verdict::Clean | Verdict::Violation => {}
    }
    if !summary.findings.is_empty() {
        violations(&mut text, summary, files, replay);
    }
    text.push_str("| | |\n| --- | ---: |\n");
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "| {name} | {value} |");
    };
    row("runs", group(summary.runs));
    row("first seed", first_seed.to_string());
    row("violations", group(summary.findings.len() as u64));
    row("steps", group(summary.steps));
    row(
        "simulated time",
        format!("{} s", group(summary.simulated_us / 1_000_000)),
    );
    row(
        "processor time",
        format!("{:.1} s", summary.cpu.as_secs_f64()),
    );
    for event in SHOWN {
        row(event.name(), group(summary.counters.get(event)));
    }
    row("digest", format!("`{:016x}`", summary.digest));
    variants(&mut text, summary, profile);
    text
}

/// Puts what the runs of each of the profile's variants came to into `text`, where there are any.
fn variants(text: &mut String, summary: &Summary, profile: &Profile) {
    let mut rows = super::tallies(summary, profile).peekable();
    if rows.peek().is_none() {
        return;
    }
    text.push_str("\n| variant | runs | steps | violations |\n| --- | ---: | ---: | ---: |\n");
    for (variant, tally) in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            markdown_escaped(&variant.label),
            group(tally.runs),
            group(tally.steps),
            group(tally.violations)
        );
    }
}

/// Puts the violations into `text`, and the commands that replay them.
fn violations(
    text: &mut String,
    summary: &Summary,
    files: &[Files],
    replay: impl Fn(&Path) -> String,
) {
    text.push_str("| property | seed | step | what broke it |\n| --- | ---: | ---: | --- |\n");
    for finding in summary.findings.iter().take(MOST_FINDINGS) {
        let failure = &finding.failure;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            failure.violation.property(),
            finding.seed,
            failure.step,
            markdown_escaped(&failure.violation.message())
        );
    }
    if summary.findings.len() > MOST_FINDINGS {
        let more = summary.findings.len() - MOST_FINDINGS;
        let _ = writeln!(
            text,
            "\nand {} more, each with its plan.",
            group(more as u64)
        );
    }
    text.push_str("\nTo replay, from the folder that holds the plans' folder:\n\n```sh\n");
    for files in files.iter().take(MOST_FINDINGS) {
        let plan = files.shrunk.as_ref().unwrap_or(&files.plan);
        // A line of its own, whatever is in the file's name.
        let command = replay(plan).replace(['\n', '\r'], " ");
        let _ = writeln!(text, "{}", printable(&command));
    }
    text.push_str("```\n\n");
}

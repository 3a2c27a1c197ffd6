//! `squall shrink`: from a plan that fails to a smaller one.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::report;
use squall_explore::shrink::{Clean, Progress, Shrinker, Shrunk};
use squall_explore::watchdog::{Hang, Patience, USUAL_PATIENCE};

use super::chosen::OnePlan;
use super::interrupt::stop_at_interrupt;
use super::merge::distinct::{self, Shrinking};
use super::page::Pages;
use super::shard::{self, Chosen};
use super::{
    CliError, Manner, can_write, default_jobs, duration, replay_command, say, warn, watch, write_to,
};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    one: OnePlan,
    #[command(flatten)]
    shard: shard::ShardOptions,
    /// Where the smaller plan is written [default: PLAN.shrunk.json, or seed-N.shrunk.json].
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How long at most, e.g. 30s, 10m [default: until nothing simpler fails].
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Threads [default: one for each processor]; the result does not depend on it.
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

/// Shrinks `plan`, whose result is to be written to `out`, and shows how far it is.
///
/// # Errors
/// When it does not fail.
pub(super) fn shrink_and_show(
    subject: &RegisteredSubject,
    plan: &Plan,
    jobs: Option<u16>,
    time_limit: Option<Duration>,
    out: &Path,
) -> Result<Shrunk, Clean> {
    let bar = progress(false);
    let hangs = |hang: &Hang| {
        bar.finish_and_clear();
        if let Err(failed) = watch::tell_of_shrinking(&out.with_extension(""), subject, hang) {
            warn(&failed.to_string());
        }
        squall_process::kill_all();
        // The thread that hangs can be ended in no other way.
        std::process::exit(2);
    };
    let shrinker = Shrinker {
        subject,
        jobs: jobs.map_or_else(default_jobs, usize::from),
        time_limit,
        stop: stop_at_interrupt(),
        hangs: Some(Patience {
            time: Some(USUAL_PATIENCE),
            tell: &hangs,
        }),
    };
    let shrunk = shrinker.run(plan, &mut |progress| show(&bar, &progress));
    bar.finish_and_clear();
    shrunk
}

pub fn run(subjects: &Registry, options: &Options, manner: Manner) -> Result<u8, CliError> {
    if let Some(chosen) = options.shard.choose()? {
        return shrink_shard(subjects, options, chosen, manner);
    }
    let chosen = options.one.choose(subjects)?;
    let (plan, subject) = (&chosen.plan, &chosen.subject);
    let out = match (&options.out, &chosen.file) {
        (Some(out), _) => out.clone(),
        (None, Some(file)) => file.with_extension("shrunk.json"),
        (None, None) => PathBuf::from(format!("seed-{}.shrunk.json", plan.seed)),
    };
    can_write(&out)?;
    let shrunk = shrink_and_show(subject, plan, options.jobs, options.time, &out);
    let shrunk = shrunk.map_err(|clean| {
        let what = match &chosen.file {
            Some(file) => file.display().to_string(),
            None => format!("seed {}", plan.seed),
        };
        CliError::Usage(format!("cannot shrink {what}: {clean}"))
    })?;
    write_to(options.out.as_deref(), &out, &shrunk.plan.to_json())?;
    say_shrunk(&shrunk, manner)?;
    let command = replay_command(&out, subject);
    let to = out.with_extension("html");
    let html = (options.pages).line(subject, &shrunk.plan, &to, &command);
    let page = report::failure(subject, &shrunk.plan, &out, &html, &command);
    say(&format!("\n{}", page.unwrap_or_default()))?;
    Ok(1)
}

/// Shrinks the part of a shard of the failures that `squall merge` has listed.
fn shrink_shard(
    subjects: &Registry,
    options: &Options,
    chosen: Chosen,
    manner: Manner,
) -> Result<u8, CliError> {
    let folder = options.one.plan.as_deref().filter(|path| path.is_dir());
    let (Some(folder), None) = (folder, &options.out) else {
        return Err(CliError::Usage(
            "--shard shrinks what `squall merge -o OUT` has found, beside it; legal: shrink OUT --shard I/N".to_owned(),
        ));
    };
    if !manner.quiet {
        say(&format!(
            "squall {}: {chosen} of the failures in {}\n",
            env!("CARGO_PKG_VERSION"),
            folder.display()
        ))?;
    }
    let shrinking = Shrinking {
        jobs: options.jobs.map_or_else(default_jobs, usize::from),
        time: options.time,
        manner,
        at_hang: &|| {},
    };
    distinct::shrink_shard(subjects, folder, chosen.shard, shrinking)
}

/// Says what a shrinker came to.
pub fn say_shrunk(shrunk: &Shrunk, manner: Manner) -> Result<(), CliError> {
    if manner.quiet {
        return Ok(());
    }
    say(&report::shrunk(shrunk))?;
    match manner.verbose {
        true => say(&report::passes(shrunk)),
        false => Ok(()),
    }
}

/// A bar that shows how far a shrinker is, where there is a terminal.
pub fn progress(hidden: bool) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed} shrinking: {msg}");
    let bar = ProgressBar::no_length().with_style(style.expect("the template is ours"));
    if hidden || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    } else {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    bar
}

/// Shows how far a shrinker is.
pub fn show(bar: &ProgressBar, progress: &Progress<'_>) {
    if bar.is_hidden() {
        return;
    }
    let Progress { pass, runs, best } = progress;
    bar.set_message(format!("{runs} runs, {}; now: {pass}", report::size(best)));
}

//! `squall import`: from what a fuzzer found to a plan file, as small as it will get.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use squall_core::registry::Registry;
use squall_explore::report;

use super::artifact::{check_own, read_plan, subject_for};
use super::chosen::On;
use super::page::Pages;
use super::shrink::{say_shrunk, shrink_and_show};
use super::{CliError, Manner, can_write, duration, replay_command, say, write_to};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    pages: Pages,
    /// What the fuzzer found: an input of the target storm, as in fuzz/artifacts/storm.
    #[arg(value_name = "ARTIFACT")]
    artifact: PathBuf,
    /// Where the plan is written [default: ARTIFACT.json].
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    on: On,
    /// How long to shrink at most, e.g. 30s, 10m [default: until nothing simpler fails].
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Threads to shrink with [default: one for each processor]; the result does not depend on it.
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

pub fn run(subjects: &Registry, options: &Options, manner: Manner) -> Result<u8, CliError> {
    let mut plan = read_plan(subjects, &options.artifact, options.on.subject.as_deref())?;
    let engine = subjects.engine(&options.on.engine)?;
    let subject = &subject_for(subjects, options.on.subject.as_deref(), &mut plan)?.on(engine);
    check_own(subjects, &plan.subject, &options.artifact, &plan)?;
    let out = options.out.clone().unwrap_or_else(|| {
        let mut name = options.artifact.clone().into_os_string();
        name.push(".json");
        PathBuf::from(name)
    });
    can_write(&out)?;
    let shrunk = shrink_and_show(subject, &plan, options.jobs, options.time, &out);
    let Ok(shrunk) = shrunk else {
        if shrunk.is_err_and(|clean| clean.interrupted) {
            return Err(CliError::Usage(format!(
                "interrupted before it was known whether {} fails; nothing is written",
                options.artifact.display()
            )));
        }
        write_to(options.out.as_deref(), &out, &plan.to_json())?;
        say(&format!(
            "clean: the plan does not fail on {}, and is written as it is\nplan       {}\n",
            plan.subject,
            out.display()
        ))?;
        return Ok(0);
    };
    write_to(options.out.as_deref(), &out, &shrunk.plan.to_json())?;
    say_shrunk(&shrunk, manner)?;
    let command = replay_command(&out, subject);
    let to = out.with_extension("html");
    let html = (options.pages).line(subject, &shrunk.plan, &to, &command);
    let page = report::failure(subject, &shrunk.plan, &out, &html, &command);
    say(&format!("\n{}", page.unwrap_or_default()))?;
    Ok(1)
}

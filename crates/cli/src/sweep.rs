//! `squall sweep`: many seeds, a progress bar, the first violation, a summary.

mod before;
mod words;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, Parser};

use squall_core::options::Feature;
use squall_core::plan::DEFAULT_PROFILE;
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::report::{self, Files, JsonSummary, Swept};
use squall_explore::shard::Shard;
use squall_explore::strategy;
use squall_explore::sweep::{Summary, Sweep, SweepEvent, Verdict};
use squall_explore::watchdog::Hang;

use self::before::{asked_for, corpus, is_over, tell_of_unfinished};
use self::words::{banner, progress};
use super::artifact::profile_for;
use super::chosen::On;
use super::interrupt::stop_at_interrupt;
use super::page::{DEFAULT_OUT, Pages};
use super::shard;
use super::sweep_page::{SharedPage, SweepPage};
use super::unfinished::{Asked, Batch, Shards, Stand, Unfinished, hash_of};
use super::watch::{self, Desk, HangAfter, Watcher};
use super::written::{Writing, Written, sweep_name};
use super::{
    CliError, Manner, can_write, default_jobs, duration, replay_command, say, say_json, seed, warn,
    write_file,
};

/// Seeds of a sweep when neither a number nor a time is given.
const DEFAULT_SEEDS: u64 = 4_000;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    on: On,
    /// What plans are drawn from: see `list profiles`, or the path of a .toml file.
    #[arg(long, default_value = DEFAULT_PROFILE)]
    profile: String,
    /// How plans are looked for: see `list strategies` [default: as the profile says, else swarm].
    #[arg(long, value_parser = strategy)]
    strategy: Option<strategy::Kind>,
    /// A folder of plans for --strategy guided, which begins with the plans there, and adds those
    /// that reach something new.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Count the abstract Raft states that runs reach.
    #[arg(long)]
    coverage: bool,
    /// Which seeds: A..B, A..+N, or N for 0..N [default: 4000, or no end with --for].
    #[arg(long, value_name = "SEEDS", value_parser = seed::seeds)]
    seeds: Option<Range<u64>>,
    /// One seed: the same as N..+1.
    #[arg(long, value_name = "SEED", value_parser = seed::seed, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Threads [default: one for each processor].
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// How long, e.g. 90s, 10m, 8h.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// A run with no progress for this long, in wall time, hangs, and ends the sweep; or `never`.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = HangAfter::parse)]
    hang_after: HangAfter,
    /// Go on after a violation.
    #[arg(long)]
    keep_going: bool,
    /// Where plans that failed are written.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT)]
    out: PathBuf,
    /// Do not shrink the first failure of each property.
    #[arg(long)]
    no_shrink: bool,
    #[command(flatten)]
    pages: Pages,
    /// How long to shrink each of them, at most.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, conflicts_with = "no_shrink")]
    shrink_for: Duration,
    /// Also say how often each event happened.
    #[arg(long)]
    events: bool,
    /// Write the summary as JSON to this file, or to standard output (-) in place of the text.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write the summary as Markdown to this file, with the commands that replay what was found.
    #[arg(long, value_name = "FILE")]
    summary_md: Option<PathBuf>,
    /// Write the sweep as an HTML page (index.html) into this folder, with a page for each kind of
    /// failure, and keep it up to date while the sweep goes on. `squall report` reads many.
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
    #[command(flatten)]
    shard: shard::ShardOptions,
    /// Go on with a sweep that was interrupted or killed, from the folder that it wrote to (its
    /// --out), or from its .unfinished.json file there.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["subject", "profile", "strategy", "engine", "corpus", "coverage", "seeds", "seed", "time", "keep_going", "out", "no_shrink", "shrink_for", "shard"])]
    resume: Option<PathBuf>,
}

#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    options: Options,
}

impl Default for Options {
    fn default() -> Self {
        Alone::parse_from(["squall"]).options
    }
}

pub fn run(subjects: &Registry, options: &Options, manner: Manner) -> Result<u8, CliError> {
    let resumed = options.resume.as_deref().map(Unfinished::read);
    let mut resumed = resumed.transpose()?;
    let chosen = options.shard.choose()?;
    let asked = match &resumed {
        Some((unfinished, _)) => unfinished.asked().clone(),
        None => asked_for(subjects, options, chosen)?,
    };
    let engine = subjects.engine(&asked.engine)?;
    let subject = &subjects.find(&asked.subject)?.on(engine);
    let profile = profile_for(subjects, &asked.profile)?;
    let strategy = strategy(&asked.strategy).map_err(CliError::Usage)?;
    if let Some((unfinished, _)) = &resumed {
        unfinished.is_of(subject)?;
    }
    if resumed.is_some() && hash_of(&profile) != asked.profile_hash {
        return Err(CliError::Usage(format!(
            "profile {} has changed since the sweep began, so that its seeds are other plans now; begin it anew",
            asked.profile
        )));
    }
    let jobs = options.jobs.map_or_else(default_jobs, usize::from);
    let name = sweep_name(&subject.name, &profile.name, strategy, subject.engine);
    let in_shard = |folder: &Path| match asked.shard {
        Some(shard) => shard::folder(folder, shard),
        None => folder.to_path_buf(),
    };
    let out = match &resumed {
        Some((unfinished, _)) => unfinished.folder().to_path_buf(),
        None => in_shard(&options.out),
    };
    let title = subject.title();
    let swept = Swept {
        subject: &title,
        profile: &profile,
        first_seed: asked.seeds.start,
    };
    // The same command, here or elsewhere, goes on with its shard.
    if chosen.is_some() {
        match Unfinished::of_shard(&out, &name, &asked, subject)? {
            Shards::None => {}
            Shards::Begun(begun) => resumed = Some(*begun),
            Shards::Over(path, stand) => {
                return is_over(options, manner, &path, *stand, subject, swept);
            }
        }
    }
    let (folder, corpus) = corpus(
        options,
        subject,
        &profile,
        strategy,
        asked.shard.map(|_| (&asked, &*out)),
    )?;
    watch::tell_of_the_dead(&out);
    let desk = Desk::in_folder(&out, jobs, &name, &asked)?;
    let scratch = desk.running().scratch();
    can_write_summaries(options)?;
    let goes_on_before = resumed.is_some();
    let goes_on = asked.shard.is_some() || !options.coverage && !strategy.learns();
    let (mut unfinished, stand) = match resumed {
        Some((unfinished, stand)) => (Some(unfinished), stand),
        None => {
            if asked.shard.is_none() {
                tell_of_unfinished(&out);
            }
            let plans = strategy.over(subject.plans(&profile), asked.seeds.start, Vec::new());
            let begin = || Unfinished::begin(&out, scratch, &name, asked.clone(), subject, &*plans);
            (goes_on.then(begin).transpose()?, Stand::before(&asked))
        }
    };
    let how_to_go_on = unfinished.as_ref().map(Unfinished::how_to_go_on);
    let seeds = asked.seeds.clone();
    let json_to_stdout = options.json.as_deref() == Some(Path::new("-"));
    if !json_to_stdout && !manner.quiet {
        say(&banner(&asked, &title, &stand, jobs, chosen))?;
    }
    let stop = stop_at_interrupt();
    let shard = asked.shard.unwrap_or(Shard::WHOLE);
    let portion = strategy.over(subject.plans(&profile), seeds.start, Vec::new());
    let all = shard.seeds_before(&seeds, portion.portion(), seeds.end);
    let bar = progress(options, all, seeds.end, manner);
    let mut written = Written::new(Writing {
        subject,
        out: &out,
        scratch,
        name: &name,
        print: !json_to_stdout,
        keep_going: asked.keep_going,
        jobs,
        shrink_for: asked.shrink_for_ms.map(Duration::from_millis),
        patience: options.hang_after.0,
        pages: options.pages,
    });
    for (finding, plan) in stand.summary.findings.iter().zip(stand.plans) {
        written.known(finding, plan);
    }
    // The watchdog looks at it when a run hangs, which is when nothing else does.
    let written = Mutex::new(written);
    let lock = || written.lock().unwrap_or_else(PoisonError::into_inner);
    let of_sweep = |summary: &Summary| as_json(summary, subject, swept, lock().files());
    let page = options.html.as_deref().map(|folder| {
        let so_far = of_sweep(&stand.summary);
        SweepPage::begin(
            &in_shard(folder),
            &out,
            goes_on_before,
            &stand.summary,
            so_far,
        )
    });
    let page = SharedPage::new(page.transpose()?);
    page.with(|page| {
        let files = lock();
        let plans = files.files().iter();
        let commands = plans.map(|files| replay_command(&files.plan, subject));
        page.catch_up(subject, &stand.summary.findings, commands);
    });
    let hangs = |hang: &Hang, so_far: &Summary| {
        bar.finish_and_clear();
        page.with(|page| page.stands_or_warns(of_sweep(&hung(so_far, hang)), true));
        let told = conclude_hang(options, manner, so_far, hang, subject, swept, &lock());
        let status = match told {
            Ok(()) => status(&hung(so_far, hang), &asked),
            Err(failed) => {
                warn(&failed.to_string());
                2
            }
        };
        if let Some(how_to_go_on) = how_to_go_on.as_ref().filter(|_| !json_to_stdout) {
            let _ = say(how_to_go_on);
        }
        // The thread that hangs can be ended in no other way.
        desk.running().remove();
        squall_process::kill_all();
        std::process::exit(status.into());
    };
    let watcher = Watcher {
        patience: options.hang_after.0,
        running: desk.running(),
        notes_plans: strategy.learns(),
        tell: &hangs,
    };
    let mut error = None;
    let sweep = Sweep {
        subject,
        profile: &profile,
        strategy,
        coverage: options.coverage || asked.coverage,
        corpus,
        seeds: seeds.clone(),
        shard,
        jobs,
        time_limit: asked.time_ms.map(Duration::from_millis),
        keep_going: asked.keep_going,
        stop,
        lookout: Some(&watcher),
    };
    let steps_before = stand.summary.steps;
    let tell = |news: SweepEvent<'_>| {
        let done = match news {
            SweepEvent::Progress {
                runs,
                findings,
                steps,
                states,
            } => {
                page.with(|page| page.point(runs, steps, findings, states));
                bar.set_position(runs);
                // A sweep that is gone on with begins with the steps of before.
                let steps = steps.saturating_sub(steps_before) as f64;
                let rate = steps / bar.elapsed().as_secs_f64().max(0.001);
                let mut parts = vec![format!("{} steps/s", report::rounded(rate))];
                parts.extend(states.map(|states| format!("{} states", report::group(states))));
                if findings > 0 {
                    parts.push(report::many(findings, "finding"));
                }
                bar.set_message(parts.join(", "));
                Ok(())
            }
            SweepEvent::Batch {
                next,
                summary,
                digests,
            } => {
                page.with(|page| page.goes_on(|| of_sweep(summary)));
                let batch = Batch {
                    next,
                    summary,
                    digests,
                };
                match &mut unfinished {
                    Some(unfinished) => unfinished.stands(scratch, batch, lock().files()),
                    None => Ok(()),
                }
            }
            SweepEvent::Kept(plan) => match &folder {
                Some(folder) => (folder.keep(plan).map(drop))
                    .map_err(|failed| CliError::file(folder.path(), &failed)),
                None => Ok(()),
            },
            SweepEvent::Finding(finding) => {
                let told = bar.suspend(|| lock().finding(finding));
                let plan = lock().files().last().map(|files| files.plan.clone());
                if let (Some(plan), Ok(())) = (plan, &told) {
                    let command = replay_command(&plan, subject);
                    page.with(|page| page.finding(subject, finding, &command));
                }
                told
            }
        };
        if let Err(failed) = done {
            error.get_or_insert(failed);
            stop.store(true, Ordering::Relaxed);
        }
    };
    let mut strategy = sweep.strategy();
    let summary = sweep.go_on(&mut *strategy, stand.next, stand.summary, tell)?;
    bar.finish_and_clear();
    // The sweep is over, whatever comes of what follows.
    page.with(|page| page.stands_or_warns(of_sweep(&summary), true));
    if let Some(error) = error {
        return Err(error);
    }
    drop(strategy);
    let written = written.into_inner().unwrap_or_else(PoisonError::into_inner);
    let hangs = |hang: &Hang, files: &[Files]| {
        let told = watch::tell_of_shrinking(&out.join(&name), subject, hang).and_then(|()| {
            // What was found is found, and told, if not as a page.
            if !asked.keep_going && !json_to_stdout {
                say_first(&summary, files, subject)?;
            }
            write_summaries(options, &summary, subject, swept, files)
        });
        if let Err(failed) = told {
            warn(&failed.to_string());
        }
        desk.running().remove();
        squall_process::kill_all();
        std::process::exit(summary.verdict().status().into());
    };
    // A violation comes last, where it is seen.
    if !json_to_stdout {
        say_summary(options, manner, &summary, swept, subject.runner.supports())?;
    }
    let files = written.shrink(stop, &hangs)?;
    write_summaries(options, &summary, subject, swept, &files)?;
    let file = page.with(|page| {
        page.stands_or_warns(as_json(&summary, subject, swept, &files), true);
        page.file()
    });
    if let Some(file) = file.filter(|_| !json_to_stdout && !manner.quiet) {
        say(&format!("page       {}\n", file.display()))?;
    }
    match unfinished {
        Some(unfinished) if !summary.interrupted => unfinished.end(scratch, &summary, &files)?,
        Some(unfinished) => {
            if !json_to_stdout {
                say(&unfinished.how_to_go_on())?;
            }
            unfinished.leave();
        }
        None => {}
    }
    Ok(status(&summary, &asked))
}

/// The exit status. Of a shard that has not ended it is 2, whatever was found: it has to be started
/// again.
fn status(summary: &Summary, asked: &Asked) -> u8 {
    match asked.shard.is_some() && summary.interrupted {
        true => 2,
        false => summary.verdict().status(),
    }
}

/// Says what the first finding is, and how to reproduce it.
fn say_first(
    summary: &Summary,
    files: &[Files],
    subject: &RegisteredSubject,
) -> Result<(), CliError> {
    let (Some(finding), Some(files)) = (summary.findings.first(), files.first()) else {
        return Ok(());
    };
    let command = replay_command(&files.plan, subject);
    let (seed, failure) = (finding.seed, &finding.failure);
    say(&format!(
        "\nseed {seed}: {failure}\n  reproduce  {command}\n"
    ))
}

/// What a sweep adds up to that a run has ended by hanging.
fn hung(so_far: &Summary, hang: &Hang) -> Summary {
    Summary {
        hang: Some(hang.clone()),
        interrupted: true,
        ..so_far.clone()
    }
}

/// Says and writes what there is of a sweep that a run has ended by hanging.
fn conclude_hang(
    options: &Options,
    manner: Manner,
    so_far: &Summary,
    hang: &Hang,
    subject: &RegisteredSubject,
    swept: Swept<'_>,
    written: &Written<'_>,
) -> Result<(), CliError> {
    let summary = hung(so_far, hang);
    let plan = written.write(hang.seed, "hang", &hang.plan)?;
    let text = format!(
        "\n{}\n  plan       {}\n  reproduce  {}\n",
        watch::in_words(swept.subject, &swept.profile.name, hang),
        plan.display(),
        replay_command(&plan, subject)
    );
    match options.json.as_deref() == Some(Path::new("-")) {
        true => text.trim().lines().for_each(super::warn_of_command),
        false => {
            say_summary(options, manner, &summary, swept, subject.runner.supports())?;
            say(&text)?;
        }
    }
    write_summaries(options, &summary, subject, swept, written.files())
}

/// Prints the summary.
fn say_summary(
    options: &Options,
    manner: Manner,
    summary: &Summary,
    swept: Swept<'_>,
    supports: &[Feature],
) -> Result<(), CliError> {
    if manner.quiet {
        return match summary.verdict() {
            Verdict::Clean | Verdict::Violation => Ok(()),
            _ => say(&report::verdict(summary)),
        };
    }
    let mut text = report::summary(summary, swept, supports, manner.verbose);
    if options.events || manner.verbose {
        text = format!("{}\n{text}", report::events(summary));
    }
    if options.keep_going && !summary.findings.is_empty() {
        text.insert(0, '\n');
    }
    say(&text)
}

/// Writes the summary as JSON and as Markdown, where that is asked for.
fn write_summaries(
    options: &Options,
    summary: &Summary,
    subject: &RegisteredSubject,
    swept: Swept<'_>,
    files: &[Files],
) -> Result<(), CliError> {
    if let Some(path) = &options.summary_md {
        let text = report::markdown(summary, swept, files, |plan| {
            super::replay_command(plan, subject)
        });
        write_file(path, &text)?;
    }
    let json = || {
        let json = JsonSummary::new(summary, subject, swept.profile, swept.first_seed, files);
        let mut text = serde_json::to_string_pretty(&json).expect("a summary is plain data");
        text.push('\n');
        text
    };
    match &options.json {
        Some(path) if path.as_os_str() == "-" => say_json(&json()),
        Some(path) => write_file(path, &json()),
        None => Ok(()),
    }
}

/// What `--json` prints, as a value.
fn as_json(
    summary: &Summary,
    subject: &RegisteredSubject,
    swept: Swept<'_>,
    files: &[Files],
) -> serde_json::Value {
    let json = JsonSummary::new(summary, subject, swept.profile, swept.first_seed, files);
    serde_json::to_value(json).expect("a summary is plain data")
}

/// Makes sure, before any run, that the summary can be written.
fn can_write_summaries(options: &Options) -> Result<(), CliError> {
    match &options.json {
        Some(path) if path.as_os_str() != "-" => can_write(path)?,
        _ => {}
    }
    options.summary_md.as_deref().map_or(Ok(()), can_write)
}

/// A strategy by its name.
pub fn strategy(name: &str) -> Result<strategy::Kind, String> {
    strategy::Kind::named(name).ok_or_else(|| {
        let names: Vec<&str> = strategy::Kind::ALL.iter().map(|kind| kind.name()).collect();
        let nearest = squall_core::suggest::suggestion(name, names.iter().copied());
        let legal = names.join(", ");
        format!("unknown strategy \"{name}\"{nearest}; legal: {legal}")
    })
}

//! What many shards have found, each failure once: of those that broke the same property in the
//! same place, the smallest plan speaks for all. A file beside the plans lists them, so that each
//! can be shrunk by a job of its own, here or on another machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::interrupt::stop_at_interrupt;
use super::super::sweep_page::kind;
use super::super::{
    CliError, Manner, replay_command, say, warn, warn_of_command, watch, write_beside,
};
use squall_core::fsutil::read_text;
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::report::{self, Files, many};
use squall_explore::shard::Shard;
use squall_explore::shrink::{Ended, Shrinker};
use squall_explore::sweep::Finding;
use squall_explore::watchdog::{Hang, Patience, USUAL_PATIENCE};

/// The file that lists them.
pub const LIST: &str = "merge.json";

/// What [`List::format`] says.
const FORMAT: &str = "squall-merge";

/// The version of the list's form.
const VERSION: u32 = 1;

/// The failures of a merged sweep.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    format: String,
    version: u32,
    squall: String,
    /// The engine's name.
    engine: String,
    pub distinct: Vec<Distinct>,
}

/// Failures that are one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distinct {
    pub property: String,
    /// Where a panic came from, or how the rule was broken.
    pub place: String,
    /// How many runs ended so.
    pub runs: u64,
    /// The seed of the smallest plan.
    pub seed: u64,
    /// The file of the smallest plan, beside this list.
    pub plan: PathBuf,
    /// That of a smaller one, where it was shrunk.
    pub shrunk: Option<PathBuf>,
}

/// The failures of which these findings are, those first that most runs ended in, and for each the
/// place of the finding whose plan is the smallest: by its faults, then the steps to the failure.
pub fn distinct(findings: &[Finding], files: &[Files]) -> Vec<(Distinct, usize)> {
    let mut groups = BTreeMap::<(&str, String), Vec<usize>>::new();
    for (at, finding) in findings.iter().enumerate() {
        let violation = &finding.failure.violation;
        let key = (violation.property().name(), kind(&violation.breach));
        groups.entry(key).or_default().push(at);
    }
    let size = |at: &usize| {
        let finding = &findings[*at];
        (
            finding.plan.faults.len(),
            finding.failure.step,
            finding.seed,
        )
    };
    let name = |path: &Path| PathBuf::from(path.file_name().unwrap_or_default());
    let mut all: Vec<(Distinct, usize)> = groups
        .into_iter()
        .filter_map(|((property, place), members)| {
            let smallest = members.iter().copied().min_by_key(size)?;
            let distinct = Distinct {
                property: property.to_owned(),
                place,
                runs: members.len() as u64,
                seed: findings[smallest].seed,
                plan: name(&files[smallest].plan),
                shrunk: files[smallest].shrunk.as_deref().map(name),
            };
            Some((distinct, smallest))
        })
        .collect();
    all.sort_by_key(|(distinct, _)| std::cmp::Reverse(distinct.runs));
    all
}

impl List {
    /// Of these failures.
    pub fn of(engine: &str, distinct: Vec<Distinct>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            squall: env!("CARGO_PKG_VERSION").to_owned(),
            engine: engine.to_owned(),
            distinct,
        }
    }

    /// Writes it into the folder `out`.
    pub fn write(&self, out: &Path) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(self).expect("a list is plain data") + "\n";
        write_beside(&out.join(LIST), &text)
    }

    /// The list in the folder `out`.
    fn read(out: &Path) -> Result<Self, CliError> {
        let path = out.join(LIST);
        let wrong = |why: String| {
            CliError::Usage(format!(
                "{}: {why}; `squall merge` writes that file",
                path.display()
            ))
        };
        let text = read_text(&path).map_err(|error| wrong(error.to_string()))?;
        let list: List = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let is_plain = |distinct: &Distinct| distinct.plan.components().count() == 1;
        match (list.format.as_str(), list.version) {
            (FORMAT, VERSION) if list.distinct.iter().all(is_plain) => Ok(list),
            (FORMAT, VERSION) => Err(wrong("a plan is not beside it".to_owned())),
            (format, version) => Err(wrong(format!(
                "format \"{format}\", version {version}; legal: \"{FORMAT}\", version {VERSION}"
            ))),
        }
    }
}

/// How plans are shrunk.
#[derive(Clone, Copy)]
pub struct Shrinking<'a> {
    pub jobs: usize,
    /// How long each of them, at most.
    pub time: Option<Duration>,
    /// Where it is quiet, nothing goes to standard output.
    pub manner: Manner,
    /// What is left to do when a plan hangs, which ends the program.
    pub at_hang: &'a (dyn Fn() + Sync),
}

/// The shard's part of the failures that are listed in `out`, each shrunk by one thread. Returns
/// the exit status: 1 where something was there to shrink.
pub fn shrink_shard(
    subjects: &Registry,
    out: &Path,
    shard: Shard,
    shrinking: Shrinking<'_>,
) -> Result<u8, CliError> {
    // From its first word on, an interrupt ends it as it should be ended.
    stop_at_interrupt();
    let list = List::read(out)?;
    let engine = subjects.engine(&list.engine)?;
    let places = (0_u64..).zip(&list.distinct);
    let mine = places.filter(|(place, _)| place % shard.count() == shard.number() - 1);
    let plans: Vec<PathBuf> = mine.map(|(_, one)| out.join(&one.plan)).collect();
    if !shrinking.manner.quiet {
        let all = many(list.distinct.len() as u64, "failure");
        say(&format!("{} of {all}\n", plans.len()))?;
    }
    let Some(first) = plans.first() else {
        return Ok(0);
    };
    let plan = Plan::read(first)?;
    let subject = subjects.find(&plan.subject)?.on(engine);
    shrink(&subject, &plans, shrinking)?;
    Ok(1)
}

/// Shrinks these plans, each by one thread, and writes the smaller ones beside them. Returns their
/// files; none for a plan that does not fail again, or whose turn an interrupt took: that one is
/// shrunk by a later call.
///
/// A plan that has a smaller one beside it is not shrunk again, also where the time was up before
/// it was the smallest: who wants to go on shrinks the smaller plan.
pub fn shrink(
    subject: &RegisteredSubject,
    plans: &[PathBuf],
    shrinking: Shrinking<'_>,
) -> Result<Vec<Option<PathBuf>>, CliError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![None; plans.len()]);
    let failed = Mutex::new(None);
    let stop = stop_at_interrupt();
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(plan) = plans.get(place) else { return };
            match shrink_one(subject, plan, shrinking) {
                Ok(shrunk) => {
                    done.lock().unwrap_or_else(PoisonError::into_inner)[place] = shrunk;
                }
                Err(error) => {
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.get_or_insert(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..shrinking.jobs.clamp(1, plans.len().max(1)) {
            scope.spawn(work);
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if stop.load(Ordering::Relaxed) && done.contains(&None) {
        warn("interrupted: the same command shrinks what is not shrunk yet");
    }
    Ok(done)
}

/// Where the smaller plan of the one at `path` is written.
pub fn beside(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-shrunk.json"))
}

fn shrink_one(
    subject: &RegisteredSubject,
    path: &Path,
    shrinking: Shrinking<'_>,
) -> Result<Option<PathBuf>, CliError> {
    let to = beside(path);
    let quiet = shrinking.manner.quiet;
    if Plan::read(&to).is_ok() {
        if !quiet {
            say(&format!("shrunk before: {}\n", to.display()))?;
        }
        return Ok(Some(to));
    }
    let plan = Plan::read(path)?;
    let hangs = |hang: &Hang| {
        let told = watch::shrinking_hangs(&path.with_extension(""), subject, hang);
        let told = told.and_then(|text| match quiet {
            true => {
                text.lines().for_each(warn_of_command);
                Ok(())
            }
            false => say(&text),
        });
        if let Err(failed) = told {
            warn(&failed.to_string());
        }
        (shrinking.at_hang)();
        squall_process::kill_all();
        // The thread that hangs can be ended in no other way.
        std::process::exit(2);
    };
    let stop = stop_at_interrupt();
    let shrinker = Shrinker {
        subject,
        jobs: 1,
        time_limit: shrinking.time,
        stop,
        hangs: Some(Patience {
            time: Some(USUAL_PATIENCE),
            tell: &hangs,
        }),
    };
    let Ok(shrunk) = shrinker.run(&plan, &mut |_| {}) else {
        if !stop.load(Ordering::Relaxed) {
            warn(&format!("left out: {} does not fail again", path.display()));
        }
        return Ok(None);
    };
    if shrunk.ended == Ended::Interrupted {
        return Ok(None);
    }
    write_beside(&to, &shrunk.plan.to_json())?;
    if quiet {
        return Ok(Some(to));
    }
    say(&format!(
        "shrunk: {}\n  reproduce  {}\n  from       {}\n  to         {}\n",
        shrunk.failure,
        replay_command(&to, subject),
        report::size(&shrunk.before),
        report::size(&shrunk.after)
    ))?;
    Ok(Some(to))
}

//! The observer of the command line's sweeps: it notes which seed each job is in, so that a process
//! that dies leaves word of it, reports runs that hang, and passes on what dead processes have
//! left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use squall_core::fsutil::{Equal, NewName, folder_of, write_new};
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_explore::running::{Died, Left, Running, left_in};
use squall_explore::strategy::Kind;
use squall_explore::sweep::{Lookout, Summary};
use squall_explore::watchdog::{Hang, USUAL_PATIENCE};

use super::unfinished::Asked;
use super::{
    CliError, duration, engine_option_of, program, quoted, replay_command, say, warn,
    warn_of_command,
};

/// How often a folder that is gone again is made again: another sweep that ends removes the one
/// that it made.
const TRIES: usize = 10;

/// How many runs of a dead process are reported; it has one for each job.
const MOST_TOLD: usize = 8;

/// What notes of runs say of their sweep.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    subject: String,
    engine: String,
    profile: String,
    strategy: String,
    /// How the names of its files begin.
    name: String,
}

/// The folder that a sweep writes to, and notes of what it runs. Empty folders that were made for
/// it go with it.
pub struct Desk {
    /// There until it is dropped.
    running: Option<Running>,
    made: Vec<PathBuf>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.running = None;
        for folder in &self.made {
            // One that holds findings stays.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

impl Desk {
    /// The folder `out`, made where it is missing, for a sweep on `jobs` threads that is called
    /// `name`.
    pub fn in_folder(out: &Path, jobs: usize, name: &str, asked: &Asked) -> Result<Self, CliError> {
        let about = About {
            subject: asked.subject.clone(),
            engine: asked.engine.clone(),
            profile: asked.profile.clone(),
            strategy: asked.strategy.clone(),
            name: name.to_owned(),
        };
        let made = missing_folders(out);
        let title = format!("{} under {}", asked.subject, asked.profile);
        let begin = || {
            std::fs::create_dir_all(out)?;
            Running::begin(out, jobs, &about, title.clone())
        };
        let mut running = begin();
        for _ in 0..TRIES {
            match &running {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => running = begin(),
                _ => break,
            }
        }
        let running = running.map_err(|error| CliError::file(out, &error))?;
        Ok(Self {
            running: Some(running),
            made,
        })
    }

    /// Notes of what runs.
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("it is there until the end")
    }
}

/// What is missing of the folder `out` and those above it, the innermost first.
fn missing_folders(out: &Path) -> Vec<PathBuf> {
    let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let folders = out.ancestors().take_while(missing);
    folders.map(Path::to_path_buf).collect()
}

/// Looks on for a sweep.
pub struct Watcher<'a> {
    pub patience: Option<Duration>,
    pub running: &'a Running,
    /// Its strategy makes plans of others, so that a seed does not say what it ran.
    pub notes_plans: bool,
    /// Is told of a run that hangs.
    pub tell: &'a (dyn Fn(&Hang, &Summary) + Sync),
}

impl Lookout for Watcher<'_> {
    fn patience(&self) -> Option<Duration> {
        self.patience
    }

    fn begins(&self, job: usize, seed: u64, plan: &Plan) {
        let plan = self.notes_plans.then_some(plan);
        self.running.begins(job, seed, plan);
    }

    fn ends(&self, job: usize) {
        self.running.ends(job);
    }

    fn hangs(&self, hang: &Hang, so_far: &Summary) {
        (self.tell)(hang, so_far);
    }
}

/// How long a run may stand still: a time, or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HangAfter(pub Option<Duration>);

impl HangAfter {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self(None)),
            time => duration(time)
                .map(|time| Self(Some(time)))
                .map_err(|error| format!("{error}, or never")),
        }
    }
}

impl Default for HangAfter {
    fn default() -> Self {
        Self(Some(USUAL_PATIENCE))
    }
}

/// A run that hangs, in words.
pub fn in_words(title: &str, profile: &str, hang: &Hang) -> String {
    let Hang { seed, step, at, .. } = hang;
    let told = match hang.told_to_end {
        true => "; it was told to end, and does not",
        false => "",
    };
    format!(
        "HANG {title} under {profile}: seed {seed} has stood still for {} s in step {step}, {at}{told}",
        hang.since.as_secs()
    )
}

/// Says that a plan hangs that a failure was to be shrunk to, and writes it to a file whose name
/// begins as `stem`.
pub fn tell_of_shrinking(
    stem: &Path,
    subject: &RegisteredSubject,
    hang: &Hang,
) -> Result<(), CliError> {
    say(&format!("{}\n", shrinking_hangs(stem, subject, hang)?))
}

/// The words of [`tell_of_shrinking`], which writes the plan.
pub fn shrinking_hangs(
    stem: &Path,
    subject: &RegisteredSubject,
    hang: &Hang,
) -> Result<String, CliError> {
    let mut stem = stem.to_path_buf().into_os_string();
    stem.push(format!("-seed-{}-hang", hang.seed));
    let name = NewName {
        stem: stem.into(),
        ending: ".json",
    };
    let written = write_new(
        folder_of(&name.stem),
        &name,
        &hang.plan.to_json(),
        Equal::Serves,
    );
    let path = written.map_err(|error| CliError::file(&name.stem, &error))?;
    Ok(format!(
        "HANG {}: while it was shrunk, a smaller plan has stood still for {} s in step {}, {}\n  plan       {}\n  reproduce  {}\n",
        subject.title(),
        hang.since.as_secs(),
        hang.step,
        hang.at,
        path.display(),
        replay_command(&path, subject)
    ))
}

/// Passes on what processes that died in the middle of their runs have left in a folder.
pub fn tell_of_the_dead(folder: &Path) {
    for Died { about, runs } in left_in::<About>(folder) {
        let shown = runs
            .iter()
            .take(MOST_TOLD)
            .map(|run| repeat(folder, &about, run));
        let mut commands: Vec<String> = shown.collect();
        if runs.len() > MOST_TOLD {
            commands.push(format!("and {} more", runs.len() - MOST_TOLD));
        }
        if commands.is_empty() {
            continue;
        }
        let About {
            subject, profile, ..
        } = about;
        warn(&format!(
            "a sweep of {subject} under {profile} in {} was killed, or died by abort, exit, or want of memory or stack; if a run ended it, it is one of these",
            folder.display()
        ));
        commands.iter().for_each(|command| warn_of_command(command));
    }
}

/// The command that reproduces a run of a process that died.
fn repeat(folder: &Path, about: &About, run: &Left) -> String {
    let seed = run.seed;
    let written = run.plan.as_ref().map(|plan| {
        let name = NewName {
            stem: folder.join(format!("{}-seed-{seed}-died", about.name)),
            ending: ".json",
        };
        write_new(folder_of(&name.stem), &name, &plan.to_json(), Equal::Serves)
    });
    let engine = engine_option_of(&about.engine);
    match written {
        Some(Ok(path)) => {
            let path = quoted(&path.display().to_string());
            format!("seed {seed}: {} replay {path}{engine}", program())
        }
        Some(Err(error)) => format!("seed {seed}, whose plan cannot be written: {error}"),
        None => {
            let strategy = match about.strategy == Kind::Swarm.name() {
                true => String::new(),
                false => format!(" --strategy {}", quoted(&about.strategy)),
            };
            format!(
                "seed {seed}: {} replay --seed {seed} --subject {} --profile {}{strategy}{engine}",
                program(),
                quoted(&about.subject),
                quoted(&about.profile)
            )
        }
    }
}

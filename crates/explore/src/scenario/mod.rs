//! Stories: scenarios written by hand, with what is expected of them in the same
//! file, in the manner of etcd raft's data-driven tests, but with crashes, cuts,
//! disks and clocks.
//!
//! A story is one more way to write a plan down. Its commands make up a plan of
//! explicit faults and operations, the engine carries that out once, and each block
//! is told what happened between its time and the next block's. So every check looks
//! on, and a story's plan replays and shrinks as any other. Knows no Raft library.
//!
//! To add a command: a file in `commands/`, and its line in the table there. Commands of faults are
//! with the faults.

mod commands;
mod draft;
mod file;
mod from_plan;
mod so_far;

use std::path::{Path, PathBuf};

pub use commands::{Command, commands};
pub use file::{Block, Story};
pub use from_plan::of_plan;
pub use so_far::SoFar;

use crate::explain::CausalTrace;
use draft::{Draft, Mark};
use squall_core::engine::{Line, Observer};
use squall_core::faults::story::Words;
use squall_core::invariants::Violation;
use squall_core::options::Feature;
use squall_core::plan::{Impossible, Plan};
use squall_core::registry::RegisteredSubject;
use squall_core::suggest;

/// Something in a story that cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoryError {
    /// The file cannot be read.
    #[error("cannot read story {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}:{line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong, and what would be legal.
        what: String,
    },
    /// The plan that it makes up cannot be.
    #[error("{path}: {source}")]
    Impossible {
        /// The file.
        path: PathBuf,
        /// The limit that it is beyond.
        source: Impossible,
    },
}

/// A story as one subject went through it.
#[derive(Debug)]
pub struct Told {
    /// The plan that it made up.
    pub plan: Plan,
    /// What happened, for each block.
    pub outputs: Vec<String>,
    /// How it ended, if badly.
    pub violation: Option<Violation>,
}

/// Why a subject does not go through a story.
#[derive(Debug)]
#[non_exhaustive]
pub enum Skipped {
    /// The story names its subjects, and this is none of them.
    NotNamed,
    /// The story needs what the subject does not support.
    Unsupported(Feature),
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Skipped::NotNamed => f.write_str("is none of the subjects that the story names"),
            Skipped::Unsupported(feature) => write!(f, "does not support {}", feature.name()),
        }
    }
}

impl Story {
    /// Carries the story out on `subject`.
    ///
    /// # Errors
    /// [`StoryError`] names the line.
    pub fn tell(&self, subject: &RegisteredSubject) -> Result<Result<Told, Skipped>, StoryError> {
        let draft = self.whole_draft(subject)?;
        if !draft.subjects.is_empty() && !draft.subjects.contains(&subject.name) {
            return Ok(Err(Skipped::NotNamed));
        }
        let (plan, marks) = draft.finish();
        if let Err(skipped) = self.check(&plan, subject)? {
            return Ok(Err(skipped));
        }
        let mut causes = CausalTrace::default();
        let mut keep = |line: Line| causes.add(line);
        let watch = Observer {
            lines: Some(&mut keep),
            ..Observer::default()
        };
        let outcome = subject.runner.run(&plan, watch);
        let mut outputs = vec![String::new(); self.blocks.len()];
        let failed_us = outcome.failure.as_ref().map(|failure| failure.time_us);
        for (place, mark) in marks.iter().enumerate() {
            let until_us = marks.get(place + 1).map_or(u64::MAX, Mark::time_us);
            let text = match mark {
                Mark::Since { at_us, .. } => causes.between(&plan, *at_us, until_us),
                Mark::Show { at_us, .. } => causes.nodes_at(*at_us, plan.nodes().len()),
                Mark::Heal { at_us, .. } => {
                    let mut text = causes.between(&plan, *at_us, until_us);
                    if outcome.failure.is_none() {
                        text.push_str("clean: the cluster has converged\n");
                    }
                    text
                }
            };
            outputs[mark.block()].push_str(&text);
            let broke_here = failed_us.is_some_and(|at| (mark.time_us()..until_us).contains(&at))
                && !matches!(mark, Mark::Show { .. });
            if let Some(failure) = outcome.failure.as_ref().filter(|_| broke_here) {
                let text = format!("VIOLATION {}\n", failure.violation);
                outputs[mark.block()].push_str(&text);
                break;
            }
        }
        Ok(Ok(Told {
            plan,
            outputs,
            violation: outcome.failure.map(|failure| failure.violation),
        }))
    }

    /// Whether the story is for `subject` where none is asked for: if it names it, or, where it
    /// names none, if it is an honest one.
    pub fn is_for(&self, subject: &RegisteredSubject) -> bool {
        let commands = self.blocks.iter().flat_map(|block| &block.commands);
        let mut named = commands.filter_map(|(_, text)| text.strip_prefix("subjects "));
        match named.next() {
            None => subject.caught_by.is_none(),
            Some(names) => names.split_whitespace().any(|name| name == subject.name),
        }
    }

    /// Makes sure that the plan that the story makes up can be carried out on `subject`.
    fn check(
        &self,
        plan: &Plan,
        subject: &RegisteredSubject,
    ) -> Result<Result<(), Skipped>, StoryError> {
        let impossible = |source| StoryError::Impossible {
            path: self.path.clone(),
            source,
        };
        plan.validate_told().map_err(impossible)?;
        plan.check_script(subject.runner.own())
            .map_err(impossible)?;
        Ok(match plan.asks_for_more_than(subject.runner.supports()) {
            Some(feature) => Err(Skipped::Unsupported(feature)),
            None => Ok(()),
        })
    }

    /// The story, which must have its end.
    fn whole_draft<'a>(&self, subject: &'a RegisteredSubject) -> Result<Draft<'a>, StoryError> {
        let draft = self.draft(subject)?;
        if draft.is_healed() {
            return Ok(draft);
        }
        let commands = self.blocks.iter().flat_map(|block| &block.commands);
        Err(StoryError::Line {
            path: self.path.clone(),
            line: commands.last().map_or(1, |(line, _)| *line),
            what: "the story does not end; its last command must be: heal".to_owned(),
        })
    }

    fn draft<'a>(&self, subject: &'a RegisteredSubject) -> Result<Draft<'a>, StoryError> {
        let mut draft = Draft::new(subject);
        for (number, block) in self.blocks.iter().enumerate() {
            draft.block = number;
            for (line, text) in &block.commands {
                let at = |what: String| StoryError::Line {
                    path: self.path.clone(),
                    line: *line,
                    what,
                };
                let mut words = Words::new(text);
                let Some(name) = words.next_word() else {
                    continue;
                };
                let Some(command) = commands().find(|command| command.name == name) else {
                    return Err(at(unknown(name)));
                };
                draft.may_go_on(name).map_err(at)?;
                let done = command
                    .act(&mut draft, &mut words)
                    .and_then(|()| words.end());
                done.map_err(|wrong| at(format!("{wrong}; legal: {}", command.usage)))?;
            }
        }
        Ok(draft)
    }
}

fn unknown(name: &str) -> String {
    let names = || commands().map(|command| command.name);
    let legal: Vec<&str> = names().collect();
    format!(
        "unknown command \"{name}\"{}; legal: {}",
        suggest::suggestion(name, names()),
        legal.join(", ")
    )
}

/// The stories in `path`, or it alone if it is a file, in order of name.
///
/// # Errors
/// [`StoryError`], when one cannot be read.
pub fn stories_in(path: &Path) -> Result<Vec<Story>, StoryError> {
    let unreadable = |source| StoryError::Read {
        path: path.to_path_buf(),
        source,
    };
    if !path.is_dir() {
        return Ok(vec![Story::read(path)?]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|ending| ending == "sim") {
            files.push(file);
        }
    }
    files.sort();
    files.iter().map(|file| Story::read(file)).collect()
}

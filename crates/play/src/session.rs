//! A session: what has been played on a subject, and what has come of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use squall_core::engine::Engine;
use squall_core::options::Feature;
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry, UnknownSubject};
use squall_explore::run_document::{RunDocument, ToCome};
use squall_explore::scenario::{Skipped, Story, StoryError, of_plan};

use super::act::{self, Lines};
use super::state::{Act, State};

/// The most steps of a run that is played: one of so many is shown after a few seconds.
pub const MOST_STEPS: u64 = 100_000;

/// The most bytes of a line.
const LONGEST_LINE: usize = 10_000;

/// Why an act is refused. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// A command is wrong, or the plan that the commands make up cannot be.
    #[error("{}", words_of(.0))]
    Story(#[from] StoryError),
    /// The subject does not support what the commands need.
    #[error("{subject} does not support {}", .feature.name())]
    Unsupported {
        /// The subject.
        subject: String,
        /// What the commands need.
        feature: Feature,
    },
    /// The story that is played names its subjects, and this is none of them.
    #[error("the story is for other subjects than {subject}")]
    NotNamed {
        /// The subject.
        subject: String,
    },
    /// The subject's runs cannot be ended at a time, as those of async servers cannot.
    #[error(
        "{subject} has an engine of its own, which carries plans out to their end; it cannot be played on"
    )]
    NoPresent {
        /// The subject.
        subject: String,
    },
    /// There is no such subject.
    #[error("{0}")]
    Subject(#[from] UnknownSubject),
    /// The command would change what has happened before the present.
    #[error(
        "this would change what has happened already; to act at an earlier time, undo what came after it first"
    )]
    ChangesPast,
    /// A rule is broken, which ends a run.
    #[error("a rule is broken, and the run is over; undo to go on from before")]
    Broken,
    /// The run takes too many steps.
    #[error("this takes more than {MOST_STEPS} steps; let less time pass")]
    TooLong,
    /// What is said is no line of a story.
    #[error("this is no line of a story: {0}")]
    NoLine(&'static str),
    /// There is nothing to undo, or to redo.
    #[error("there is nothing to {0}")]
    Nothing(&'static str),
}

/// What is wrong, without the file, which a story that is played has not.
fn words_of(error: &StoryError) -> String {
    match error {
        StoryError::Line { what, .. } => what.clone(),
        StoryError::Impossible { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// What has come of what is played.
struct Shown {
    document: RunDocument,
    to_come: ToCome,
    /// Where the run has come to.
    now_us: u64,
    /// Where the story has come to, which may be beyond.
    story_us: u64,
    has_begun: bool,
    is_healed: bool,
}

impl Shown {
    fn is_broken(&self) -> bool {
        self.document.violation.is_some()
    }
}

/// What is played on a subject, act by act.
pub struct Session {
    subjects: Arc<Registry>,
    subject: RegisteredSubject,
    /// The file that what is played began with, or a name for what has none.
    path: PathBuf,
    acts: Vec<Lines>,
    /// What was taken back, the first of it last.
    undone: Vec<Lines>,
    shown: Shown,
}

impl Session {
    /// Begins with a cluster of three voters to which nothing has happened.
    ///
    /// # Errors
    /// [`PlayError`], when the subject cannot run it.
    pub fn new(subjects: Arc<Registry>, subject: RegisteredSubject) -> Result<Self, PlayError> {
        let acts = vec![vec!["cluster voters=3".to_owned()]];
        Self::begin(subjects, subject, "played.sim".into(), acts)
    }

    /// Begins with what happens in a story. Its end, `heal`, is left to be redone, where no rule is
    /// broken by it.
    ///
    /// # Errors
    /// [`PlayError`], when the subject cannot run it.
    pub fn of_story(
        subjects: Arc<Registry>,
        subject: RegisteredSubject,
        story: &Story,
    ) -> Result<Self, PlayError> {
        Self::begin(subjects, subject, story.path.clone(), act::of_story(story))
    }

    /// Begins with what happens in a plan, whose file is `path`. The end of its storm, `heal`, is
    /// left to be redone, where no rule is broken by it.
    ///
    /// # Errors
    /// [`PlayError`], when the subject cannot run it.
    pub fn of_plan(
        subjects: Arc<Registry>,
        subject: RegisteredSubject,
        path: &Path,
        plan: &Plan,
    ) -> Result<Self, PlayError> {
        let plan = Plan {
            subject: subject.name.clone(),
            command: subject.command.clone(),
            ..plan.clone()
        };
        let path = path.with_extension("sim");
        let story = Story::parse(&path, &of_plan(&plan));
        Self::begin(subjects, subject, path, act::of_story(&story))
    }

    fn begin(
        subjects: Arc<Registry>,
        subject: RegisteredSubject,
        path: PathBuf,
        mut acts: Vec<Lines>,
    ) -> Result<Self, PlayError> {
        let mut undone = Vec::new();
        let mut shown = make(&subject, &path, &acts)?;
        if let Some(end) = acts.pop_if(|last| heals(last)) {
            let before = make(&subject, &path, &acts)?;
            // A rule that is broken only after the storm is what there is to see.
            if shown.is_broken() && !before.is_broken() {
                acts.push(end);
            } else {
                shown = before;
                undone.push(end);
            }
        }
        Ok(Self {
            subjects,
            subject,
            path,
            acts,
            undone,
            shown,
        })
    }

    /// A name for the file of what is played, without its ending.
    pub fn name(&self) -> String {
        let stem = self.path.file_stem().map(|stem| stem.to_string_lossy());
        stem.unwrap_or_default().into_owned()
    }

    /// What is played on.
    pub fn subject(&self) -> &RegisteredSubject {
        &self.subject
    }

    /// The subjects that can be played on.
    pub fn subjects(&self) -> &Registry {
        &self.subjects
    }

    /// The run up to the present time.
    pub fn document(&self) -> &RunDocument {
        &self.shown.document
    }

    /// Says a command, which acts at the present time; or a remark, which begins with `#`. What was
    /// taken back before cannot be redone any more.
    ///
    /// A command that would come before something that has happened in the same microsecond comes a
    /// microsecond later, for which there is a `run` of its own.
    ///
    /// # Errors
    /// [`PlayError`]; then nothing has changed.
    pub fn say(&mut self, line: &str) -> Result<(), PlayError> {
        self.say_all(&[line.to_owned()])
    }

    /// Says several lines, one after the other: see [`Session::say`].
    ///
    /// # Errors
    /// [`PlayError`], when one of them is refused; then nothing has changed.
    pub fn say_all(&mut self, lines: &[String]) -> Result<(), PlayError> {
        let mut acts = self.acts.clone();
        let mut newest = None;
        for line in lines {
            let line = line_of_story(line)?;
            if line.starts_with('#') {
                let remark = act::remark(line, &acts);
                acts.push(remark);
                continue;
            }
            let shown = newest.as_ref().unwrap_or(&self.shown);
            if shown.is_broken() {
                return Err(PlayError::Broken);
            }
            let (longer, shown) = self.go_on(&acts, shown, line)?;
            acts = longer;
            newest = Some(shown);
        }
        self.acts = acts;
        self.undone.clear();
        if let Some(shown) = newest {
            self.shown = shown;
        }
        Ok(())
    }

    /// The acts with this command after them, and what has come of that; `shown` is what has come
    /// of them.
    fn go_on(
        &self,
        acts: &[Lines],
        shown: &Shown,
        line: &str,
    ) -> Result<(Vec<Lines>, Shown), PlayError> {
        let is_cluster = line.split_whitespace().next() == Some("cluster");
        let command = match line {
            "heal" => act::end(acts),
            _ => vec![line.to_owned()],
        };
        let later = [&["run 1us".to_owned()], &command[..]].concat();
        for lines in [command, later] {
            let mut acts = acts.to_vec();
            if is_cluster && !shown.has_begun {
                // It sets all of the plan up anew.
                acts.retain(|lines| !matches!(name_of(lines), Some("cluster" | "set")));
            }
            acts.push(lines);
            let next = make(&self.subject, &self.path, &acts)?;
            if !next.has_begun || next.document.goes_on_from(&shown.document) {
                return Ok((acts, next));
            }
        }
        Err(PlayError::ChangesPast)
    }

    /// Takes the last act back.
    ///
    /// # Errors
    /// [`PlayError::Nothing`].
    pub fn undo(&mut self) -> Result<(), PlayError> {
        let last = self.acts.pop().ok_or(PlayError::Nothing("undo"))?;
        match make(&self.subject, &self.path, &self.acts) {
            Ok(shown) => {
                self.undone.push(last);
                self.shown = shown;
                Ok(())
            }
            Err(error) => {
                self.acts.push(last);
                Err(error)
            }
        }
    }

    /// Does again what was taken back last.
    ///
    /// # Errors
    /// [`PlayError::Nothing`], or what the subject has against it, which may be another by now.
    pub fn redo(&mut self) -> Result<(), PlayError> {
        if self.shown.is_broken() {
            return Err(PlayError::Broken);
        }
        let next = self.undone.pop().ok_or(PlayError::Nothing("redo"))?;
        self.acts.push(next);
        match make(&self.subject, &self.path, &self.acts) {
            Ok(shown) => {
                self.shown = shown;
                Ok(())
            }
            Err(error) => {
                self.undone.extend(self.acts.pop());
                Err(error)
            }
        }
    }

    /// Takes all acts back but those that set the cluster up. They can be redone one by one.
    ///
    /// # Errors
    /// [`PlayError`], when the subject cannot run what is left.
    pub fn reset(&mut self) -> Result<(), PlayError> {
        let sets_up =
            |lines: &Lines| matches!(name_of(lines), None | Some("cluster" | "set" | "subjects"));
        let kept = self.acts.iter().take_while(|lines| sets_up(lines)).count();
        let shown = make(&self.subject, &self.path, &self.acts[..kept])?;
        let taken = self.acts.drain(kept..).rev();
        self.undone.extend(taken);
        self.shown = shown;
        Ok(())
    }

    /// Plays the same on another subject.
    ///
    /// # Errors
    /// [`PlayError`], when there is none of that name, or it cannot run what is played.
    pub fn play_on(&mut self, name: &str) -> Result<(), PlayError> {
        let subject = self.subjects.find(name)?.on(self.subject.engine);
        self.shown = make(&subject, &self.path, &self.acts)?;
        self.subject = subject;
        Ok(())
    }

    /// What has been played and what has come of it.
    pub fn state(&self) -> State<'_> {
        let act = |lines: &Lines| Act {
            lines: lines
                .iter()
                .filter(|line| is_command(line) || line.trim_start().starts_with('#'))
                .cloned()
                .collect(),
        };
        let shown = &self.shown;
        State {
            subject: &self.subject.name,
            subjects: self.subjects.iter().map(|one| one.name.as_str()).collect(),
            name: self.name(),
            played: self.acts.iter().map(act).collect(),
            undone: self.undone.iter().rev().map(act).collect(),
            now_us: shown.now_us,
            has_begun: shown.has_begun,
            is_healed: shown.is_healed,
            is_broken: shown.is_broken(),
            to_come: &shown.to_come,
            document: &shown.document,
        }
    }

    /// The story's file: with its end, and with what is expected of each subject that goes through
    /// it.
    ///
    /// # Errors
    /// [`PlayError`], when the subject cannot run it to its end.
    pub fn story(&self) -> Result<String, PlayError> {
        super::saved::story(self, &self.whole_text())
    }

    /// The plan that the story makes up, as JSON.
    ///
    /// # Errors
    /// [`PlayError`], when the subject cannot run it to its end.
    pub fn plan(&self) -> Result<String, PlayError> {
        let story = Story::parse(&self.path, &self.whole_text());
        let so_far = story.so_far(&self.subject)?;
        Ok(so_far
            .map_err(|why| skipped(&self.subject, why))?
            .plan
            .to_json())
    }

    fn whole_text(&self) -> String {
        let mut acts = self.acts.clone();
        let violation = self.shown.document.violation.as_ref();
        let is_now = violation.is_some_and(|found| found.time_us >= self.shown.story_us);
        if is_now && !self.shown.is_healed {
            // The storm ends after the violation, and not in the same microsecond.
            acts.push(vec!["run 1us".to_owned()]);
        }
        let mut is_healed = self.shown.is_healed;
        if let [end] = &self.undone[..]
            && heals(end)
        {
            // The end that the story had is still its end.
            acts.push(end.clone());
            is_healed = true;
        }
        act::whole_text(&acts, is_healed)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The line without what surrounds it, where a person may say it.
fn line_of_story(line: &str) -> Result<&str, PlayError> {
    let line = line.trim();
    if line.is_empty() {
        return Err(PlayError::NoLine("it is empty"));
    }
    if line.len() > LONGEST_LINE {
        return Err(PlayError::NoLine("it is too long"));
    }
    if line.chars().any(char::is_control) {
        return Err(PlayError::NoLine("it is more than one line"));
    }
    if line.starts_with("----") {
        return Err(PlayError::NoLine(
            "what is expected is written down when it is saved; a remark, which begins with #, begins a new block",
        ));
    }
    Ok(line)
}

/// Whether an act ends the story.
fn heals(lines: &Lines) -> bool {
    name_of(lines) == Some("heal")
}

/// The name of the first command of an act; none of a remark.
fn name_of(lines: &Lines) -> Option<&str> {
    let command = lines.iter().find(|line| is_command(line))?;
    command.split_whitespace().next()
}

fn is_command(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && !text.starts_with('#') && !text.starts_with("----")
}

pub(crate) fn skipped(subject: &RegisteredSubject, why: Skipped) -> PlayError {
    let subject = subject.name.clone();
    match why {
        Skipped::Unsupported(feature) => PlayError::Unsupported { subject, feature },
        _ => PlayError::NotNamed { subject },
    }
}

/// Carries out what the acts come to, up to the present time.
fn make(subject: &RegisteredSubject, path: &Path, acts: &[Lines]) -> Result<Shown, PlayError> {
    let only_on = subject.runner.only_on();
    if only_on.is_some_and(|engine| engine != Engine::LOCKSTEP) {
        let subject = subject.name.clone();
        return Err(PlayError::NoPresent { subject });
    }
    let story = Story::parse(path, &act::text(acts));
    let so_far = story
        .so_far(subject)?
        .map_err(|why| skipped(subject, why))?;
    let until_us = (!so_far.is_healed).then_some(so_far.now_us);
    let (mut document, outcome, to_come) =
        RunDocument::until(subject, &so_far.plan, "", Some(MOST_STEPS), until_us);
    if outcome.steps >= MOST_STEPS && outcome.failure.is_none() {
        return Err(PlayError::TooLong);
    }
    let now_us = match document.violation.is_some() || so_far.is_healed {
        true => outcome.time_us,
        false => so_far.now_us,
    };
    document.end.time_us = now_us;
    super::state::leave_ends_open(&mut document, &so_far.open);
    Ok(Shown {
        document,
        to_come,
        now_us,
        story_us: so_far.now_us,
        has_begun: so_far.has_begun,
        is_healed: so_far.is_healed,
    })
}

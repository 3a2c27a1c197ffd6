//! The subjects of a program: Raft implementations behind the seam, by name, and how a plan is
//! carried out on one whatever its types. Knows no Raft library: a program makes its own list.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::bugs::{Bug, Injected, Tamper};
use crate::engine::{self, Engine, Observer, Outcome, UnknownEngine};
use crate::invariants::Property;
use crate::options::Feature;
use crate::own::Own;
use crate::plan::{Plan, PlanSpace, Profile};
use crate::replica::{Message, Subject};
use crate::reproduction::Reproducer;
use crate::suggest;

/// A subject that a plan can be run on, whatever its types.
pub trait Runner: Send + Sync {
    /// Carries out `plan`: see [`engine::run`].
    fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome;

    /// Carries it out with every replica in a task of `host`: see [`engine::run_hosted`]. A runner
    /// that does not know of hosts falls back to its [`run`](Runner::run), whose outcome is the
    /// same.
    #[cfg(feature = "hosted")]
    fn run_hosted(&self, plan: &Plan, watch: Observer<'_>, _host: &dyn engine::Host) -> Outcome {
        self.run(plan, watch)
    }

    /// What the implementation has: see [`Subject::supports`].
    fn supports(&self) -> &'static [Feature];

    /// What the implementation declares of its own: see [`Subject::options`] and
    /// [`Subject::known_issues`].
    fn own(&self) -> Own;

    /// The same as [`run`](Runner::run), by a process that has run nothing before, where the nodes
    /// live in one of their own: what an earlier run left there shows by another outcome.
    fn run_fresh(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        self.run(plan, watch)
    }

    /// Processor time that processes of its own have taken so far, beside this one's.
    fn time_elsewhere(&self) -> Duration {
        Duration::ZERO
    }

    /// Why it cannot run any plan now, where that is so: what it runs them with is gone. What it
    /// has run since says nothing of its subject.
    fn is_gone(&self) -> Option<String> {
        None
    }

    /// The engine that it always runs on, whichever is asked for, if there is one.
    fn only_on(&self) -> Option<Engine> {
        None
    }
}

impl<S: Subject + Send + Sync> Runner for S
where
    S::Replica: 'static,
    Message<S>: 'static,
{
    fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        engine::run(plan, self, watch)
    }

    #[cfg(feature = "hosted")]
    fn run_hosted(&self, plan: &Plan, watch: Observer<'_>, host: &dyn engine::Host) -> Outcome {
        engine::run_hosted(plan, self, watch, host)
    }

    fn supports(&self) -> &'static [Feature] {
        Subject::supports(self)
    }

    fn own(&self) -> Own {
        Own {
            options: self.options(),
            issues: self.known_issues(),
            has_machine: self.service().kit().is_some(),
            uses_streams: self.uses_streams(),
        }
    }
}

/// A subject with its name.
#[derive(Clone)]
pub struct RegisteredSubject {
    /// Its name.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// The command that starts it, where it is a process of its own.
    pub command: Option<String>,
    /// What a command line must have besides its name for it to be there: an option, with a space
    /// before it. Empty where nothing is needed.
    pub named_with: String,
    /// The check that is to catch its injected bug, where it has one.
    pub caught_by: Option<Property>,
    /// The subject.
    pub runner: Arc<dyn Runner>,
    /// The engine that the runner runs plans with.
    pub engine: Engine,
    /// What makes its library's calls again without the harness, where the adapter has that.
    #[doc(hidden)]
    pub reproducer: Option<&'static dyn Reproducer>,
}

/// There is no subject to be had of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownSubject {
    /// No subject has it.
    #[error("unknown subject \"{name}\"{nearest}; legal: {legal}")]
    Unknown {
        /// The name.
        name: String,
        /// The nearest one that there is, in words; empty where none is near.
        nearest: String,
        /// Those that there are.
        legal: String,
    },
    /// The one that has it cannot be made.
    #[error("the subject {name} cannot be started: {why}")]
    NotMade {
        /// The name.
        name: String,
        /// Why not.
        why: String,
    },
}

/// Subjects that are made when they are first asked for: an honest one, and it with injected bugs.
pub struct LateSubject {
    /// The honest one's name.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    make: Box<Make>,
    made: OnceLock<Result<Vec<RegisteredSubject>, String>>,
}

type Make = dyn Fn() -> Result<Vec<RegisteredSubject>, String> + Send + Sync;

impl LateSubject {
    /// The honest one's name, what it is, and what makes it and those with injected bugs, which are
    /// called `NAME+BUG`.
    pub fn new(
        name: impl Into<String>,
        about: impl Into<String>,
        make: impl Fn() -> Result<Vec<RegisteredSubject>, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            make: Box::new(make),
            made: OnceLock::new(),
        }
    }

    fn has(&self, name: &str) -> bool {
        let rest = name.strip_prefix(&self.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
    }
}

/// `subject` under the name `name`, then `subject` with each injected bug that fits it, as
/// `name+bug`.
pub fn with_bugs<S: Tamper + Copy + Send + Sync + 'static>(
    name: &str,
    about: &str,
    subject: S,
) -> Vec<RegisteredSubject> {
    let honest = RegisteredSubject::new(name, about, subject);
    let injected = Bug::ALL
        .iter()
        .filter(|bug| S::can(**bug))
        .map(|bug| RegisteredSubject {
            caught_by: Some(S::caught_by(*bug)),
            ..RegisteredSubject::new(
                format!("{name}+{}", bug.name()),
                format!("{} (caught by {})", bug.about(), S::caught_by(*bug)),
                Injected { subject, bug: *bug },
            )
        });
    std::iter::once(honest).chain(injected).collect()
}

impl RegisteredSubject {
    /// A subject with this name, which must be one word.
    pub fn new(
        name: impl Into<String>,
        about: impl Into<String>,
        subject: impl Runner + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            command: None,
            named_with: String::new(),
            caught_by: None,
            engine: subject.only_on().unwrap_or_default(),
            runner: Arc::new(subject),
            reproducer: None,
        }
    }

    /// The same, with what makes its library's calls again.
    #[doc(hidden)]
    #[must_use]
    pub fn with_reproducer(self, reproducer: &'static dyn Reproducer) -> Self {
        Self {
            reproducer: Some(reproducer),
            ..self
        }
    }

    /// What plans for it are drawn from, with that profile.
    pub fn plans<'a>(&'a self, profile: &'a Profile) -> PlanSpace<'a> {
        PlanSpace {
            subject: &self.name,
            command: self.command.as_deref(),
            supports: self.runner.supports(),
            own: self.runner.own(),
            profile,
        }
    }

    /// Its name, and its engine where that is not the usual one.
    pub fn title(&self) -> String {
        match self.engine == Engine::default() {
            true => self.name.clone(),
            false => format!("{} on {}", self.name, self.engine.name()),
        }
    }

    /// The same subject on another engine; on its own engine where it has only one
    /// ([`Runner::only_on`]).
    pub fn on(&self, engine: Engine) -> Self {
        let only = self.runner.only_on();
        let runner = Arc::clone(&self.runner);
        Self {
            name: self.name.clone(),
            about: self.about.clone(),
            command: self.command.clone(),
            named_with: self.named_with.clone(),
            caught_by: self.caught_by,
            reproducer: self.reproducer,
            runner: match only {
                Some(_) => runner,
                None => engine.drive(runner),
            },
            engine: only.unwrap_or(engine),
        }
    }
}

/// The subjects of a program, the first of which is the default, and its engines.
pub struct Registry {
    all: Vec<RegisteredSubject>,
    late: Vec<LateSubject>,
    engines: Vec<Engine>,
}

impl IntoIterator for Registry {
    type Item = RegisteredSubject;
    type IntoIter = std::vec::IntoIter<RegisteredSubject>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl From<Vec<RegisteredSubject>> for Registry {
    /// See [`Registry::new`].
    fn from(all: Vec<RegisteredSubject>) -> Self {
        Self::new(all)
    }
}

impl Registry {
    /// These subjects.
    ///
    /// # Panics
    /// When there is none.
    pub fn new(all: Vec<RegisteredSubject>) -> Self {
        assert!(!all.is_empty(), "there is no subject");
        // A subject may have an engine of its own.
        let mut engines = vec![Engine::LOCKSTEP];
        for subject in &all {
            if !engines.contains(&subject.engine) {
                engines.push(subject.engine);
            }
        }
        Self {
            all,
            late: Vec::new(),
            engines,
        }
    }

    /// The same, with these before all others.
    #[must_use]
    pub fn with_first(mut self, mut first: Vec<RegisteredSubject>) -> Self {
        first.append(&mut self.all);
        Self { all: first, ..self }
    }

    /// The same, with subjects that are made when they are asked for by name.
    #[must_use]
    pub fn with_late(mut self, late: Vec<LateSubject>) -> Self {
        self.late.extend(late);
        self
    }

    /// The same, without the one of this name among those that are made when they are asked for.
    #[must_use]
    pub fn without_late(mut self, name: &str) -> Self {
        self.late.retain(|late| late.name != name);
        self
    }

    /// Those that are made when they are asked for by name.
    pub fn late(&self) -> &[LateSubject] {
        &self.late
    }

    /// The same, with another engine to run them on.
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        if !self.engines.contains(&engine) {
            self.engines.push(engine);
        }
        self
    }

    /// The engines of this program; the first is the default.
    pub fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// The engine of that name.
    ///
    /// # Errors
    /// [`UnknownEngine`] names the nearest and all legal names.
    pub fn engine(&self, name: &str) -> Result<Engine, UnknownEngine> {
        Engine::by_name(name, &self.engines)
    }

    /// All of them, but for those that are made when they are asked for.
    pub fn iter(&self) -> impl Iterator<Item = &RegisteredSubject> {
        self.all.iter()
    }

    /// The subject of that name.
    ///
    /// # Errors
    /// [`UnknownSubject`] names the nearest and all legal names.
    pub fn find(&self, name: &str) -> Result<&RegisteredSubject, UnknownSubject> {
        let mut found = self.iter().find(|subject| subject.name == name);
        if found.is_none()
            && let Some(late) = self.late.iter().find(|late| late.has(name))
        {
            let made = late.made.get_or_init(&late.make).as_ref();
            let made = made.map_err(|why| UnknownSubject::NotMade {
                name: late.name.clone(),
                why: why.clone(),
            })?;
            found = made.iter().find(|subject| subject.name == name);
        }
        let names = self.iter().map(|subject| subject.name.as_str());
        let late = self.late.iter().map(|late| late.name.as_str());
        let names: Vec<&str> = names.chain(late).collect();
        found.ok_or_else(|| UnknownSubject::Unknown {
            name: name.to_owned(),
            nearest: suggest::suggestion(name, names.iter().copied()),
            legal: self.in_short(),
        })
    }

    /// Names the subjects without an injected bug and counts the others, which are many.
    fn in_short(&self) -> String {
        let (injected, honest): (Vec<&RegisteredSubject>, Vec<&RegisteredSubject>) =
            self.iter().partition(|subject| subject.caught_by.is_some());
        let late = self.late.iter().map(|late| &late.name);
        let honest = honest.iter().map(|subject| &subject.name);
        let mut names: Vec<String> = honest.chain(late).cloned().collect();
        if let Some(first) = injected.first() {
            let count = injected.len();
            names.push(format!(
                "or {count} with an injected bug, as {}",
                first.name
            ));
        }
        names.join(", ")
    }

    /// The subject of that name, or the first.
    ///
    /// # Errors
    /// As [`Registry::find`].
    pub fn find_or_first(&self, name: Option<&str>) -> Result<&RegisteredSubject, UnknownSubject> {
        match name {
            Some(name) => self.find(name),
            None => Ok(&self.all[0]),
        }
    }
}

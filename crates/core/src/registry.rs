//! The subjects of a program: Raft implementations behind the seam, by name, and how a plan is
//! carried out on one whatever its types. Knows no Raft library: a program makes its own list.

use std::sync::Arc;

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

/// No subject has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown subject \"{name}\"{nearest}; legal: {legal}")]
pub struct UnknownSubject {
    name: String,
    nearest: String,
    legal: String,
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
        Self { all, engines }
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

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &RegisteredSubject> {
        self.all.iter()
    }

    /// The subject of that name.
    ///
    /// # Errors
    /// [`UnknownSubject`] names the nearest and all legal names.
    pub fn find(&self, name: &str) -> Result<&RegisteredSubject, UnknownSubject> {
        let names: Vec<&str> = self.iter().map(|subject| subject.name.as_str()).collect();
        let found = self.iter().find(|subject| subject.name == name);
        found.ok_or_else(|| UnknownSubject {
            name: name.to_owned(),
            nearest: suggest::suggestion(name, names.iter().copied()),
            legal: self.in_short(),
        })
    }

    /// Names the subjects without an injected bug and counts the others, which are many.
    fn in_short(&self) -> String {
        let (injected, honest): (Vec<&RegisteredSubject>, Vec<&RegisteredSubject>) =
            self.iter().partition(|subject| subject.caught_by.is_some());
        let mut names: Vec<String> = honest.iter().map(|subject| subject.name.clone()).collect();
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

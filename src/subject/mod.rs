//! The subjects: Raft implementations behind the seam, by name. Only this folder
//! names a Raft library. To add one: a folder here, and a line in [`all`]; or, in a
//! program of one's own, a [`Named`] for the command line (`squall::cli::main`).

pub mod hostile;
pub mod noraft;
pub mod one_at_a_time;
pub mod planted;
pub mod raft_rs;
pub mod state_machine;

use std::sync::Arc;

use crate::check::Property;
use crate::engine::{self, Engine, Outcome, Watch};
use crate::nearest;
use crate::options::Feature;
use crate::plan::Plan;
use crate::replica::{Message, Subject};
use planted::{Bug, Planted, Tamper};

/// The subject that is meant when none is named.
pub const DEFAULT: &str = "raft-rs";

/// A subject that a plan can be carried out on, whatever its types.
pub trait Runner: Send + Sync {
    /// Carries out `plan`: see [`engine::run`].
    fn run(&self, plan: &Plan, watch: Watch<'_>) -> Outcome;

    /// Carries it out on madsim: see [`engine::run_on_madsim`]. A runner that does not know of madsim goes by its
    /// [`run`](Runner::run), whose outcome is the same.
    #[cfg(all(feature = "madsim", madsim))]
    fn run_on_madsim(&self, plan: &Plan, watch: Watch<'_>) -> Outcome {
        self.run(plan, watch)
    }

    /// What the implementation does not have: see [`Subject::lacks`].
    fn lacks(&self) -> &'static [Feature];

    /// The engine that it runs on whatever is asked for, if there is one.
    fn only_on(&self) -> Option<Engine> {
        None
    }
}

impl<S: Subject + Send + Sync> Runner for S
where
    S::Replica: 'static,
    Message<S>: 'static,
{
    fn run(&self, plan: &Plan, watch: Watch<'_>) -> Outcome {
        engine::run(plan, self, watch)
    }

    #[cfg(all(feature = "madsim", madsim))]
    fn run_on_madsim(&self, plan: &Plan, watch: Watch<'_>) -> Outcome {
        engine::run_on_madsim(plan, self, watch)
    }

    fn lacks(&self) -> &'static [Feature] {
        Subject::lacks(self)
    }
}

/// A runner that carries out plans on madsim.
#[cfg(all(feature = "madsim", madsim))]
struct OnMadsim(Arc<dyn Runner>);

#[cfg(all(feature = "madsim", madsim))]
impl Runner for OnMadsim {
    fn run(&self, plan: &Plan, watch: Watch<'_>) -> Outcome {
        self.0.run_on_madsim(plan, watch)
    }

    fn run_on_madsim(&self, plan: &Plan, watch: Watch<'_>) -> Outcome {
        self.0.run_on_madsim(plan, watch)
    }

    fn lacks(&self) -> &'static [Feature] {
        self.0.lacks()
    }
}

/// A subject with its name.
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// The check that is to catch its planted bug, where it has one.
    pub caught_by: Option<Property>,
    /// The subject.
    pub runner: Arc<dyn Runner>,
    /// The engine that the runner carries plans out with.
    pub engine: Engine,
}

/// No subject has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown subject \"{name}\"{nearest}; legal: {legal}")]
pub struct UnknownSubject {
    name: String,
    nearest: String,
    legal: String,
}

/// All subjects: each honest one, then it with each planted bug.
pub fn all() -> Vec<Named> {
    let about = "tikv's raft 0.7.0, unmodified, behind an honest driver";
    let mut all = with_bugs(DEFAULT, about, raft_rs::RaftRs);
    let about = "sile's noraft 0.7.1, unmodified, behind an honest driver";
    all.extend(with_bugs("noraft", about, noraft::Noraft));
    all
}

fn with_bugs<S: Tamper + Copy + Send + Sync + 'static>(
    name: &str,
    about: &str,
    subject: S,
) -> Vec<Named> {
    let honest = Named::new(name, about, subject);
    let planted = Bug::ALL
        .iter()
        .filter(|bug| S::can(**bug))
        .map(|bug| Named {
            caught_by: Some(S::caught_by(*bug)),
            ..Named::new(
                format!("{name}+{}", bug.name()),
                format!("{} (caught by {})", bug.about(), S::caught_by(*bug)),
                Planted { subject, bug: *bug },
            )
        });
    std::iter::once(honest).chain(planted).collect()
}

impl Named {
    /// A subject by this name, which is to be one word.
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
        }
    }

    /// Its name, and its engine where that is not the usual one.
    pub fn title(&self) -> String {
        match self.engine == Engine::default() {
            true => self.name.clone(),
            false => format!("{} on {}", self.name, self.engine.name()),
        }
    }

    /// The same subject on another engine; on its own where it has but one ([`Runner::only_on`]).
    pub fn on(&self, engine: Engine) -> Self {
        let only = self.runner.only_on();
        let engine = only.unwrap_or(engine);
        #[cfg(all(feature = "madsim", madsim))]
        let runner: Arc<dyn Runner> = match engine {
            Engine::Madsim if only.is_none() => Arc::new(OnMadsim(Arc::clone(&self.runner))),
            _ => Arc::clone(&self.runner),
        };
        #[cfg(not(all(feature = "madsim", madsim)))]
        let runner = Arc::clone(&self.runner);
        Self {
            name: self.name.clone(),
            about: self.about.clone(),
            caught_by: self.caught_by,
            runner,
            engine,
        }
    }
}

/// The subjects of a program. The first is meant where none is named.
pub struct Subjects(Vec<Named>);

impl Subjects {
    /// These subjects.
    ///
    /// # Panics
    /// When there is none.
    pub fn new(all: Vec<Named>) -> Self {
        assert!(!all.is_empty(), "there is no subject");
        Self(all)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Named> {
        self.0.iter()
    }

    /// The subject of that name.
    ///
    /// # Errors
    /// [`UnknownSubject`] names the nearest and all legal names.
    pub fn find(&self, name: &str) -> Result<&Named, UnknownSubject> {
        let names: Vec<&str> = self.iter().map(|subject| subject.name.as_str()).collect();
        let found = self.iter().find(|subject| subject.name == name);
        found.ok_or_else(|| UnknownSubject {
            name: name.to_owned(),
            nearest: nearest::suggestion(name, names.iter().copied()),
            legal: self.in_short(),
        })
    }

    /// Those without a planted bug by name, for the others are many.
    fn in_short(&self) -> String {
        let (planted, honest): (Vec<&Named>, Vec<&Named>) =
            self.iter().partition(|subject| subject.caught_by.is_some());
        let mut names: Vec<String> = honest.iter().map(|subject| subject.name.clone()).collect();
        if let Some(first) = planted.first() {
            let count = planted.len();
            names.push(format!("or {count} with a planted bug, as {}", first.name));
        }
        names.join(", ")
    }

    /// The subject of that name, or the first.
    ///
    /// # Errors
    /// As [`Subjects::find`].
    pub fn find_or_first(&self, name: Option<&str>) -> Result<&Named, UnknownSubject> {
        match name {
            Some(name) => self.find(name),
            None => Ok(&self.0[0]),
        }
    }
}

/// The subject of that name among [`all`].
///
/// # Errors
/// As [`Subjects::find`].
pub fn find(name: &str) -> Result<Named, UnknownSubject> {
    let mut subjects = Subjects::new(all());
    let place = subjects.iter().position(|subject| subject.name == name);
    match place {
        Some(place) => Ok(subjects.0.swap_remove(place)),
        None => Err(subjects.find(name).err().expect("no subject has the name")),
    }
}

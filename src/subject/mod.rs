//! The subjects: Raft implementations behind the seam, by name. Only this folder
//! names a Raft library. To add one: a folder here, and a line in [`all`]; or, in a
//! program of one's own, a [`Named`] for the command line (`squall::cli::main`).

pub mod hostile;
pub mod noraft;
pub mod one_at_a_time;
pub mod planted;
pub mod raft_rs;
pub mod state_machine;

use crate::check::Property;
use crate::engine::{self, Outcome, Watch};
use crate::nearest;
use crate::options::Feature;
use crate::plan::Plan;
use crate::replica::Subject;
use planted::{Bug, Planted, Tamper};

/// The subject that is meant when none is named.
pub const DEFAULT: &str = "raft-rs";

/// A subject that a plan can be carried out on, whatever its types.
pub trait Runner: Send + Sync {
    /// Carries out `plan`: see [`engine::run`].
    fn run(&self, plan: &Plan, watch: Watch<'_>) -> Outcome;

    /// What the implementation does not have: see [`Subject::lacks`].
    fn lacks(&self) -> &'static [Feature];
}

impl<S: Subject + Send> Runner for S {
    fn run(&self, plan: &Plan, watch: Watch<'_>) -> Outcome {
        engine::run(plan, self, watch)
    }

    fn lacks(&self) -> &'static [Feature] {
        Subject::lacks(self)
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
    pub runner: Box<dyn Runner>,
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

fn with_bugs<S: Tamper + Copy + Send + 'static>(name: &str, about: &str, subject: S) -> Vec<Named> {
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
            runner: Box::new(subject),
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
            legal: names.join(", "),
        })
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

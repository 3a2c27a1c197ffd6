//! Search: which plan to run next. A strategy makes a plan for every seed of a
//! sweep, and may learn from how runs go. It knows nothing of threads, time or
//! printing, and what it does is a function of its seeds and of what it was told.

mod blind;

pub use blind::{Swarm, Uniform};

use crate::options::Feature;
use crate::plan::{Plan, Profile};

/// A way to search the space of plans.
pub trait Strategy: Sync {
    /// The plan of the run of `seed`.
    ///
    /// The same seed gives the same plan as long as nothing has been learnt in between.
    fn plan(&self, seed: u64) -> Plan;

    /// Runs that are handed out together. What they come to is learnt in the order of their
    /// seeds when all are done, so that nothing depends on how many went on side by side.
    fn portion(&self) -> u64 {
        64
    }
}

/// What strategies make plans for, and from.
#[derive(Clone, Copy, Debug)]
pub struct Space<'a> {
    /// The subject's name.
    pub subject: &'a str,
    /// What plans must not ask for.
    pub lacks: &'a [Feature],
    /// What they are drawn from.
    pub profile: &'a Profile,
}

macro_rules! kinds {
    ($($variant:ident = $name:literal, $about:literal;)*) => {
        /// The strategies, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // Each variant's line is its text in `about`.
        pub enum Kind { $($variant,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// Its name, as `--strategy` takes it.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }

            /// What it does, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Kind::$variant => $about,)* }
            }
        }
    };
}

kinds! {
    Swarm = "swarm", "each run first draws which kinds of fault and which options exist in it at all (Groce et al., ISSTA 2012)";
    Uniform = "uniform", "every kind of fault and every option has its part in every run";
}

impl Kind {
    /// The strategy of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// A strategy of this kind over `space`.
    pub fn over<'a>(self, space: Space<'a>) -> Box<dyn Strategy + 'a> {
        match self {
            Kind::Swarm => Box::new(Swarm::over(space)),
            Kind::Uniform => Box::new(Uniform::over(space)),
        }
    }
}

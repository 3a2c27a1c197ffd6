//! Search: which plan to run next. A strategy makes a plan for every seed of a
//! sweep, and may learn from how runs go. It knows nothing of threads, time or
//! printing, and what it does is a function of its seeds and of what it was told.

mod blind;
mod folder;
mod guided;
mod mixed;
mod mutate;
mod pct;

pub use blind::{Swarm, Uniform};
pub use folder::{Contents, Folder};
pub use guided::Guided;
pub use mixed::{Mixed, check};
pub use mutate::mutate;
pub use pct::Pct;

use squall_core::coverage::{Map, NewCoverage, RunCoverage};
use squall_core::plan::{Plan, PlanSpace, Profile};

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

    /// Whether its plans are what the profile draws, so that over many of them things happen as
    /// often as the profile says they must ([`squall_core::plan::Share`]).
    fn draws_alike(&self) -> bool {
        false
    }

    /// Whether it learns from what runs cover.
    fn learns(&self) -> bool {
        false
    }

    /// Takes in what the runs of a portion came to, in the order of their seeds, after `map` has.
    /// Returns which of them it keeps the plans of.
    fn learn(&mut self, _lessons: &[Feedback], _map: &Map) -> Vec<usize> {
        Vec::new()
    }
}

/// What one run came to.
#[derive(Clone, Debug)]
pub struct Feedback {
    /// The seed that it was the run of.
    pub seed: u64,
    /// What was run.
    pub plan: Plan,
    /// What it covered.
    pub trail: RunCoverage,
    /// What of that no run before it had covered.
    pub news: NewCoverage,
    /// Steps that it made.
    pub steps: u64,
    /// Whether it ended in a violation.
    pub failed: bool,
}

macro_rules! kinds {
    ($($variant:ident = $name:literal, $about:literal;)*) => {
        /// The strategies, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // Each variant's line is its text in `about`.
        #[non_exhaustive]
        pub enum Kind { $($variant,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// Its name, as `--strategy` takes it.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }

            /// Whether its plans come of runs before, and not of seeds alone.
            pub fn learns(self) -> bool {
                matches!(self, Kind::Guided)
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
    Pct = "pct", "as swarm, and links have priorities that change a few times, in place of chance (Burckhardt et al., ASPLOS 2010)";
    Mixed = "mixed", "for each variant of the profile the strategy that it names, and swarm where it names none; what a sweep does that names none itself";
    Guided = "guided", "changes plans that reached new abstract Raft states, the rarest first, among fresh ones as of swarm";
}

impl Kind {
    /// The strategy of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind that was `asked` for, or the usual one.
    pub fn asked_or_usual(asked: Option<Self>, profile: &Profile) -> Self {
        asked.unwrap_or_else(|| Self::usual_for(profile))
    }

    /// The kind of a sweep that names none: as the profile says, where its variants name some.
    pub fn usual_for(profile: &Profile) -> Self {
        let mut variants = profile.variants.iter();
        match variants.any(|variant| variant.strategy.is_some()) {
            true => Kind::Mixed,
            false => Kind::Swarm,
        }
    }

    /// A strategy of this kind over `space`, for a sweep that begins with `first_seed`. One that
    /// learns first runs the plans of `given`.
    pub fn over<'a>(
        self,
        space: PlanSpace<'a>,
        first_seed: u64,
        given: Vec<Plan>,
    ) -> Box<dyn Strategy + 'a> {
        match self {
            Kind::Swarm => Box::new(Swarm::over(space)),
            Kind::Uniform => Box::new(Uniform::over(space)),
            Kind::Pct => Box::new(Pct::over(space)),
            Kind::Mixed => Box::new(Mixed::over(space)),
            Kind::Guided => Box::new(Guided::over(space, first_seed, given)),
        }
    }
}

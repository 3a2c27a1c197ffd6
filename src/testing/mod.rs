//! Storms in the `cargo test` of your own crate: a builder ([`check`]), and an attribute
//! (`#[squall::test]`) for a test that decides itself what happens to each simulation.
//!
//! ```no_run
//! # use squall::raft_rs::RaftRs as MyRaft;
//! squall::check(MyRaft).seeds(0..200).run();
//! ```
//!
//! ```no_run,test_harness
//! # use squall::raft_rs::RaftRs as MyRaft;
//! #[squall::test(seeds = 200)]
//! fn my_raft_survives(sim: squall::Sim<MyRaft>) {
//!     let run = sim.run();
//!     assert!(run.count("leader-elected") > 0);
//! }
//! ```
//!
//! A failure is shrunk, and its plan written to `squall-regressions/` of the crate under test; the
//! next run begins with the plans there. The environment (see [`VARIABLES`]) overrides what the
//! test says. This module knows the sweep, the shrinker and the report; they know nothing of tests.

mod body;
mod carried_out;
mod failed;
mod known_issues;
#[cfg(feature = "proptest")]
pub mod machine;
mod place;
mod settings;
mod sim;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

pub use failed::{Failed, Reason};
pub use settings::VARIABLES;
pub use sim::{Run, Sim};

use body::{Body, Unequal};
use carried_out::Test;
use place::Place;
use settings::Settings;
use squall_core::counters::Counter;
use squall_core::own::KnownIssue;
use squall_core::plan::{DEFAULT_PROFILE, Profile};
use squall_core::registry::{RegisteredSubject, Runner};
use squall_core::suggest;
use squall_explore::strategy;
use squall_explore::sweep::Summary;
#[cfg(feature = "proptest")]
use squall_proptest::Drawn;

/// Seeds of a test that does not say how many.
const USUAL_SEEDS: u64 = 200;

/// How long a failure is shrunk, where a test does not say.
const USUAL_SHRINKING: Duration = Duration::from_secs(10);

/// Begins a test of `subject`; [`Check::run`] carries it out. By default it runs 200 seeds under
/// the profile `portfolio`.
pub fn check<S: Runner + 'static>(subject: S) -> Check<S> {
    Check {
        subject,
        name: None,
        test: None,
        profile: DEFAULT_PROFILE.to_owned(),
        seeds: Seeds(0..USUAL_SEEDS),
        jobs: None,
        time: None,
        sometimes: Vec::new(),
        shrink_for: USUAL_SHRINKING,
        regressions: None,
    }
}

/// The subject of a test that names only its type. For `#[squall::test]`.
#[doc(hidden)]
pub fn subject_of<S: Runner + Default + 'static>(_: fn(Sim<S>)) -> S {
    S::default()
}

/// Which seeds: a range, or a number of seeds from 0 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(std::ops::Range<u64>);

impl From<std::ops::Range<u64>> for Seeds {
    fn from(range: std::ops::Range<u64>) -> Self {
        Self(range)
    }
}

impl From<u64> for Seeds {
    fn from(count: u64) -> Self {
        Self(0..count)
    }
}

/// A test of a subject, as configured so far. The environment overrides it: see [`VARIABLES`].
#[must_use = "nothing happens before `run`"]
pub struct Check<S> {
    subject: S,
    name: Option<String>,
    test: Option<String>,
    profile: String,
    seeds: Seeds,
    jobs: Option<usize>,
    time: Option<Duration>,
    sometimes: Vec<String>,
    shrink_for: Duration,
    regressions: Option<PathBuf>,
}

impl<S: Runner + 'static> Check<S> {
    /// What the subject is called in plans and reports; by default the name of its type.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// What plans are drawn from: the name of a built-in profile, or the path of a `.toml` file,
    /// relative to the crate's folder.
    pub fn profile(self, name: impl Into<String>) -> Self {
        Self {
            profile: name.into(),
            ..self
        }
    }

    /// Which seeds: a range, or a number `N` for `0..N`.
    pub fn seeds(self, seeds: impl Into<Seeds>) -> Self {
        Self {
            seeds: seeds.into(),
            ..self
        }
    }

    /// Threads, at least 1; by default one for each processor. Nothing but the time depends on
    /// this.
    pub fn jobs(self, jobs: usize) -> Self {
        Self {
            jobs: Some(jobs),
            ..self
        }
    }

    /// Begin no run after this long; the seeds that were not reached are left out.
    pub fn run_for(self, time: Duration) -> Self {
        Self {
            time: Some(time),
            ..self
        }
    }

    /// Events, by their names in `squall list events`, that must each have happened in some run.
    pub fn sometimes<E: Into<String>>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        self.sometimes.extend(events.into_iter().map(Into::into));
        self
    }

    /// How long a failure is shrunk at most; by default 10 s. With [`Duration::ZERO`], not at all.
    pub fn shrink_for(self, time: Duration) -> Self {
        Self {
            shrink_for: time,
            ..self
        }
    }

    /// The folder of this test's failures, relative to the crate's folder; by default
    /// `squall-regressions/BINARY/TEST`.
    pub fn regressions(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            regressions: Some(folder.into()),
            ..self
        }
    }

    /// The test's path within its crate; by default the name of its thread. For `#[squall::test]`.
    #[doc(hidden)]
    pub fn test(self, module: &str, name: &str) -> Self {
        let inside = module.split_once("::").map_or("", |(_, inside)| inside);
        let separator = if inside.is_empty() { "" } else { "::" };
        Self {
            test: Some(format!("{inside}{separator}{name}")),
            ..self
        }
    }

    /// Runs the regressions, then the seeds, and returns what they add up to. With 1,000 runs or
    /// more, what the profile requires must have happened too.
    ///
    /// # Panics
    /// With the whole report, when a run breaks a property, a required event never happened, two
    /// runs of a seed differ, or what was asked for cannot be done.
    #[track_caller]
    pub fn run(self) -> Summary {
        done(self.try_run())
    }

    /// As [`Check::run`], where `body` decides what happens to each simulation: it may change
    /// plans, end runs early, and assert what it likes. A panic in `body` is a failure, and is
    /// shrunk as such. What the profile requires is not demanded.
    ///
    /// # Panics
    /// As [`Check::run`].
    #[track_caller]
    pub fn run_each(self, body: impl Fn(Sim<S>) + Send + Sync + 'static) -> Summary {
        done(self.try_run_each(body))
    }

    /// As [`Check::run`], without a panic.
    ///
    /// # Errors
    /// Why the test fails, as a value and in the words of the panic.
    pub fn try_run(self) -> Result<Summary, Failed> {
        self.carry_out(Source::Profile { whole: true }, |sim| drop(sim.run()))
    }

    /// As [`Check::run`], over plans that a strategy of [`squall_proptest`] draws, one for each
    /// seed. A failure is made smaller by proptest first, part by part, and then by this
    /// crate's own shrinker. What the profile requires is not demanded.
    ///
    /// # Panics
    /// As [`Check::run`].
    #[cfg(feature = "proptest")]
    #[track_caller]
    pub fn run_plans(self, plans: squall_proptest::Plans) -> Summary {
        done(self.try_run_plans(plans))
    }

    /// As [`Check::run_plans`], without a panic.
    ///
    /// # Errors
    /// Why the test fails, as a value and in the words of the panic.
    #[cfg(feature = "proptest")]
    pub fn try_run_plans(self, plans: squall_proptest::Plans) -> Result<Summary, Failed> {
        self.carry_out(Source::Drawn(plans), |sim| drop(sim.run()))
    }

    /// As [`Check::run_each`], without a panic.
    ///
    /// # Errors
    /// Why the test fails, as a value and in the words of the panic.
    pub fn try_run_each(
        self,
        body: impl Fn(Sim<S>) + Send + Sync + 'static,
    ) -> Result<Summary, Failed> {
        self.carry_out(Source::Profile { whole: false }, body)
    }

    fn carry_out(
        self,
        source: Source,
        body: impl Fn(Sim<S>) + Send + Sync + 'static,
    ) -> Result<Summary, Failed> {
        let settings = Settings::of_process()?;
        let name = self.name.unwrap_or_else(type_name::<S>);
        let place = Place::of_process(self.test, self.regressions, &settings, &name);
        let issues = self.subject.own().issues;
        let mut profile = profile_of(&settings, &self.profile, issues)?;
        if !matches!(source, Source::Profile { whole: true }) {
            profile.require.clear();
            profile.shares.clear();
        }
        let seeds = settings.seeds(self.seeds.0, self.time)?;
        let jobs = settings.jobs.or(self.jobs);
        let unequal = Unequal::default();
        let twice = settings.determinism.unwrap_or_default();
        let body = Body::new(self.subject, body, twice.then(|| unequal.clone()));
        let subject = RegisteredSubject::new(name, "", body);
        #[cfg(feature = "proptest")]
        let drawn = match source {
            Source::Profile { .. } => None,
            Source::Drawn(plans) => {
                let supports = subject.runner.supports();
                Some(Drawn {
                    plans: plans.for_subject(&subject.name, supports),
                    own: subject.runner.own(),
                    profile: profile.clone(),
                })
            }
        };
        let test = Test {
            #[cfg(feature = "proptest")]
            drawn,
            subject,
            unequal,
            profile,
            sometimes: known_events(&self.sometimes)?,
            jobs: jobs.unwrap_or_else(processors),
            shrink_for: self.shrink_for,
            place,
            settings,
        };
        if test.settings.seed.is_none() {
            test.replay_regressions()?;
        }
        test.sweep(seeds, test.settings.time.or(self.time))
    }
}

#[track_caller]
fn done<T>(result: Result<T, Failed>) -> T {
    match result {
        Ok(summary) => summary,
        Err(failed) => panic!("{failed}"),
    }
}

/// The profile that a test asks for, or its environment. Where it is a file, the subject must have
/// the known issues that the file names.
fn profile_of(settings: &Settings, asked: &str, issues: &[KnownIssue]) -> Result<Profile, Failed> {
    let name = settings.profile.as_deref().unwrap_or(asked);
    let profile = Profile::load(name).map_err(|error| Failed::said(&error))?;
    profile
        .check_issues(issues)
        .map_err(|error| Failed::said(&format!("profile {name}: {error}")))?;
    strategy::check(&profile).map_err(|error| Failed::said(&error))?;
    Ok(profile)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The last part of a type's path, without its parameters.
fn type_name<S>() -> String {
    let path = std::any::type_name::<S>();
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path).to_owned()
}

fn known_events(names: &[String]) -> Result<Vec<Counter>, Failed> {
    let known = |name: &String| event(name).map_err(|unknown| Failed::said(&unknown));
    names.iter().map(known).collect()
}

/// The event of that name.
fn event(name: &str) -> Result<Counter, String> {
    let names = Counter::ALL.iter().map(|event| event.name());
    Counter::named(name).ok_or_else(|| {
        let near = suggest::suggestion(name, names);
        format!("unknown event \"{name}\"{near}; legal: see `squall list events`")
    })
}

/// Where a test's plans come from.
enum Source {
    /// They are drawn from a profile. With `whole`, what it requires must happen.
    Profile { whole: bool },
    /// A strategy draws them.
    #[cfg(feature = "proptest")]
    Drawn(squall_proptest::Plans),
}

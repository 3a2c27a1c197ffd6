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
mod failed;
mod known_issues;
#[cfg(feature = "proptest")]
pub mod machine;
mod place;
mod settings;
mod sim;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

pub use failed::{Failed, Reason};
pub use settings::VARIABLES;
pub use sim::{Run, Sim};

use body::{Body, Unequal};
use place::Place;
use settings::Settings;
use squall_core::counters::Counter;
use squall_core::engine::Observer;
use squall_core::fsutil::{Equal, NewName, folder_of, settle, write_new};
use squall_core::own::KnownIssue;
use squall_core::plan::{DEFAULT_PROFILE, Plan, Profile};
use squall_core::registry::{RegisteredSubject, Runner};
use squall_core::suggest;
use squall_explore::report;
use squall_explore::shrink::{Ended, Shrinker, Shrunk};
use squall_explore::strategy::{self, Kind};
use squall_explore::sweep::{Finding, Leak, Summary, Sweep, SweepEvent, find_leak};
use squall_explore::watchdog::{Hang, Patience};
#[cfg(feature = "proptest")]
use squall_proptest::Drawn;
use watch::Watcher;

/// Seeds of a test that does not say how many.
const USUAL_SEEDS: u64 = 200;

/// How long a failure is shrunk, where a test does not say.
const USUAL_SHRINKING: Duration = Duration::from_secs(10);

/// Plans that proptest tries to make a failure smaller.
#[cfg(feature = "proptest")]
const MOST_SIMPLER: usize = 2_000;

/// A test that goes on for longer than this says now and then how far it is.
const NEWS_EVERY: Duration = Duration::from_secs(15);

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

/// A test with all that is known before it begins.
struct Test {
    #[cfg(feature = "proptest")]
    drawn: Option<Drawn>,
    subject: RegisteredSubject,
    /// Plans whose two runs differed, where all are run twice.
    unequal: Unequal,
    profile: Profile,
    /// What must have happened in some run.
    sometimes: Vec<Counter>,
    jobs: usize,
    shrink_for: Duration,
    place: Place,
    settings: Settings,
}

impl Test {
    /// What failed before comes first.
    fn replay_regressions(&self) -> Result<(), Failed> {
        for path in self.place.regressions()? {
            let mut plan = Plan::read(&path).map_err(|error| Failed::unreadable(&error))?;
            plan.subject.clone_from(&self.subject.name);
            let own = self.subject.runner.own();
            plan.check_own_options(own).map_err(|error| {
                Failed::regression(&format!("plan {}: {error}", path.display()))
            })?;
            let outcome = self.subject.runner.run(&plan, Observer::default());
            if let Some(failure) = outcome.failure {
                let command = self.place.command(&self.settings.repeated(None));
                let page = self.page(&plan, &path, &command);
                let head = format!("regression {}: {failure}", path.display());
                let words = [&head, "", &page];
                return Err(Failed::found(&failure, plan, words));
            }
        }
        Ok(())
    }

    #[allow(clippy::disallowed_methods)] // Says now and then how far it is, outside of every simulation.
    fn sweep(
        &self,
        seeds: std::ops::Range<u64>,
        time_limit: Option<Duration>,
    ) -> Result<Summary, Failed> {
        let stop = AtomicBool::new(false);
        let watcher = Watcher::begin(&self.place, &self.settings, &self.subject.name, self.jobs);
        let sweep = Sweep {
            subject: &self.subject,
            profile: &self.profile,
            strategy: Kind::usual_for(&self.profile),
            coverage: false,
            corpus: Vec::new(),
            seeds,
            jobs: self.jobs,
            time_limit,
            keep_going: false,
            stop: &stop,
            lookout: Some(&watcher),
        };
        let mut told = Instant::now();
        let mut written = Ok(PathBuf::new());
        let tell = |news: SweepEvent<'_>| match news {
            // On the disk before anything else happens to it.
            SweepEvent::Finding(finding) => written = self.write(finding),
            SweepEvent::Progress { runs, .. } if told.elapsed() >= NEWS_EVERY => {
                told = Instant::now();
                settings::tell(&format!("{}: {runs} runs so far", self.place.test()));
            }
            SweepEvent::Progress { .. } | SweepEvent::Batch { .. } | SweepEvent::Kept(_) => {}
        };
        #[cfg(feature = "proptest")]
        let mut summary = match &self.drawn {
            Some(drawn) => sweep.run_with(&mut drawn.clone(), tell),
            None => sweep.run(tell),
        };
        #[cfg(not(feature = "proptest"))]
        let mut summary = sweep.run(tell);
        let never = |event: &&Counter| summary.counters.get(**event) == 0;
        // One seed cannot be asked for all that many are to show.
        let wanted = match self.settings.seed {
            Some(_) => &[][..],
            None => &self.sometimes[..],
        };
        let never: Vec<&Counter> = wanted.iter().filter(never).collect();
        summary
            .missing
            .extend(never.into_iter().map(|event| event.name().to_owned()));
        if let Some(plan) = self.unequal.first() {
            let before = self.subject.runner.run(&plan, Observer::default());
            let leak = find_leak(&self.subject, &plan, &before, None);
            summary.leak = Some(leak.unwrap_or_else(|| Leak {
                seed: plan.seed,
                step: None,
                first: "it is not the same each time".to_owned(),
                second: "and this time it was".to_owned(),
            }));
        }
        if let Some(leak) = &summary.leak {
            let command = self.place.command(&self.settings.repeated(Some(leak.seed)));
            return Err(Failed::leaked(leak, &command));
        }
        if let Some(finding) = summary.findings.first() {
            return Err(self.failed(finding, &written?));
        }
        if !summary.missing.is_empty() {
            let command = self.place.command(&self.settings.repeated(None));
            return Err(Failed::incomplete(&summary, &command));
        }
        println!(
            "{}: {} runs of {} under {}, {} steps, digest {:016x}",
            self.place.test(),
            report::group(summary.runs),
            self.subject.name,
            self.profile.name,
            report::group(summary.steps),
            summary.digest
        );
        if let Some(features) = report::left_out(self.subject.runner.supports()) {
            println!("  plans left out what the subject does not support: {features}");
        }
        Ok(summary)
    }

    /// Writes a plan that fails where the next run finds it, and over no other one.
    fn write(&self, finding: &Finding) -> Result<PathBuf, Failed> {
        let name = self.file_of(finding);
        let folder = folder_of(&name.stem);
        std::fs::create_dir_all(folder)
            .and_then(|()| write_new(folder, &name, &finding.plan.to_json(), Equal::Serves))
            .map_err(|error| cannot_write(folder, &error))
    }

    fn file_of(&self, finding: &Finding) -> NewName {
        let property = finding.failure.violation.property();
        self.place.file(property.name(), finding.plan.seed)
    }

    /// Puts a smaller plan of a finding into its file, or finds that it has one already. Returns
    /// the file.
    fn settle(&self, finding: &Finding, path: &Path, plan: &Plan) -> Result<PathBuf, Failed> {
        settle(&self.file_of(finding), path, &plan.to_json())
            .map_err(|error| cannot_write(path, &error))
    }

    /// Shrinks a finding, whose plan lies at `path`, and says all there is to say of it.
    fn failed(&self, finding: &Finding, path: &Path) -> Failed {
        let seed = finding.plan.seed;
        let head = format!(
            "seed {seed} of {} under {}: {}",
            self.subject.name, self.profile.name, finding.failure
        );
        let minimum = self.minimum(finding);
        let (plan, origin) = match self.shrunk(&minimum) {
            Some(shrunk) => {
                let origin = origin(&shrunk);
                (shrunk.plan, origin)
            }
            None => (minimum, String::new()),
        };
        let path = match self.settle(finding, path, &plan) {
            Ok(path) => path,
            Err(failed) => return failed,
        };
        let command = self.place.command(&self.settings.repeated(Some(seed)));
        let page = self.page(&plan, &path, &command);
        let words = [&head, origin.as_str(), &page];
        Failed::found(&finding.failure, plan, words)
    }

    /// What is said of a plan that fails and lies at `path`, with where its HTML page is.
    fn page(&self, plan: &Plan, path: &Path, command: &str) -> String {
        #[cfg(feature = "page")]
        let html = {
            let to = self.place.page(path);
            // A page that cannot be written takes nothing from what is said.
            squall_page::beside_failure(&self.subject, plan, command, &to).unwrap_or_default()
        };
        #[cfg(not(feature = "page"))]
        let html = String::new();
        report::failure(&self.subject, plan, path, &html, command).unwrap_or_default()
    }

    /// The plan of a finding; where a strategy drew it, what proptest makes of it.
    #[cfg(feature = "proptest")]
    fn minimum(&self, finding: &Finding) -> Plan {
        let property = finding.failure.violation.property();
        let fails = |plan: &Plan| {
            let outcome = self.subject.runner.run(plan, Observer::default());
            let failure = outcome.failure;
            failure.is_some_and(|failure| failure.violation.property() == property)
        };
        match &self.drawn {
            Some(drawn) => drawn.minimum(finding.plan.seed, MOST_SIMPLER, fails),
            None => finding.plan.clone(),
        }
    }

    #[cfg(not(feature = "proptest"))]
    fn minimum(&self, finding: &Finding) -> Plan {
        finding.plan.clone()
    }

    fn shrunk(&self, plan: &Plan) -> Option<Shrunk> {
        let hangs = |hang: &Hang| watch::tell_of_shrinking(&self.place, hang);
        let shrinker = Shrinker {
            subject: &self.subject,
            jobs: self.jobs,
            time_limit: Some(self.shrink_for),
            stop: &AtomicBool::new(false),
            hangs: Some(Patience {
                time: watch::patience(&self.settings),
                tell: &hangs,
            }),
        };
        if self.shrink_for.is_zero() {
            return None;
        }
        // A plan that does not fail again is a leak, which double runs are to find.
        shrinker.run(plan, &mut |_| ()).ok()
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failed {
    Failed::said(&format!("cannot write {}: {error}", path.display()))
}

fn origin(shrunk: &Shrunk) -> String {
    let early = match shrunk.ended {
        Ended::OutOfTime => ", where time was up",
        Ended::Smallest | Ended::Interrupted => "",
    };
    format!(
        "shrunk from {}\n         to {}{early}:\n\n",
        report::size(&shrunk.before),
        report::size(&shrunk.after)
    )
}

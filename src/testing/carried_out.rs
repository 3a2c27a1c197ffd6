//! A test that is carried out: what failed before comes first, then the sweep; a failure is shrunk,
//! written where the next run finds it, and told. Knows nothing of how a test is asked for.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::body::Unequal;
use super::failed::Failed;
use super::place::Place;
use super::settings::{self, Settings};
use super::watch::{self, Watcher};
use squall_core::counters::Counter;
use squall_core::engine::Observer;
use squall_core::fsutil::{Equal, NewName, folder_of, settle, write_new};
use squall_core::plan::{Plan, Profile};
use squall_core::registry::RegisteredSubject;
use squall_explore::report;
use squall_explore::shard::Shard;
use squall_explore::shrink::{Ended, Shrinker, Shrunk};
use squall_explore::strategy::Kind;
use squall_explore::sweep::{Finding, Leak, Summary, Sweep, SweepEvent, find_leak};
use squall_explore::watchdog::{Hang, Patience};
#[cfg(feature = "proptest")]
use squall_proptest::Drawn;

/// Plans that proptest tries to make a failure smaller.
#[cfg(feature = "proptest")]
const MOST_SIMPLER: usize = 2_000;

/// A test that goes on for longer than this says now and then how far it is.
const NEWS_EVERY: Duration = Duration::from_secs(15);

/// A test with all that is known before it begins.
pub(super) struct Test {
    #[cfg(feature = "proptest")]
    pub(super) drawn: Option<Drawn>,
    pub(super) subject: RegisteredSubject,
    /// Plans whose two runs differed, where all are run twice.
    pub(super) unequal: Unequal,
    pub(super) profile: Profile,
    /// What must have happened in some run.
    pub(super) sometimes: Vec<Counter>,
    pub(super) jobs: usize,
    pub(super) shrink_for: Duration,
    pub(super) place: Place,
    pub(super) settings: Settings,
}

impl Test {
    /// What failed before comes first.
    pub(super) fn replay_regressions(&self) -> Result<(), Failed> {
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
    pub(super) fn sweep(
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
            shard: Shard::WHOLE,
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

//! The test that known issues are still there: an issue that a sweep no longer finds is mended, or
//! the harness has lost sight of it.

use std::collections::BTreeMap;

use super::settings::Settings;
use super::{Check, Failed, done, processors, profile_of, type_name};
use squall_core::plan::Profile;
use squall_core::registry::{RegisteredSubject, Runner};
use squall_explore::report;
use squall_explore::shard::Shard;
use squall_explore::strategy::Kind;
use squall_explore::sweep::Sweep;

impl<S: Runner + 'static> Check<S> {
    /// Finds each known issue of the subject, with the trigger of no other in the plans: sweeps the
    /// seeds with its knob on until a property breaks that the issue may break.
    ///
    /// # Panics
    /// When an issue is not found within the seeds, when another property breaks first, or when
    /// what was asked for cannot be.
    #[track_caller]
    pub fn find_known_issues(self) {
        done(self.try_find_known_issues());
    }

    /// As [`Check::find_known_issues`], without a panic.
    ///
    /// # Errors
    /// Why the test fails, as a value and in the words of the panic.
    pub fn try_find_known_issues(self) -> Result<(), Failed> {
        let settings = Settings::of_process()?;
        let name = self.name.unwrap_or_else(type_name::<S>);
        let seeds = settings.seeds(self.seeds.0, self.time)?;
        let jobs = settings.jobs.or(self.jobs).unwrap_or_else(processors);
        let issues = self.subject.own().issues;
        let profile = profile_of(&settings, &self.profile, issues)?;
        if issues.is_empty() {
            return Err(Failed::said(&"the subject declares no known issue"));
        }
        let time_limit = settings.time.or(self.time);
        let subject = RegisteredSubject::new(name, "", self.subject);
        for issue in issues {
            let profile = only(&profile, issue.name);
            let sweep = Sweep {
                subject: &subject,
                profile: &profile,
                strategy: Kind::usual_for(&profile),
                coverage: false,
                corpus: Vec::new(),
                seeds: seeds.clone(),
                shard: Shard::WHOLE,
                jobs,
                time_limit,
                keep_going: false,
                stop: &false.into(),
                lookout: None,
            };
            let swept = sweep.run(|_| {});
            if let Some(leak) = &swept.leak {
                return Err(Failed::issue(issue.name, &report::leak(leak)));
            }
            let Some(found) = swept.findings.first() else {
                let all = swept.runs == seeds.end - seeds.start;
                let why = match all {
                    true => "if it is mended, take it out of known_issues()",
                    false => "the time ran out before the seeds did",
                };
                let said = format!(
                    "known issue {} was not found in {} runs of profile {}: {why}",
                    issue.name, swept.runs, profile.name
                );
                return Err(Failed::issue(issue.name, &said));
            };
            let broken = found.failure.violation.property();
            if !issue.breaks.contains(&broken.name()) {
                let said = format!(
                    "with known issue {} in its plans, profile {} breaks {broken} at seed {}, and not {}: {}",
                    issue.name,
                    profile.name,
                    found.plan.seed,
                    issue.breaks.join(" or "),
                    found.failure
                );
                return Err(Failed::issue(issue.name, &said));
            }
        }
        Ok(())
    }
}

/// The profile with the knob of that issue on, and no other. It demands no event: a sweep ends at
/// the first violation.
fn only(profile: &Profile, issue: &str) -> Profile {
    let mut variants = profile.variants.clone();
    for variant in &mut variants {
        variant.profile = only(&variant.profile, issue);
    }
    Profile {
        known_issues: BTreeMap::from([(issue.to_owned(), true)]),
        require: Vec::new(),
        shares: Vec::new(),
        variants,
        ..profile.clone()
    }
}

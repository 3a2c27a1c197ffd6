//! Plans that come from a file: written down as JSON, or the bytes of a fuzzer's input.

use std::path::Path;

use squall_core::fsutil;
use squall_core::own::KnownIssue;
use squall_core::plan::{Plan, PlanError, Profile};
use squall_core::registry::{RegisteredSubject, Registry, UnknownSubject};
use squall_explore::fuzz_input::{PROFILE, RUN, is_json, plan_of};
use squall_explore::strategy;

use super::CliError;

/// The fuzz targets whose inputs are no plans.
const OTHER_TARGETS: [&str; 4] = ["messages", "linearizability", "disk", "plan_json"];

/// The plan in the file `path`: a plan's JSON, or an input of the fuzz target `storm`, for the
/// subject of that name or the first.
pub fn read_plan(
    subjects: &Registry,
    path: &Path,
    subject: Option<&str>,
) -> Result<Plan, CliError> {
    let unreadable = |source| PlanError::Read {
        path: path.to_path_buf(),
        source,
    };
    let bytes = fsutil::read(path).map_err(unreadable)?;
    // An empty file is taken for a plan that was never written, unless it has a name that libFuzzer
    // gives.
    let named_json = path.extension().is_some_and(|ending| ending == "json");
    let is_blank = bytes.iter().all(u8::is_ascii_whitespace) && !is_named_by_libfuzzer(path);
    if named_json || is_json(&bytes) || is_blank {
        let text = fsutil::text_of(bytes).map_err(unreadable)?;
        return Ok(Plan::parse(&text, path)?);
    }
    let folder = path.parent().and_then(Path::file_name);
    if let Some(target) = OTHER_TARGETS
        .iter()
        .find(|name| folder.is_some_and(|folder| folder == **name))
    {
        return Err(CliError::Usage(format!(
            "{} is an input of the fuzz target {target}, which is no plan; reproduce it with: {RUN} {target} {}",
            path.display(),
            super::quoted(&path.display().to_string())
        )));
    }
    let subject = subjects.find_or_first(subject)?;
    let profile = Profile::load(PROFILE)?;
    Ok(plan_of(&bytes, path, subject.plans(&profile))?)
}

/// Whether a file is called as libFuzzer calls what it writes: the kind of finding, and a hash.
fn is_named_by_libfuzzer(path: &Path) -> bool {
    const KINDS: [&str; 5] = ["crash", "timeout", "oom", "leak", "slow-unit"];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kind = |(kind, hash): (&str, &str)| KINDS.contains(&kind) && !hash.is_empty();
    name.rsplit_once('-').is_some_and(kind)
}

/// The subject that a plan is to run on: the one that is named, or the one that `--command` has
/// started, or the plan's own. The plan is its plan from now on.
pub fn subject_for<'s>(
    subjects: &'s Registry,
    named: Option<&str>,
    plan: &mut Plan,
) -> Result<&'s RegisteredSubject, CliError> {
    let started = subjects
        .iter()
        .find(|subject| !subject.named_with.is_empty());
    match (named, started) {
        (Some(name), _) => name.clone_into(&mut plan.subject),
        (None, Some(started)) => {
            let (made_for, bug) = match plan.subject.split_once('+') {
                Some((name, bug)) => (name, format!("+{bug}")),
                None => (plan.subject.as_str(), String::new()),
            };
            if made_for != started.name {
                let runs_on = started.name.clone() + &bug;
                super::warn(&format!(
                    "the plan was made for {}, and runs on {runs_on}, which --command starts",
                    plan.subject
                ));
                plan.subject = runs_on;
            }
        }
        (None, None) => {}
    }
    let found = subjects.find(&plan.subject);
    let subject = found.map_err(|error| match (&error, &plan.command) {
        (UnknownSubject::Unknown { .. }, Some(command)) => CliError::Usage(format!(
            "the subject {} is a process of its own, and nothing is started because a plan's file names it; \
             say it yourself, here or in squall.toml: --command {}",
            plan.subject,
            fsutil::quoted(command)
        )),
        _ => error.into(),
    })?;
    plan.command.clone_from(&subject.command);
    Ok(subject)
}

/// Makes sure that the subject has the options of its own that the plan sets. One that is not there
/// is reported elsewhere.
pub fn check_own(
    subjects: &Registry,
    subject: &str,
    path: &Path,
    plan: &Plan,
) -> Result<(), CliError> {
    if let Ok(subject) = subjects.find(subject) {
        let own = subject.runner.own();
        let told = |error| CliError::Usage(format!("plan {}: {error}", path.display()));
        plan.check_own_options(own).map_err(told)?;
    }
    Ok(())
}

/// The profile of that name. Where it is a file, its known issues must be those of some subject;
/// the built-in ones are for programs with other subjects too.
pub fn profile_for(subjects: &Registry, name: &str) -> Result<Profile, CliError> {
    let profile = Profile::load(name)?;
    let issues: Vec<KnownIssue> = subjects
        .iter()
        .flat_map(|subject| subject.runner.own().issues)
        .copied()
        .collect();
    let told = |error| CliError::Usage(format!("profile {name}: {error}"));
    profile.check_issues(&issues).map_err(told)?;
    strategy::check(&profile).map_err(CliError::Usage)?;
    Ok(profile)
}

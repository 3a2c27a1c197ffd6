//! Plans.

use std::path::{Path, PathBuf};

use squall_core::engine::Observer;
use squall_core::own::Hazard;
use squall_core::plan::{Plan, Profile};

use super::spoilt::{Spoilt, json_fields, whole};
use super::tally::{Fate, MOST_STEPS, sample, try_all};
use crate::support::{plans, root};

/// Reads a plan as `squall replay` does, and carries it out. Where `fails`, the plan that it was
/// made of fails, and so may it.
pub fn attempt(text: &str, fails: bool) -> Fate {
    let plan = match Plan::parse(text, Path::new("x.json")) {
        Ok(plan) => plan,
        Err(error) => return Fate::Refused(error.to_string()),
    };
    let subject = match squall::subject(&plan.subject) {
        Ok(subject) => subject,
        Err(error) => return Fate::Refused(error.to_string()),
    };
    if let Some(feature) = plan.asks_for_more_than(subject.runner.supports()) {
        return Fate::Refused(format!(
            "{} does not support {}",
            subject.name,
            feature.name()
        ));
    }
    let watch = Observer {
        most_steps: Some(MOST_STEPS),
        ..Observer::default()
    };
    let outcome = subject.runner.run(&plan, watch);
    // What is written is read again as it was.
    if Plan::parse(&plan.to_json(), Path::new("x.json"))
        .ok()
        .as_ref()
        != Some(&plan)
    {
        return Fate::Wrong("is not the same when it is written and read again".to_owned());
    }
    match outcome.failure {
        Some(_) if fails || subject.caught_by.is_some() || is_known(&plan) => Fate::Violated,
        Some(failure) => Fate::Wrong(failure.to_string()),
        None if outcome.steps >= MOST_STEPS => Fate::Ended,
        None => Fate::Ran,
    }
}

/// Whether the plan has a trigger of a known defect of the library, each of which a profile draws
/// only where it asks for it: see `FINDINGS.md` and `own::Hazard`.
fn is_known(plan: &Plan) -> bool {
    let triggers = |name: &String| name != "advance-whole";
    Hazard::ALL.iter().any(|hazard| hazard.is_in(plan)) || plan.driver.own.keys().any(triggers)
}

/// The files in a folder, and all that can be done to each.
fn spoilt_in(folder: &str, usual: usize) -> impl Iterator<Item = (String, Vec<Spoilt>)> {
    let spoil = move |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut all = json_fields(&text);
        all.extend(whole(&text));
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        (name, sample(all, usual))
    };
    plans(folder).into_iter().map(spoil)
}

#[test]
fn plans_of_findings_and_of_injected_bugs() {
    let files = spoilt_in("sims/findings", 60).chain(spoilt_in("tests/it/shrunk", 30));
    try_all("plans that fail", files, |_, one| {
        attempt(&one.text(), true)
    });
}

#[test]
fn plans_of_regressions() {
    let files = spoilt_in("sims/regressions", 60);
    try_all("plans that do not", files, |_, one| {
        attempt(&one.text(), false)
    });
}

#[test]
fn plans_that_are_drawn() {
    let drawn = [
        ("raft-rs", "storm", 1),
        ("raft-rs", "joint", 2),
        ("raft-rs", "reads", 3),
        ("noraft", "snapshots", 4),
    ];
    let files = drawn.into_iter().map(|(name, profile, seed)| {
        let profile = Profile::load(profile).unwrap();
        let subject = squall::subject(name).unwrap();
        let plan = subject.plans(&profile).draw(seed);
        let all = json_fields(&plan.to_json());
        let name = format!("{name}, {}, seed {seed}", profile.name);
        (name, sample(all, 150))
    });
    try_all("plans that are drawn", files, |_, one| {
        attempt(&one.text(), false)
    });
}

//! The target `storm`: bytes make a plan, the plan is run, and the checks look after every step.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::Finding;
use squall_core::coverage::{Coverage, RunCoverage};
use squall_core::engine::{Observer, Outcome};
use squall_core::ids::node_list;
use squall_core::options::{DriverOptions, RaftOptions};
use squall_core::plan::{Heal, Plan, PlanError, Profile};
use squall_core::registry::{RegisteredSubject, UnknownSubject};
use squall_core::text::seconds;
use squall_explore::fuzz_input;
use squall_explore::strategy::mutate;
use squall_world::rng::Choices;

/// Longer runs end here, without a verdict: a fuzzer is better off with another plan.
pub const MOST_STEPS: u64 = 20_000;

/// A subject to storm over.
pub struct Storm {
    subject: RegisteredSubject,
    profile: Profile,
    /// The input that was written last, and its plan: a fuzzer runs it next, and mostly mutates it
    /// then. Reading it again would take longer than all else but the run itself.
    written: Mutex<Option<(Vec<u8>, Plan)>>,
}

impl Storm {
    /// Storms over the subject of that name.
    ///
    /// # Errors
    /// [`UnknownSubject`] names the legal ones.
    ///
    /// # Panics
    /// When the built-in profile is not one.
    pub fn over(subject: &str) -> Result<Self, UnknownSubject> {
        Ok(Self {
            subject: squall::subject(subject)?,
            profile: Profile::load(fuzz_input::PROFILE).expect("it is built in"),
            written: Mutex::new(None),
        })
    }

    /// The subject's name.
    pub fn subject(&self) -> &str {
        &self.subject.name
    }

    /// The plan that `bytes` stand for, with this subject.
    ///
    /// # Errors
    /// [`PlanError`] when they are JSON, and no plan.
    pub fn plan(&self, bytes: &[u8]) -> Result<Plan, PlanError> {
        if let Some((written, plan)) = &*self.written()
            && written == bytes
        {
            return Ok(plan.clone());
        }
        let input = Path::new("input");
        let mut plan = fuzz_input::plan_of(bytes, input, self.subject.plans(&self.profile))?;
        plan.subject.clone_from(&self.subject.name);
        Ok(plan)
    }

    fn written(&self) -> MutexGuard<'_, Option<(Vec<u8>, Plan)>> {
        // It is put in whole, so that it is right whatever panicked with it.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries `plan` out.
    pub fn run(&self, plan: &Plan) -> Outcome {
        self.run_watched(plan, None)
    }

    /// Carries `plan` out, and says which abstract states of the cluster it went through.
    pub fn run_covered(&self, plan: &Plan) -> (Outcome, RunCoverage) {
        let mut coverage = Coverage::new(plan.nodes().len());
        let outcome = self.run_watched(plan, Some(&mut coverage));
        (outcome, coverage.trail())
    }

    fn run_watched(&self, plan: &Plan, coverage: Option<&mut Coverage>) -> Outcome {
        let watch = Observer {
            most_steps: Some(MOST_STEPS),
            coverage,
            ..Observer::default()
        };
        self.subject.runner.run(plan, watch)
    }

    /// Another input: its plan is a little different from that of `bytes`, and may have something
    /// of that of `other`. It is written down as JSON, for no choices of the generator need
    /// lead to it. The same arguments give the same one; none for bytes that are no plan.
    pub fn mutated(&self, bytes: &[u8], other: Option<&[u8]>, seed: u64) -> Option<Vec<u8>> {
        let parent = self.plan(bytes).ok()?;
        let mut choices = Choices::labelled(seed, "mutant of an input", 0);
        let space = self.subject.plans(&self.profile);
        let donor = match other {
            Some(bytes) => self.plan(bytes).ok()?,
            None => space.draw(choices.word()),
        };
        let mutant = space.fit(mutate(&parent, [&donor, &donor], &mut choices));
        let bytes = serde_json::to_vec(&mutant).ok()?;
        *self.written() = Some((bytes.clone(), mutant));
        Some(bytes)
    }

    /// Carries out the plan that `bytes` stand for. Bytes that are no plan are no finding.
    ///
    /// # Errors
    /// As [`judge`].
    pub fn check(&self, bytes: &[u8]) -> Result<(), Finding> {
        match self.plan(bytes) {
            Ok(plan) => judge(&plan, &self.run(&plan)),
            Err(_) => Ok(()),
        }
    }
}

/// What a run of `plan` came to.
///
/// # Errors
/// The violation, and the plan in words.
pub fn judge(plan: &Plan, outcome: &Outcome) -> Result<(), Finding> {
    match &outcome.failure {
        None => Ok(()),
        Some(failure) => Err(Finding(format!("{failure}\n\n{}", in_words(plan)))),
    }
}

/// A plan in words, for people.
pub fn in_words(plan: &Plan) -> String {
    let cluster = &plan.cluster;
    let mut lines = vec![format!(
        "{} with seed {}: {} voters, {} learners, {} more that may join; a tick is {} us, an election time-out {} ticks",
        plan.subject,
        plan.seed,
        cluster.voters,
        cluster.learners,
        cluster.spares,
        cluster.tick_us,
        plan.raft.election_ticks,
    )];
    lines.extend(differing("raft", &plan.raft, &RaftOptions::default()));
    lines.extend(differing("driver", &plan.driver, &DriverOptions::default()));
    let network = &plan.network;
    lines.push(format!(
        "network: {} to {} us; of a million messages {} are lost, {} duplicated, {} reordered, {} late",
        network.delay_min_us,
        network.delay_max_us,
        network.loss_ppm,
        network.duplicate_ppm,
        network.reorder_ppm,
        network.tail_ppm,
    ));
    lines.push(format!(
        "{} clients; a sync takes {} to {} us",
        plan.workload.clients, plan.disk.sync_min_us, plan.disk.sync_max_us
    ));
    lines.extend(plan.faults.iter().map(ToString::to_string));
    let who = match &plan.heal {
        Heal::Everyone => "everyone is healed".to_owned(),
        Heal::Quorum(members) => format!("only {} are healed", node_list(members)),
    };
    lines.push(format!(
        "at {}: the storm ends, and {who}",
        seconds(plan.heal_us)
    ));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// The options that are not as usual, in one line.
fn differing<T: Serialize>(what: &str, options: &T, usual: &T) -> Option<String> {
    let fields = |options: &T| match serde_json::to_value(options) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let usual = fields(usual);
    let all = fields(options);
    let unusual = all
        .iter()
        .filter(|(name, value)| usual.get(*name) != Some(value));
    let words: Vec<String> = unusual
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    (!words.is_empty()).then(|| format!("{what}: {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_make_a_plan_that_can_be_carried_out() {
        let storm = Storm::over("raft-rs").unwrap();
        let mut bytes = Vec::new();
        for length in 0..200_u64 {
            let plan = storm.plan(&bytes).unwrap();
            plan.validate().unwrap();
            bytes.push((length * 97 % 251) as u8);
        }
        for byte in [0, 255] {
            storm.plan(&[byte; 2_000]).unwrap().validate().unwrap();
        }
    }

    #[test]
    fn a_plan_that_is_written_down_is_that_plan() {
        let storm = Storm::over("raft-rs").unwrap();
        let plan = storm.plan(b"anything").unwrap();
        assert_eq!(storm.plan(plan.to_json().as_bytes()).unwrap(), plan);
        assert!(in_words(&plan).contains(&plan.seed.to_string()));
    }

    #[test]
    fn a_mutant_is_another_plan_that_can_be_carried_out_and_the_same_each_time() {
        let storm = Storm::over("raft-rs").unwrap();
        let mut bytes = vec![3; 30];
        for seed in 0..40 {
            let other = (seed % 2 == 0).then_some(&[9; 50][..]);
            let mutant = storm.mutated(&bytes, other, seed).unwrap();
            assert_eq!(storm.mutated(&bytes, other, seed), Some(mutant.clone()));
            assert!(fuzz_input::is_json(&mutant));
            let plan = storm.plan(&mutant).unwrap();
            let stranger = Storm::over("raft-rs").unwrap();
            assert_eq!(stranger.plan(&mutant).unwrap(), plan, "it is as it reads");
            assert_ne!(plan, storm.plan(&bytes).unwrap());
            bytes = mutant;
        }
        assert_eq!(storm.mutated(b"{\"version\": 0}", None, 1), None);
    }

    #[test]
    fn watching_where_a_run_goes_does_not_change_it() {
        let storm = Storm::over("raft-rs").unwrap();
        let plan = storm.plan(&[1; 60]).unwrap();
        let (outcome, trail) = storm.run_covered(&plan);
        assert_eq!(outcome.digest, storm.run(&plan).digest);
        assert!(trail.states.len() > 10);
    }

    #[test]
    fn an_injected_bug_is_found_and_told() {
        let storm = Storm::over("raft-rs+skip-fsync").unwrap();
        let Finding(text) = storm.check(&[]).unwrap_err();
        assert!(text.starts_with("ack-before-durable"), "{text}");
        assert!(Storm::over("raft-rs").unwrap().check(&[]).is_ok());
    }
}

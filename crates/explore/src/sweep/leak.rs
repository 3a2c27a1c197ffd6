//! Leaks: two runs of one plan that are not the same, and the first step in which they differ.

use std::sync::Arc;

use squall_core::engine::{Line, Observer, Outcome, Pulse};
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_core::text::seconds;

/// Runs that are compared step by step until two of them differ.
const MOST_RUNS: usize = 8;

/// Lines of a step that are told of each side.
const MOST_LINES: usize = 6;

/// What a leak comes from, nearly always.
pub const USUAL_CAUSES: &str = "Usual causes, in a driver or a library: the order of a HashMap or HashSet, a clock, a \
     thread, a random number, an address, a static that outlives a run; \
     in a server also tokio::select! without `biased`; in a process of its own, what an earlier \
     run left there, or an `idle` that is not true.";

/// Two runs of one plan that were not the same.
#[derive(Clone, Debug)]
pub struct Leak {
    /// The plan's seed.
    pub seed: u64,
    /// The first step at which they differ; none where it could not be found: they differed, and
    /// all that were compared step by step were the same.
    pub step: Option<u64>,
    /// What happened in that step in one run,
    pub first: String,
    /// and in the other.
    pub second: String,
}

/// One run, step by step.
struct Run {
    digests: Vec<u64>,
    lines: Vec<Line>,
}

/// Runs `plan` again and compares with how it went before; with a `pulse` that ends both. A run
/// that is cut short is compared with nothing.
pub fn find_leak(
    subject: &RegisteredSubject,
    plan: &Plan,
    before: &Outcome,
    pulse: Option<&Arc<Pulse>>,
) -> Option<Leak> {
    let was_cut = || pulse.is_some_and(|pulse| pulse.was_cut());
    let again = subject.runner.run_fresh(
        plan,
        Observer {
            pulse: pulse.cloned(),
            ..Observer::default()
        },
    );
    if again == *before || was_cut() {
        return None;
    }
    let mut leak = Leak {
        seed: plan.seed,
        step: None,
        first: ended(before),
        second: ended(&again),
    };
    let first = step_by_step(pulse, |watch| subject.runner.run(plan, watch));
    for _ in 1..MOST_RUNS {
        let second = step_by_step(pulse, |watch| subject.runner.run_fresh(plan, watch));
        if was_cut() {
            break;
        }
        let pairs = first.digests.iter().zip(&second.digests);
        let same = pairs.take_while(|(a, b)| a == b).count();
        if same < first.digests.len().max(second.digests.len()) {
            let step = same as u64 + 1;
            leak.step = Some(step);
            [leak.first, leak.second] = [first, second].map(|run| in_words(&run.lines, step));
            break;
        }
    }
    Some(leak)
}

fn step_by_step(pulse: Option<&Arc<Pulse>>, run: impl FnOnce(Observer<'_>) -> Outcome) -> Run {
    let (mut digests, mut lines) = (Vec::new(), Vec::new());
    let mut keep = |line: Line| lines.push(line);
    let watch = Observer {
        digests: Some(&mut digests),
        lines: Some(&mut keep),
        pulse: pulse.cloned(),
        ..Observer::default()
    };
    run(watch);
    Run { digests, lines }
}

/// What happened in that step, at which node, in words.
fn in_words(lines: &[Line], step: u64) -> String {
    let lines: Vec<&Line> = lines.iter().filter(|line| line.step == step).collect();
    let shown = lines.iter().take(MOST_LINES).map(|line| match line.node {
        Some(node) => format!("{node} {}", line.text),
        None => line.text.clone(),
    });
    let mut words: Vec<String> = shown.collect();
    if let (Some(first), Some(line)) = (words.first_mut(), lines.first()) {
        // What happens may be the same, and when it does not.
        *first = format!("at {}, {first}", seconds(line.time_us));
    }
    if lines.len() > MOST_LINES {
        words.push(format!("and {} more events", lines.len() - MOST_LINES));
    }
    match words.is_empty() {
        true => "nothing: the run was over".to_owned(),
        false => words.join("; "),
    }
}

/// How a run ended, as far as two can differ in it.
fn ended(outcome: &Outcome) -> String {
    let how = match &outcome.failure {
        Some(failure) => failure.to_string(),
        None => "clean".to_owned(),
    };
    let (steps, digest) = (outcome.steps, outcome.digest);
    format!("{how}, {steps} steps, digest {digest:016x}")
}

//! rraft-py is raft-rs inside: a run through the protocol is the run in process, to the last
//! digest. What the two may differ by is what an adapter's author decides (a driver's own choices),
//! and these are set alike.

use squall::engine::{Line, Observer, Outcome};
use squall::invariants::Property;
use squall::options::{DriverOptions, Feature};
use squall::plan::{Plan, Profile, builtin_profiles};
use squall::process::{DEFAULT_DEADLINE, Program, subjects};
use squall::registry::RegisteredSubject;

/// Plans of each profile, unless `SQUALL_ORACLE_PLANS` says otherwise; of all profiles, unless
/// `SQUALL_ORACLE_PROFILES` names some, with commas between them.
const PLANS: u64 = 200;

fn rraft_py() -> RegisteredSubject {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/adapters/rraft-py");
    let program = Program {
        command: vec![
            format!("{folder}/build/venv/bin/python"),
            format!("{folder}/rraft_node.py"),
        ],
        name: None,
        folder: None,
        lacks: Vec::new(),
        deadline: DEFAULT_DEADLINE,
    };
    let mut all = subjects(&program).expect("adapters/rraft-py/build.py has made it");
    all.remove(0)
}

/// The plan with the choices of the driver that the process does not make.
fn plain(mut plan: Plan) -> Plan {
    let usual = DriverOptions::default();
    plan.driver = DriverOptions {
        snapshot_every_bytes: plan.driver.snapshot_every_bytes,
        keep_entries: plan.driver.keep_entries,
        missed_ticks: plan.driver.missed_ticks,
        send_after_sync: plan.driver.send_after_sync,
        ..usual
    };
    plan
}

#[test]
#[ignore = "needs what adapters/rraft-py/build.py makes: .ci/run adapters"]
fn runs_through_the_protocol_are_those_in_process() {
    let (through, within) = (rraft_py(), squall::subject("raft-rs").unwrap());
    let lacks: Vec<&str> = Feature::missing_from(through.runner.supports())
        .map(Feature::name)
        .collect();
    println!("rraft-py lacks {lacks:?}");
    let plans = std::env::var("SQUALL_ORACLE_PLANS");
    let plans = plans.map_or(PLANS, |number| number.parse().expect("a number of plans"));
    let only = std::env::var("SQUALL_ORACLE_PROFILES").ok();
    for (name, _) in builtin_profiles() {
        if only
            .as_ref()
            .is_some_and(|only| !only.split(',').any(|one| one == name))
        {
            continue;
        }
        let profile = Profile::load(name).unwrap();
        let (mut steps, mut failures) = (0, 0);
        for seed in 0..plans {
            let plan = plain(through.plans(&profile).draw(seed));
            let here = Plan {
                subject: within.name.clone(),
                ..plan.clone()
            };
            let [one, other] = [(&through, &plan), (&within, &here)]
                .map(|(subject, plan)| subject.runner.run(plan, Observer::default()));
            let failed = |outcome: &Outcome| {
                let failure = outcome.failure.as_ref();
                failure.map(|failure| (failure.violation.property(), failure.step))
            };
            // The digest of a run that ends in a panic has what was said, which differs by
            // language.
            let panics = failed(&one).is_some_and(|(property, _)| property == Property::NoPanic);
            let is_same = (one.steps, failed(&one)) == (other.steps, failed(&other));
            if !is_same || (one.digest != other.digest && !panics) {
                let [one, other] = [told(&through, &plan), told(&within, &here)];
                let step = first_difference(&one.0, &other.0);
                panic!(
                    "seed {seed} of {name} differs in step {step}:\nthrough the protocol\n{}in process\n{}",
                    lines_of(&one.1, step),
                    lines_of(&other.1, step)
                );
            }
            steps += one.steps;
            failures += u64::from(one.failure.is_some());
        }
        println!("{name}: {plans} plans, {steps} steps, {failures} of them end in a violation");
    }
}

/// A run's digests after each step, and its events.
fn told(subject: &RegisteredSubject, plan: &Plan) -> (Vec<u64>, Vec<Line>) {
    let (mut digests, mut lines) = (Vec::new(), Vec::new());
    let mut keep = |line: Line| lines.push(line);
    let watch = Observer {
        digests: Some(&mut digests),
        lines: Some(&mut keep),
        ..Observer::default()
    };
    subject.runner.run(plan, watch);
    (digests, lines)
}

fn first_difference(one: &[u64], other: &[u64]) -> u64 {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b);
    same.count() as u64 + 1
}

fn lines_of(lines: &[Line], step: u64) -> String {
    let lines = lines.iter().filter(|line| line.step == step);
    lines.map(|line| format!("  {line}\n")).collect()
}

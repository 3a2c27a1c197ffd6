//! The table of `docs/shrinking.md`: every injected bug, its first failing seeds
//! shrunk, and the median of each figure before and after.
//!
//!     cargo bench --bench shrink [-- BUG...]

use std::sync::atomic::AtomicBool;

use squall_core::bugs::Bug;
use squall_core::plan::Profile;
use squall_core::registry::RegisteredSubject;
use squall_explore::shard::Shard;
use squall_explore::shrink::{Shrinker, Shrunk, Size};
use squall_explore::sweep::{Finding, Sweep, SweepEvent};

/// Plans that are shrunk for each bug.
const PLANS: usize = 5;

/// Seeds among which they are looked for.
const SEEDS: u64 = 4_000;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    println!(
        "| injected bug | property | faults | client operations | nodes | steps | CPU seconds |\n\
         | --- | --- | --- | --- | --- | --- | --- |"
    );
    for bug in Bug::ALL {
        if wanted.is_empty() || wanted.iter().any(|name| name == bug.name()) {
            println!("{}", row(*bug));
        }
    }
}

fn row(bug: Bug) -> String {
    let subject = squall::subject(&format!("raft-rs+{}", bug.name()));
    let subject = subject.expect("every injected bug makes a subject");
    let shrunk: Vec<Shrunk> = failing(&subject, bug)
        .iter()
        .map(|finding| shrink(&subject, finding))
        .collect();
    let both = |figure: fn(&Size) -> u64| {
        let before = median(shrunk.iter().map(|one| figure(&one.before)).collect());
        let after = median(shrunk.iter().map(|one| figure(&one.after)).collect());
        format!("{before} to **{after}**")
    };
    let seconds: Vec<u64> = shrunk
        .iter()
        .map(|one| one.cpu.as_millis() as u64)
        .collect();
    format!(
        "| `{}` | `{}` | {} | {} | {} | {} | {:.1} |",
        bug.name(),
        bug.caught_by(),
        both(|size| size.faults as u64),
        both(|size| size.operations as u64),
        both(|size| size.nodes as u64),
        both(|size| size.steps),
        median(seconds) as f64 / 1_000.0
    )
}

/// The first plans by which the bug's check catches it.
fn failing(subject: &RegisteredSubject, bug: Bug) -> Vec<Finding> {
    let profile = bug.profile();
    let stop = AtomicBool::new(false);
    let sweep = Sweep {
        subject,
        profile: &Profile::load(profile).expect("it is built in"),
        strategy: squall_explore::strategy::Kind::Swarm,
        coverage: false,
        corpus: Vec::new(),
        seeds: 0..SEEDS,
        shard: Shard::WHOLE,
        jobs: 1,
        time_limit: None,
        keep_going: true,
        stop: &stop,
        lookout: None,
    };
    let mut found = Vec::new();
    sweep.run(|news| {
        if let SweepEvent::Finding(finding) = news
            && finding.failure.violation.property() == bug.caught_by()
            && found.len() < PLANS
        {
            found.push(finding.clone());
        }
        if found.len() == PLANS {
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    assert_eq!(found.len(), PLANS, "{} is too rare", bug.name());
    found
}

fn shrink(subject: &RegisteredSubject, finding: &Finding) -> Shrunk {
    let shrinker = Shrinker {
        subject,
        jobs: 1,
        time_limit: None,
        stop: &AtomicBool::new(false),
        hangs: None,
    };
    let shrunk = shrinker.run(&finding.plan, &mut |_| ());
    let shrunk = shrunk.expect("the plan fails");
    eprintln!(
        "{} seed {}: {} faults, {} operations, {} nodes, {} steps, {:.1} s",
        subject.name,
        finding.plan.seed,
        shrunk.after.faults,
        shrunk.after.operations,
        shrunk.after.nodes,
        shrunk.after.steps,
        shrunk.cpu.as_secs_f64()
    );
    if let Ok(folder) = std::env::var("SQUALL_SHRUNK") {
        let file = format!("{folder}/{}-{}.json", subject.name, finding.plan.seed);
        std::fs::write(file, shrunk.plan.to_json()).expect("the folder is there");
    }
    shrunk
}

/// The middle one of `values`, of which there is an odd number.
fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

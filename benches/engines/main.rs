//! What the madsim engine costs beside the lockstep engine, on the same plans, and beside what one
//! would write first on madsim: see `naive.rs`. `cargo madsim bench --features madsim --bench
//! engines`.

#[path = "../steps/clock.rs"]
#[allow(dead_code)]
mod clock;
mod naive;
#[path = "../steps/steady.rs"]
#[allow(dead_code)]
mod steady;

use squall_core::engine::{Observer, Outcome};
use squall_core::options::Persistence;
use squall_core::plan::{Plan, Profile};
use squall_core::registry::RegisteredSubject;
use squall_raft_rs::RaftRs;

use clock::{cpu_ns, median};
use steady::{Scope, Steady};

/// Repetitions of each side, taken in turns.
const ROUNDS: usize = 7;
const STORM_PLANS: u64 = 100;
const SET_UPS: u64 = 1_000;

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let (rounds, heal_us, storm_plans, set_ups) = match measures {
        true => (ROUNDS, 20_000_000, STORM_PLANS, SET_UPS),
        // Once through everything small, as `cargo test --benches` asks for.
        false => (1, 200_000, 2, 2),
    };
    println!("CPU time a step, median of {rounds} rounds; lockstep is 1\n");
    println!("plans                               lockstep   madsim    ratio    naive    ratio");
    let both = Both::new();
    for voters in [3, 5] {
        let steady = Steady {
            scope: Scope::Clients,
            voters,
            persistence: Persistence::Synchronous,
            heal_us,
        };
        calm(&both, &steady, rounds);
    }
    storm(&both, storm_plans, rounds);
    fixed(&both, set_ups, rounds);
}

/// The subject on both engines, as every sweep has it.
struct Both {
    lockstep: RegisteredSubject,
    madsim: RegisteredSubject,
}

impl Both {
    fn new() -> Self {
        let lockstep = squall::subject("raft-rs").expect("it is built in");
        let madsim = lockstep.on(squall::madsim::ENGINE);
        Self { lockstep, madsim }
    }
}

fn run(subject: &RegisteredSubject, plan: &Plan) -> u64 {
    clean(subject.runner.run(plan, Observer::default())).steps
}

/// CPU time of `act` for each of the steps that it returns, in nanoseconds.
fn per_step(act: impl FnOnce() -> u64) -> f64 {
    let before = cpu_ns();
    let steps = act();
    (cpu_ns() - before) as f64 / steps.max(1) as f64
}

fn calm(both: &Both, steady: &Steady, rounds: usize) {
    let plan = steady.plan();
    let [mut lockstep, mut madsim, mut naive] = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..rounds {
        lockstep.push(per_step(|| run(&both.lockstep, &plan)));
        madsim.push(per_step(|| run(&both.madsim, &plan)));
        naive.push(per_step(|| naive::run(&plan, &RaftRs)));
    }
    let [lockstep, madsim, naive] = [lockstep, madsim, naive].map(median);
    println!(
        "calm, {} nodes                       {lockstep:5.0} ns {madsim:5.0} ns {:8.2} {naive:5.0} ns {:8.2}",
        steady.voters,
        madsim / lockstep,
        naive / lockstep
    );
}

fn storm(both: &Both, plans: u64, rounds: usize) {
    let profile = Profile::load("storm").expect("it comes with squall");
    let subject = squall::subject("raft-rs").expect("it is there");
    let space = subject.plans(&profile);
    let plans: Vec<Plan> = (0..plans).map(|seed| space.draw(seed)).collect();
    let all = |subject: &RegisteredSubject| plans.iter().map(|plan| run(subject, plan)).sum();
    let [mut lockstep, mut madsim] = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        lockstep.push(per_step(|| all(&both.lockstep)));
        madsim.push(per_step(|| all(&both.madsim)));
    }
    let [lockstep, madsim] = [lockstep, madsim].map(median);
    println!(
        "storm, {:3} seeds                    {lockstep:5.0} ns {madsim:5.0} ns {:8.2}",
        plans.len(),
        madsim / lockstep
    );
}

/// A run that ends before its first step.
fn fixed(both: &Both, runs: u64, rounds: usize) {
    let plan = Steady {
        scope: Scope::Clients,
        voters: 3,
        persistence: Persistence::Synchronous,
        heal_us: 1_000_000,
    }
    .plan();
    let once = |subject: &RegisteredSubject| {
        let watch = Observer {
            most_steps: Some(0),
            ..Observer::default()
        };
        clean(subject.runner.run(&plan, watch));
    };
    let each = |subject: &RegisteredSubject| {
        per_step(|| {
            (0..runs).for_each(|_| once(subject));
            runs
        })
    };
    let [mut lockstep, mut madsim] = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        lockstep.push(each(&both.lockstep));
        madsim.push(each(&both.madsim));
    }
    let [lockstep, madsim] = [lockstep, madsim].map(|times| median(times) / 1_000.0);
    println!(
        "\na run of 3 nodes that makes no step: lockstep {lockstep:.1} us, madsim {madsim:.1} us"
    );
}

fn clean(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.failure, None, "the subject is honest");
    outcome
}

//! What is not a ratio of steps: setting a run up, the speed of `storm`, and
//! memory.

use squall_core::engine::{Observer, Outcome, run};
use squall_core::options::Persistence;
use squall_core::plan::{Plan, Profile};
use squall_core::replica::{
    BootContext, BootError, Input, Label, Observation, Output, Recovered, Replica, Subject,
};
use squall_raft_rs::{Message, RaftRs, RaftRsNode};

use crate::clock::{cpu_ns, median};
use crate::floor::Bare;
use crate::steady::{Scope, Steady};

const STORM_PLANS: u64 = 300;
const ROUNDS: usize = 7;
const SET_UPS: u64 = 2_000;

const CALM: Steady = Steady {
    scope: Scope::Clients,
    voters: 3,
    persistence: Persistence::Synchronous,
    heal_us: 0,
};

/// raft-rs, but its first step breaks a property, so that a run ends there: a
/// plan alone cannot ask for one that is shorter than an election.
struct EndsAtOnce;

struct EndingNode {
    _inner: RaftRsNode,
}

impl Subject for EndsAtOnce {
    type Replica = EndingNode;

    fn supports(&self) -> &'static [squall_core::options::Feature] {
        squall_core::options::Feature::ALL
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<EndingNode, BootError> {
        let _inner = RaftRs.boot(boot, disk, out)?;
        Ok(EndingNode { _inner })
    }
}

impl Replica for EndingNode {
    type Message = Message;

    fn step(&mut self, _now_us: u64, _input: Input<Message>, out: &mut Output<Message>) {
        out.observe(Observation::Applied { index: 1, state: 0 });
    }

    fn label(message: &Message) -> Label {
        RaftRsNode::label(message)
    }
}

/// A run that is over with its first step, against three bare nodes made and dropped.
pub fn set_up() {
    let plan = CALM.plan();
    let (mut bare, mut full) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        full.push(each_us(|| {
            let outcome = run(&plan, &EndsAtOnce, Observer::default());
            assert_eq!(outcome.steps, 1);
        }));
        bare.push(each_us(|| {
            let nodes: Vec<Bare> = plan
                .nodes()
                .iter()
                .map(|id| Bare::new(&plan, *id))
                .collect();
            drop(std::hint::black_box(nodes));
        }));
    }
    let (bare, full) = (median(bare), median(full));
    println!(
        "setting up and tearing down 3 nodes: bare {bare:.1} us, a run {full:.1} us, {:.1} us more (target: under 20)",
        full - bare
    );
}

fn each_us(what: impl Fn()) -> f64 {
    let start = cpu_ns();
    for _ in 0..SET_UPS {
        what();
    }
    (cpu_ns() - start) as f64 / 1_000.0 / SET_UPS as f64
}

/// Steps a second of CPU time over plans of the profile `storm`.
pub fn storm() {
    let profile = Profile::load("storm").expect("it is built in");
    let subject = squall::subject("raft-rs").expect("it is there");
    let space = subject.plans(&profile);
    let plans: Vec<Plan> = (0..STORM_PLANS).map(|seed| space.draw(seed)).collect();
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let start = cpu_ns();
        let outcomes = plans
            .iter()
            .map(|plan| run(plan, &RaftRs, Observer::default()));
        let steps: u64 = outcomes.map(|outcome: Outcome| outcome.steps).sum();
        rates.push(steps as f64 * 1e9 / (cpu_ns() - start) as f64);
    }
    println!(
        "storm: {:.0} steps a CPU second over {STORM_PLANS} plans (target: over 1000000)",
        median(rates)
    );
}

/// Peak memory of one long run.
pub fn memory() {
    let steady = Steady {
        heal_us: 2_100_000_000,
        ..CALM
    };
    let outcome = steady.run();
    match peak_kib() {
        Some(kib) => println!(
            "{} steps in one run of 3 nodes: at most {:.1} MB resident (target: under 200)",
            outcome.steps,
            kib as f64 * 1_024.0 / 1e6
        ),
        None => println!(
            "{} steps; this system does not tell the peak of resident memory",
            outcome.steps
        ),
    }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

//! The event mix that both sides are measured on: a calm cluster under steady
//! load, where most steps serve commands and few are ticks, as in a live one.

use squall::engine::{Outcome, Watch, run};
use squall::net::Traffic;
use squall::options::{DriverOptions, Persistence, RaftOptions};
use squall::plan::{ClockOptions, Cluster, DiskOptions, Heal, Plan, VERSION, Workload};
use squall::subject::raft_rs::RaftRs;

/// One fault-free mix.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    pub voters: u8,
    pub persistence: Persistence,
    /// How long clients work, in simulated microseconds.
    pub heal_us: u64,
}

impl Steady {
    pub const HEADER: &str = "nodes  disk              steps         bare          full   ratio";

    pub fn words(&self) -> String {
        let disk = match self.persistence {
            Persistence::Synchronous => "synchronous",
            Persistence::Asynchronous => "asynchronous",
        };
        format!("{:>5}  {disk:12}", self.voters)
    }

    pub fn plan(&self) -> Plan {
        let plan = Plan {
            version: VERSION,
            seed: 1,
            subject: "raft-rs".to_owned(),
            profile: "steady".to_owned(),
            cluster: Cluster {
                voters: self.voters,
                learners: 0,
                spares: 0,
                tick_us: 10_000,
                first_term: 0,
                first_index: 0,
                clocks: vec![ClockOptions::default(); self.voters.into()],
            },
            raft: RaftOptions::default(),
            driver: DriverOptions {
                persistence: self.persistence,
                ..DriverOptions::default()
            },
            network: Traffic::default(),
            disk: DiskOptions {
                sync_min_us: 100,
                sync_max_us: 400,
            },
            workload: Workload {
                clients: 8,
                think_min_us: 1_000,
                think_max_us: 15_000,
                timeout_us: 1_000_000,
                padding_max_bytes: 100,
                retries: 0,
                crash_percent: 0,
                // The floor knows no reads around the log.
                reads_percent: 0,
                locks_percent: 30,
                lease_us: 200_000,
                fresh_lease_reads: false,
            },
            faults: Vec::new(),
            heal_us: self.heal_us,
            heal: Heal::Everyone,
            end_us: self.heal_us + 60_000_000,
        };
        plan.validate().expect("the plan is made to be valid");
        plan
    }

    /// Carries the plan out with every check on.
    ///
    /// # Panics
    /// When the run is not clean.
    pub fn run(&self) -> Outcome {
        let outcome = engine(&self.plan());
        assert_eq!(outcome.failure, None, "a calm run is clean");
        outcome
    }
}

/// The full engine. A function of its own, so that valgrind can count what is inside it.
#[inline(never)]
pub fn engine(plan: &Plan) -> Outcome {
    run(plan, &RaftRs, Watch::default())
}

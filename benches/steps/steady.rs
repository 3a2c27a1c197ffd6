//! The event mix that both sides are measured on: a calm cluster under steady
//! load, where most steps serve commands and few are ticks, as in a live one.

use std::sync::LazyLock;

use squall_core::engine::{Observer, Outcome};
use squall_core::options::{DriverOptions, Persistence, RaftOptions};
use squall_core::plan::{ClockOptions, Cluster, DiskOptions, Heal, Plan, VERSION, Workload};
use squall_core::registry::RegisteredSubject;
use squall_world::network::LinkOptions;

/// The subject as every sweep has it. An engine made for a subject of this program would be a
/// second copy of the library beside the one that its driver was compiled with, which crowds a
/// core's instruction cache.
static RAFT_RS: LazyLock<RegisteredSubject> =
    LazyLock::new(|| squall::subject("raft-rs").expect("it is built in"));

/// What the engine does with the commands of the mix. The floor only replicates them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They are opaque, and all that is checked is the log.
    Log,
    /// They go to the service, and what clients are told is checked too.
    Clients,
}

impl Scope {
    pub const ALL: [Scope; 2] = [Scope::Log, Scope::Clients];

    /// What its figures contain.
    pub fn words(self) -> &'static str {
        match self {
            Scope::Log => {
                "log checks: opaque commands, hashed where they are applied; every check of log, terms, commits and disks"
            }
            Scope::Clients => {
                "with workload, histories and linearizability: the same, and key-value store, locks and sessions on every node, and every answer held against the log"
            }
        }
    }
}

/// One fault-free mix.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    pub scope: Scope,
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
            command: None,
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
            network: LinkOptions::default(),
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
                // But for those after the storm.
                reads_percent: 0,
                locks_percent: 30,
                lease_us: 200_000,
                fresh_lease_reads: false,
                leases_by_leader: false,
                settings_stay: false,
                priorities_stay: false,
            },
            streams: false,
            schedule: None,
            script: None,
            faults: Vec::new(),
            heal_us: self.heal_us,
            heal: Heal::Everyone,
            end_us: self.heal_us + 60_000_000,
        };
        plan.validate().expect("the plan is made to be valid");
        plan
    }

    /// What the engine is told to leave out.
    pub fn watch(&self) -> Observer<'static> {
        Observer {
            log_only: self.scope == Scope::Log,
            ..Observer::default()
        }
    }

    /// Carries the plan out with the checks of its scope.
    ///
    /// # Panics
    /// When the run is not clean.
    pub fn run(&self) -> Outcome {
        let outcome = engine(&self.plan(), self.watch());
        assert_eq!(outcome.failure, None, "a calm run is clean");
        outcome
    }
}

/// The full engine. A function of its own, so that valgrind can count what is inside it.
#[inline(never)]
pub fn engine(plan: &Plan, watch: Observer<'_>) -> Outcome {
    RAFT_RS.runner.run(plan, watch)
}

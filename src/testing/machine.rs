//! The replicated services as a `proptest-state-machine`: what clients are told by a simulated
//! cluster, through crashes and pauses, is what the service says that is applied to alone, without
//! a cluster.
//!
//! ```no_run
//! use proptest_state_machine::{StateMachineTest as _, prop_state_machine};
//! use squall::raft_rs::RaftRs;
//! use squall::testing::machine::Cluster;
//!
//! prop_state_machine! {
//!     fn my_cluster_answers_as_the_service_alone(sequential 1..20 => Cluster<RaftRs>);
//! }
//! # fn main() {}
//! ```
//!
//! Moves shrink by being left out. The moves of a case make one plan, whose script the clients go
//! by; it is run once all moves are known, and written beside the test's regressions when it fails.

use squall_core::faults;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use super::place::Place;
use super::settings::Settings;
use super::type_name;
use squall_core::engine::{Answered, Observer};
use squall_core::fsutil::{Equal, NewName, folder_of, settle, write_new};
use squall_core::ids::NodeId;
use squall_core::options::{DriverOptions, RaftOptions};
use squall_core::plan::{
    Asked, ClockOptions, Cluster as Nodes, DiskOptions, Fault, Heal, LossMode, Plan, Try, VERSION,
    What, When, Workload,
};
use squall_core::registry::Runner;
use squall_core::service::{Answer, Command, Operation, Service};
use squall_world::network::LinkOptions;

/// Clients, each with a session.
const CLIENTS: u32 = 3;

/// Nodes of the cluster.
const NODES: u8 = 3;

const KEYS: u8 = 3;
const LOCKS: u8 = 2;

/// From one operation to the next, in microseconds: many election time-outs, so that each is
/// answered before the next.
const SLOT_US: u64 = 3_000_000;

/// A client asks again, another node, after this many microseconds without an answer.
const AGAIN_US: u64 = 150_000;

/// Longest that a node is down or still, in microseconds: leaves most of a slot for an election.
const LONGEST_US: u64 = 400_000;

/// One move: an operation of a client, or a fault while the next one is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// A client asks for something, and is answered. A lock's token stands for the one that it was
    /// granted last.
    Ask {
        /// Which client.
        client: u32,
        /// For what.
        operation: Operation,
        /// Around the log, where the subject has that; for reads.
        around_log: bool,
    },
    /// Something goes wrong shortly after the next operation is asked for.
    Fault {
        /// The fault.
        what: What,
        /// How long after, in microseconds.
        after_us: u64,
    },
}

/// What the moves so far come to, without a cluster.
#[derive(Clone, Debug)]
pub struct Alone {
    /// The seed of the cluster's run, which stays as moves are left out.
    seed: u64,
    service: Service,
    sequences: [u64; CLIENTS as usize],
    /// The lock that each client was granted last, and its token.
    holds: [Option<(u8, u64)>; CLIENTS as usize],
    script: Vec<Asked>,
    faults: Vec<Fault>,
    answers: Vec<Answer>,
}

impl Alone {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            service: Service::default(),
            sequences: [0; CLIENTS as usize],
            holds: [None; CLIENTS as usize],
            script: Vec::new(),
            faults: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// When the next operation is asked for. The first leader has been elected by then.
    fn next_us(&self) -> u64 {
        SLOT_US * (self.script.len() as u64 + 1)
    }

    fn ask(&mut self, client: u32, operation: Operation, around_log: bool) {
        let at_us = self.next_us();
        let place = client as usize;
        self.sequences[place] += 1;
        let command = Command {
            client,
            sequence: self.sequences[place],
            time_us: at_us,
            operation: with_token(operation, self.holds[place]),
        };
        let applied = self.service.apply(&command.encode(0));
        let answer = applied.expect("it is a command").answer;
        match (operation, answer) {
            (_, Answer::Granted { token, .. }) => {
                self.holds[place] = operation.lock().map(|lock| (lock, token));
            }
            (Operation::Acquire { .. }, Answer::Waiting)
            | (Operation::Release { .. } | Operation::Renew { .. }, _)
            | (Operation::Guarded { .. }, Answer::Stale) => self.holds[place] = None,
            _ => {}
        }
        self.answers.push(answer);
        let tries = (0..SLOT_US / AGAIN_US).map(|nth| Try {
            at_us: at_us + nth * AGAIN_US,
            node: NodeId((u64::from(client) + nth) as u8 % NODES + 1),
        });
        self.script.push(Asked {
            client,
            operation,
            around_log,
            padding_bytes: 0,
            tries: tries.collect(),
            crashes: false,
        });
    }

    /// The plan of the moves so far.
    fn plan(&self, subject: &str) -> Plan {
        let heal_us = self.next_us();
        Plan {
            version: VERSION,
            seed: self.seed,
            subject: subject.to_owned(),
            command: None,
            profile: "state machine".to_owned(),
            cluster: Nodes {
                voters: NODES,
                learners: 0,
                spares: 0,
                tick_us: 10_000,
                first_term: 0,
                first_index: 0,
                clocks: vec![ClockOptions::default(); NODES.into()],
            },
            raft: RaftOptions::default(),
            driver: DriverOptions {
                // A few operations are a snapshot's worth.
                snapshot_every_bytes: 100,
                keep_entries: 2,
                ..DriverOptions::default()
            },
            network: LinkOptions::default(),
            disk: DiskOptions {
                sync_min_us: 100,
                sync_max_us: 500,
            },
            workload: Workload {
                clients: CLIENTS,
                think_min_us: 1_000,
                think_max_us: 1_000,
                timeout_us: AGAIN_US / 2,
                retries: 0,
                crash_percent: 0,
                reads_percent: 0,
                locks_percent: 0,
                lease_us: SLOT_US,
                fresh_lease_reads: false,
                leases_by_leader: false,
                settings_stay: false,
                priorities_stay: false,
                padding_max_bytes: 0,
            },
            streams: false,
            schedule: None,
            script: Some(self.script.clone()),
            faults: self.faults.clone(),
            heal_us,
            heal: Heal::Everyone,
            end_us: heal_us + 60_000_000,
        }
    }
}

fn with_token(mut operation: Operation, hold: Option<(u8, u64)>) -> Operation {
    if let Operation::Renew { token, .. }
    | Operation::Release { token, .. }
    | Operation::Guarded { token, .. } = &mut operation
    {
        *token = hold.map_or(0, |(_, token)| token);
    }
    operation
}

/// The service alone, as the reference.
#[derive(Clone, Copy, Debug)]
pub struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Alone;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<Alone> {
        any::<u64>().no_shrink().prop_map(Alone::new).boxed()
    }

    fn transitions(_: &Alone) -> BoxedStrategy<Move> {
        prop_oneof![3 => keys(), 3 => locks(), 2 => faults()].boxed()
    }

    fn preconditions(state: &Alone, next: &Move) -> bool {
        // Clients forge no tokens.
        match next {
            Move::Ask {
                client,
                operation:
                    Operation::Renew { lock, .. }
                    | Operation::Release { lock, .. }
                    | Operation::Guarded { lock, .. },
                ..
            } => state.holds[*client as usize].is_some_and(|(held, _)| held == *lock),
            _ => true,
        }
    }

    fn apply(mut state: Alone, next: &Move) -> Alone {
        match next {
            Move::Ask {
                client,
                operation,
                around_log,
            } => state.ask(*client, *operation, *around_log),
            Move::Fault { what, after_us } => state.faults.push(Fault {
                when: When::AtUs(state.next_us() + after_us),
                what: what.clone(),
            }),
        }
        state
    }
}

fn keys() -> impl Strategy<Value = Move> {
    let (key, value) = (0..KEYS, 0..4u64);
    let expected = prop_oneof![Just(None), (0..4u64).prop_map(Some)];
    let write =
        (0..4u8, key.clone(), value, expected).prop_map(
            |(what, key, value, expected)| match what {
                0 => Operation::Put { key, value },
                1 => Operation::Append { key, value },
                2 => Operation::Delete { key },
                _ => Operation::CompareAndSet {
                    key,
                    expected,
                    value,
                },
            },
        );
    let write = (0..CLIENTS, write).prop_map(|(client, operation)| Move::Ask {
        client,
        operation,
        around_log: false,
    });
    let read = (0..CLIENTS, key, any::<bool>()).prop_map(|(client, key, around_log)| Move::Ask {
        client,
        operation: Operation::Get { key },
        around_log,
    });
    prop_oneof![write, read]
}

fn locks() -> impl Strategy<Value = Move> {
    let whole = (0..CLIENTS, 0..LOCKS, 0..5u8, 1..6u64);
    whole.prop_map(|(client, lock, what, slots)| {
        let (token, lease_us) = (0, slots * SLOT_US);
        Move::Ask {
            client,
            operation: match what {
                0 => Operation::TryAcquire { lock, lease_us },
                1 => Operation::Acquire { lock, lease_us },
                2 => Operation::Renew {
                    lock,
                    token,
                    lease_us,
                },
                3 => Operation::Guarded { lock, token },
                _ => Operation::Release { lock, token },
            },
            around_log: false,
        }
    })
}

fn faults() -> impl Strategy<Value = Move> {
    let node = (1..=NODES).prop_map(NodeId);
    let us = 1_000..LONGEST_US;
    let crash = (node.clone(), select(&LossMode::ALL[..]), us.clone());
    let crash = crash.prop_map(|(node, loss, down_us)| {
        What::Crash(faults::Crash {
            node,
            loss,
            down_us,
        })
    });
    let pause =
        (node, us.clone()).prop_map(|(node, for_us)| What::Pause(faults::Pause { node, for_us }));
    let isolate = us.prop_map(|for_us| {
        What::IsolateLeader(faults::IsolateLeader {
            for_us,
            bridges: Vec::new(),
        })
    });
    let what = prop_oneof![3 => crash, 1 => pause, 1 => isolate];
    // An operation takes a few milliseconds: most faults are to meet one that is under way.
    let after_us = prop_oneof![0..5_000u64, 0..LONGEST_US];
    (what, after_us).prop_map(|(what, after_us)| Move::Fault { what, after_us })
}

/// A simulated cluster of `S`, which is asked the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cluster<S>(PhantomData<S>);

impl<S: Runner + Default> StateMachineTest for Cluster<S> {
    type SystemUnderTest = ();
    type Reference = Reference;

    fn init_test(_: &Alone) {}

    fn apply((): (), _: &Alone, _: Move) {}

    /// Runs the plan of all moves.
    fn teardown((): (), alone: Alone) {
        let subject = S::default();
        let name = type_name::<S>();
        let plan = alone.plan(&name);
        if let Err(other) = plan.check_script(subject.own()) {
            panic!("moves are on keys and locks: {other}");
        }
        if let Err(wrong) = compare(&subject, &plan, &alone.answers) {
            panic!("{wrong}\n\n{}", kept(&plan, &name));
        }
    }
}

/// Runs `plan`, and checks what clients are told against what they should be told.
fn compare(subject: &impl Runner, plan: &Plan, expected: &[Answer]) -> Result<(), String> {
    let mut answers: Vec<Answered> = Vec::new();
    let watch = Observer {
        answers: Some(&mut answers),
        ..Observer::default()
    };
    let outcome = subject.run(plan, watch);
    if let Some(failure) = outcome.failure {
        return Err(failure.to_string());
    }
    let script = plan.script.iter().flatten();
    for (number, (asked, expected)) in script.zip(expected).enumerate() {
        let at_us = asked.tries[0].at_us;
        let told = answers
            .iter()
            .find(|told| told.command.time_us == at_us && told.command.client == asked.client);
        let got = match told {
            Some(told) => told.answer.to_string(),
            None => "nothing".to_owned(),
        };
        if told.is_none_or(|told| told.answer != *expected) {
            return Err(format!(
                "operation {}: {asked}\n  the cluster answers: {got}\n  the service alone:   {expected}",
                number + 1
            ));
        }
    }
    Ok(())
}

/// Writes a failure's plan over the one that this process has written there for a larger case, and
/// over no other one.
fn keep(stem: &Path, text: &str) -> std::io::Result<PathBuf> {
    static TAKEN: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());
    let name = NewName {
        stem: stem.to_path_buf(),
        ending: ".json",
    };
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let own = match taken.remove(stem) {
        Some(own) => own,
        None => write_new(folder_of(stem), &name, text, Equal::IsAnother)?,
    };
    let path = settle(&name, &own, text)?;
    if path == own {
        taken.insert(stem.to_path_buf(), own);
    }
    Ok(path)
}

/// Keeps the plan of a failure, of which the last is that of the smallest case, and says where it
/// lies.
fn kept(plan: &Plan, subject: &str) -> String {
    let written = Settings::of_process().and_then(|settings| {
        let place = Place::of_process(None, None, &settings, subject);
        let path = place.out().join("state-machine");
        let failed = |error: std::io::Error| {
            super::Failed::said(&format!("cannot write {}: {error}", path.display()))
        };
        std::fs::create_dir_all(place.out()).map_err(failed)?;
        keep(&path, &plan.to_json()).map_err(failed)
    });
    match written {
        Ok(path) => format!("plan       {}", path.display()),
        Err(failed) => failed.to_string(),
    }
}

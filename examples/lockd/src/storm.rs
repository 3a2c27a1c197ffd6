//! The server under the storm of Squall, in simulation: how a node and a client go, the probe, and
//! what clients must not see. All that the simulator needs to know of the server is in here.

pub mod seen;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use raft::StateRole;
use raft::eraftpb::{Entry, Message};
use squall::counters::Counter;
use squall::ids::{NodeId, Role};
use squall::invariants::{Property, Verdict, Violation};
use squall::madsim::servers::{self, ClientHandle, Incarnation, Judged, Server, address_of};
use squall::plan::Plan;
use squall::raft_rs::{entry, label, node};
use tokio::time::{Instant, sleep};

use crate::bug::{Bug, Injected};
use crate::client::{self, Client};
use crate::probe::{Probe, Started};
use crate::server;
use crate::state::Answer;
use seen::Seen;

/// The port of every server.
const PORT: u16 = 7100;

/// lockd as it is, or with a mistake.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lockd(
    /// The mistake.
    pub Injected,
);

/// What the clients of one run have seen.
#[derive(Debug)]
pub struct Run {
    start: Instant,
    seen: Mutex<Vec<Seen>>,
}

impl Run {
    fn now_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    fn add(&self, seen: Seen) {
        self.seen.lock().expect("no client panics").push(seen);
    }
}

fn servers(plan: &Plan) -> BTreeMap<u64, String> {
    let address = |node: NodeId| (node.0.into(), format!("{}:{PORT}", address_of(node)));
    plan.nodes().into_iter().map(address).collect()
}

impl Server for Lockd {
    type Run = Run;
    type End = io::Result<Infallible>;

    fn begin(&self, _: &Plan) -> Run {
        Run {
            start: Instant::now(),
            seen: Mutex::default(),
        }
    }

    fn serve(
        self: Arc<Self>,
        incarnation: Incarnation,
    ) -> impl Future<Output = Self::End> + Send + 'static {
        let plan = &incarnation.plan;
        let options = server::Options {
            id: incarnation.node.0.into(),
            dir: "lockd".to_owned(),
            listen: format!("0.0.0.0:{PORT}"),
            servers: servers(plan),
            tick: Duration::from_micros(plan.cluster.tick_us),
            election_ticks: plan.raft.election_ticks as usize,
            heartbeat_ticks: plan.raft.heartbeat_ticks as usize,
            // A command takes up some fifty bytes.
            snapshot_every: (plan.driver.snapshot_every_bytes / 50).max(4),
            keep: plan.driver.keep_entries,
            seed: incarnation.seed,
            bug: self.0,
        };
        let probe = ToSquall(incarnation.probe);
        server::run(options, probe)
    }

    fn ask(
        self: Arc<Self>,
        run: Arc<Run>,
        handle: ClientHandle,
    ) -> impl Future<Output = ()> + Send + 'static {
        let workload = handle.plan.workload;
        // A try that is given up before its answer can be there never gets one: that takes four
        // delays and two syncs, and a new connection some more.
        let takes_us = 8 * handle.plan.network.delay_max_us + 4 * handle.plan.disk.sync_max_us;
        let attempt = Duration::from_micros(workload.timeout_us.max(takes_us));
        let client = Client::new(client::Options {
            servers: servers(&handle.plan),
            attempt,
            patience: attempt * (workload.retries + 1),
            nonce: u64::from(handle.number) << 32,
            bug: self.0,
        });
        storm_on(run, handle, client)
    }

    fn judge(&self, run: &Run) -> Verdict<Judged> {
        let seen = run.seen.lock().expect("no client panics");
        match seen::judge(&seen) {
            Ok(can_be) => Ok(can_be.undecided_after.map_or(Judged::Fine, |steps| {
                Judged::Undecided(format!("no order of operations in {steps} steps"))
            })),
            Err(message) => {
                let text = message.trim().replace('\n', "; ");
                let property = Property::Linearizability;
                Err(Box::new(Violation::in_words(None, property, text)))
            }
        }
    }
}

/// Asks for one thing after another until the storm is over, and then until something is answered.
async fn storm_on(run: Arc<Run>, handle: ClientHandle, mut client: Client) {
    let mut choices = handle.choices();
    let workload = handle.plan.workload;
    for count in 1.. {
        let think_us = choices.between(workload.think_min_us, workload.think_max_us);
        sleep(Duration::from_micros(think_us)).await;
        // What is asked for before the end of the storm says nothing of what comes after it.
        let storms = handle.storms();
        let asked = seen::draw(&mut choices, handle.number, count);
        let invoked = run.now_us();
        let answer = client.ask(asked.clone()).await.ok();
        let at = run.now_us();
        handle.say(|| format!("asks for {asked:?}, and gets {answer:?}"));
        let is_answered = answer.is_some();
        handle.hit(match &answer {
            None => Counter::CommandTimedOut,
            Some(Answer::Granted(_)) => Counter::LockGranted,
            Some(_) => Counter::CommandApplied,
        });
        run.add(Seen {
            client: handle.number,
            asked,
            invoked,
            answered: answer.map(|answer| (answer, at)),
        });
        if !storms && is_answered {
            break;
        }
    }
}

/// The probe, as Squall has it.
#[derive(Clone, Debug)]
struct ToSquall(servers::Probe);

fn voted_for(id: u64) -> Option<NodeId> {
    (id != 0).then(|| node(id))
}

impl Probe for ToSquall {
    const LISTENS: bool = true;

    fn started(&self, started: Started) {
        self.0.started(&servers::Started {
            term: started.term,
            vote: voted_for(started.vote),
            log_start: started.log_start.0,
            entries: started.entries.iter().map(entry).collect(),
            snapshot: (started.snapshot, started.snapshot_term),
            commit: started.commit,
            state: started.state,
        });
    }

    fn role(&self, role: StateRole, term: u64) {
        let role = match role {
            StateRole::Follower => Role::Follower,
            StateRole::PreCandidate => Role::PreCandidate,
            StateRole::Candidate => Role::Candidate,
            StateRole::Leader => Role::Leader,
        };
        self.0.role(role, term);
    }

    fn voted(&self, term: u64, vote: u64) {
        self.0.voted(term, voted_for(vote));
    }

    fn appended(&self, it: &Entry) {
        self.0.appended(it.index, &entry(it));
    }

    fn synced(&self) {
        // Nothing is written while a sync is under way.
        self.0.synced(self.0.sync_begins());
    }

    fn sent(&self, message: &Message) {
        self.0.sent(&label(message));
    }

    fn committed(&self, index: u64) {
        self.0.committed(index);
    }

    fn applied(&self, index: u64, state: u64) {
        self.0.applied(index, state);
    }

    fn compacted(&self, index: u64, term: u64, start: (u64, u64)) {
        self.0.compacted((index, term), start.0);
    }

    fn installed(&self, index: u64, term: u64, state: u64) {
        self.0.installed((index, term), state);
    }
}

/// lockd as it is, and with each mistake: what `lockd-storm` sweeps.
pub fn subjects() -> Vec<squall::registry::RegisteredSubject> {
    let named = |name: String, about: &str, bug: Option<Bug>| {
        let server = squall::madsim::servers::Storm::over(Lockd(Injected(bug)));
        squall::registry::RegisteredSubject::new(name, about, server)
    };
    let honest = named("lockd".to_owned(), "lockd as it is", None);
    let injected =
        Bug::ALL.map(|(bug, name, about)| named(format!("lockd+{name}"), about, Some(bug)));
    std::iter::once(honest).chain(injected).collect()
}

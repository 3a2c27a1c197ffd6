//! Carries a plan out on servers: machines of the runtime that lose power, stand still and are cut
//! off, with disks that are slow, full and failing, until the storm is over; then the cluster must
//! converge.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use ::madsim::runtime::{Handle, Runtime};
use ::madsim::task::{NodeId as Machine, yield_now};
use ::madsim::time::{Sleep, TimeHandle, sleep_until};

use super::network_faults::Links;
use super::observed_state::{Look, Stage};
use super::{
    Ended as _, Incarnation, Incarnations, Judged, Probe, Server, address_of, choices_of,
    unsupported,
};
use crate::shim::{ClockSim, DiskSim, NetworkSim, SyncTimes};
use squall_core::counters::Counter;
use squall_core::engine::{Engine, Observer, Outcome, Weight, of_test};
use squall_core::ids::NodeId;
use squall_core::invariants::Violation;
use squall_core::invariants::breach::Liveness;
use squall_core::options::Feature;
use squall_core::own::Own;
use squall_core::plan::{Plan, When};
use squall_core::registry::Runner;
use squall_world::hash::mix;
use squall_world::journal_disk::Loss;
use squall_world::rng::Choices;

/// Between two looks at whether the cluster has converged, in microseconds.
const LOOK_US: u64 = 10_000;

/// How long a machine is off whose server has stopped by itself, in microseconds.
const HALT_US: u64 = 50_000;

/// A server as a subject: see [`Server`].
pub struct Storm<S>(Arc<S>);

impl<S: Server> Storm<S> {
    /// The subject that this server is.
    pub fn over(server: S) -> Self {
        Self(Arc::new(server))
    }
}

/// What a client is told.
#[derive(Clone)]
pub struct ClientHandle {
    /// Which client, from 1.
    pub number: u32,
    /// What is to happen.
    pub plan: Arc<Plan>,
    stage: Arc<Mutex<Stage>>,
}

impl ClientHandle {
    /// Whether the storm goes on.
    pub fn storms(&self) -> bool {
        lock(&self.stage).storms
    }

    /// What this client may draw from.
    pub fn choices(&self) -> Choices {
        choices_of(&self.plan, self.number)
    }

    /// Counts something that has happened to it.
    pub fn hit(&self, event: Counter) {
        lock(&self.stage).counters.hit(event);
    }

    /// Adds a line to the run's trace, if anyone reads it.
    pub fn say(&self, text: impl FnOnce() -> String) {
        let number = self.number;
        lock(&self.stage).say(None, Weight::Routine, || {
            format!("client {number} {}", text())
        });
    }
}

pub(super) fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Server> Runner for Storm<S> {
    fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        let runtime = Runtime::with_seed_and_config(plan.seed, ::madsim::Config::default());
        runtime.add_simulator::<DiskSim>();
        runtime.add_simulator::<NetworkSim>();
        runtime.add_simulator::<ClockSim>();
        runtime.add_simulator::<Incarnations>();
        let look = Look {
            lines: watch.lines.is_some(),
            digests: watch.digests.is_some(),
            most_steps: watch.most_steps,
            pulse: watch.pulse.clone(),
        };
        let stage: Arc<Mutex<Option<Arc<Mutex<Stage>>>>> = Arc::default();
        let words = unsupported::of_plan(plan);
        let plan = Arc::new(unsupported::without_spares(plan));
        let done = of_test(|| {
            runtime.block_on(async {
                let time = TimeHandle::current();
                let seen = Arc::new(Mutex::new(Stage::new(&plan, time, &look)));
                *stage.lock().expect("nobody panics with it") = Some(Arc::clone(&seen));
                let world = World::new(Arc::clone(&self.0), Arc::clone(&plan), seen);
                for word in words {
                    world.say(format!("left out: {word}"));
                }
                world.run().await;
            });
        });
        let stage = stage.lock().expect("nobody panics with it").take();
        let stage = stage.expect("a run begins with it");
        let mut stage = lock(&stage);
        if let Err((_, panic)) = done {
            stage.panicked(panic);
        }
        if let (Some(told), Some(lines)) = (watch.lines, stage.lines.take()) {
            lines.into_iter().for_each(told);
        }
        if let (Some(told), Some(digests)) = (watch.digests, stage.digests.take()) {
            *told = digests;
        }
        Outcome {
            failure: stage.failure.clone(),
            digest: stage.digest,
            steps: stage.steps,
            time_us: stage.end_us,
            counters: stage.counters.clone(),
            nodes: stage.at_end(),
            members_without_disk: Vec::new(),
        }
    }

    fn supports(&self) -> &'static [Feature] {
        self.0.supports()
    }

    fn own(&self) -> Own {
        Own {
            issues: self.0.known_issues(),
            ..Own::default()
        }
    }

    fn only_on(&self) -> Option<Engine> {
        Some(crate::ENGINE)
    }
}

/// Why the storm is awake.
enum Woken {
    /// This node's server has stopped by itself.
    Halted(NodeId),
    /// The fault of this number has had its ordinal.
    Struck(usize),
    /// It is time, or the end.
    Otherwise,
}

/// What is to happen at a time.
pub(super) enum Due {
    /// The fault of this number strikes.
    Strike(usize),
    /// The fault of this number is over.
    Over(usize),
    /// The node starts again.
    Start(NodeId),
    /// The storm is over.
    Heal,
    /// Has the cluster converged?
    Look,
    /// It has had its time.
    End,
}

pub(super) struct World<S: Server> {
    pub(super) server: Arc<S>,
    pub(super) shared: Arc<S::Run>,
    pub(super) plan: Arc<Plan>,
    pub(super) stage: Arc<Mutex<Stage>>,
    pub(super) runtime: Handle,
    pub(super) disks: Arc<DiskSim>,
    pub(super) clocks: Arc<ClockSim>,
    pub(super) links: Links,
    pub(super) machines: Vec<Machine>,
    pub(super) clients: Vec<Machine>,
    pub(super) due: BTreeMap<(u64, u64), Due>,
    pub(super) ordered: u64,
    pub(super) paused: BTreeMap<usize, u32>,
    pub(super) healed: bool,
}

impl<S: Server> World<S> {
    fn new(server: Arc<S>, plan: Arc<Plan>, stage: Arc<Mutex<Stage>>) -> Self {
        Self {
            shared: Arc::new(server.begin(&plan)),
            server,
            stage,
            runtime: Handle::current(),
            disks: DiskSim::current(),
            clocks: ClockSim::current(),
            links: Links::of_this_runtime(),
            machines: Vec::new(),
            clients: Vec::new(),
            due: BTreeMap::new(),
            ordered: 0,
            paused: BTreeMap::new(),
            healed: false,
            plan,
        }
    }

    pub(super) fn at(&mut self, time_us: u64, due: Due) {
        self.ordered += 1;
        self.due.insert((time_us, self.ordered), due);
    }

    pub(super) fn now_us(&self) -> u64 {
        lock(&self.stage).now_us()
    }

    async fn run(mut self) {
        self.set_up();
        let start = TimeHandle::current().now_instant();
        let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        lock(&self.stage).storm = Some(waker);
        let mut clock = pin!(sleep_until(start));
        while !lock(&self.stage).is_over() {
            let Some((time_us, _)) = self.due.first_key_value().map(|(key, _)| *key) else {
                break;
            };
            clock.as_mut().reset(start + Duration::from_micros(time_us));
            match self.wait(clock.as_mut()).await {
                Woken::Halted(node) => {
                    self.halt(node);
                    continue;
                }
                Woken::Struck(number) => {
                    self.strike(number);
                    continue;
                }
                Woken::Otherwise => {}
            }
            if lock(&self.stage).is_over() || self.now_us() < time_us {
                continue;
            }
            let Some((_, due)) = self.due.pop_first() else {
                break;
            };
            if self.happen(due) {
                break;
            }
        }
        let failed = lock(&self.stage).is_over();
        if !failed {
            let judged = self.server.judge(&self.shared);
            let mut stage = lock(&self.stage);
            match judged {
                Ok(Judged::Fine) => {}
                Ok(Judged::Undecided(why)) => {
                    stage.counters.hit(Counter::OrderUndecided);
                    stage.say(None, Weight::Notable, || {
                        format!("whether clients saw what they must is undecided: {why}")
                    });
                }
                Err(violation) => stage.broken(*violation),
            }
        }
        self.tear_down().await;
    }

    /// Waits for the time, for a server that stops, for a fault that waits for an ordinal, or for
    /// the end.
    async fn wait(&self, mut clock: Pin<&mut Sleep>) -> Woken {
        poll_fn(|context| {
            let mut stage = lock(&self.stage);
            if let Some(node) = stage.halted.pop_front() {
                return Poll::Ready(Woken::Halted(node));
            }
            if stage.is_over() {
                return Poll::Ready(Woken::Otherwise);
            }
            if let Some(number) = stage.struck.pop_front() {
                return Poll::Ready(Woken::Struck(number));
            }
            drop(stage);
            clock.as_mut().poll(context).map(|()| Woken::Otherwise)
        })
        .await
    }

    fn set_up(&mut self) {
        let plan = Arc::clone(&self.plan);
        let mut hosts = Vec::new();
        for node in plan.nodes() {
            let (server, of_nodes) = (Arc::clone(&self.server), Arc::clone(&self.stage));
            let of_run = Arc::clone(&plan);
            let first_task = move || {
                let incarnation = {
                    let mut stage = lock(&of_nodes);
                    let number = stage.next_incarnation(node);
                    stage.boots(node, number);
                    Incarnation {
                        node,
                        number,
                        seed: mix(mix(of_run.seed, node.0.into()), number.into()),
                        probe: Probe::new(Arc::clone(&of_nodes), node, number),
                        plan: Arc::clone(&of_run),
                    }
                };
                let server = Arc::clone(&server);
                let stage = Arc::clone(&of_nodes);
                async move {
                    incarnation.begin();
                    let why = server.serve(incarnation).await.why();
                    lock(&stage).halt(node, why);
                    pending::<()>().await;
                }
            };
            let machine = self.runtime.create_node().name(node.to_string());
            let machine = machine.ip(address_of(node)).init(first_task).build().id();
            let (min_us, max_us) = (plan.disk.sync_min_us, plan.disk.sync_max_us);
            self.disks
                .set_sync_times(machine, SyncTimes { min_us, max_us });
            let drift_ppm = plan.cluster.clocks[node.position()].drift_ppm;
            self.clocks.set_drift(machine, drift_ppm);
            hosts.push((machine, address_of(node)));
            self.machines.push(machine);
        }
        for number in 1..=plan.workload.clients {
            let handle = ClientHandle {
                number,
                plan: Arc::clone(&plan),
                stage: Arc::clone(&self.stage),
            };
            let machine = self.runtime.create_node().name(format!("client {number}"));
            let [high, low] = (number as u16).to_be_bytes();
            let ip = [10, 1, high, low].into();
            let machine = machine.ip(ip).build();
            hosts.push((machine.id(), ip));
            let asked = Arc::clone(&self.server).ask(Arc::clone(&self.shared), handle);
            let stage = Arc::clone(&self.stage);
            drop(machine.spawn(async move {
                asked.await;
                lock(&stage).done += 1;
            }));
            self.clients.push(machine.id());
        }
        self.links.lay(&plan, &hosts);
        self.look_on();
        for (number, fault) in plan.faults.iter().enumerate() {
            if super::faults::is_left_out(&fault.what) {
                self.say(format!(
                    "left out: {}, which servers do not have",
                    fault.what
                ));
            } else if let When::AtUs(at_us) = fault.when {
                self.at(at_us, Due::Strike(number));
            }
        }
        self.at(plan.heal_us, Due::Heal);
        self.at(plan.end_us, Due::End);
    }

    /// The stage learns what disks and links do.
    fn look_on(&self) {
        let (stage, machines) = (Arc::clone(&self.stage), self.machines.clone());
        self.disks.listen(move |machine| {
            let at = machines.iter().position(|other| *other == machine);
            at.is_some_and(|at| lock(&stage).disk_syncs(NodeId::at(at)))
        });
        let stage = Arc::clone(&self.stage);
        NetworkSim::current().listen(move |noted| lock(&stage).befalls(noted));
    }

    pub(super) fn say(&self, text: String) {
        lock(&self.stage).say(None, Weight::Notable, || text);
    }

    /// Whether the run is over.
    fn happen(&mut self, due: Due) -> bool {
        match due {
            Due::Strike(number) => self.strike(number),
            Due::Over(number) => self.over(number),
            Due::Start(node) => self.start(node),
            Due::Heal => self.heal(),
            Due::Look | Due::End => {
                let mut stage = lock(&self.stage);
                let Some(unmet) = stage.unmet(self.clients.len()) else {
                    stage.counters.hit(Counter::Converged);
                    stage.say(None, Weight::Notable, || "converged".to_owned());
                    return true;
                };
                if matches!(due, Due::End) {
                    let after_us = self.plan.end_us - self.plan.heal_us;
                    let breach = Liveness::ServersNotConverged { after_us, unmet };
                    stage.broken(*Violation::by(None, breach));
                    return true;
                }
                let soon = stage.now_us() + LOOK_US;
                drop(stage);
                self.at(soon, Due::Look);
            }
        }
        false
    }

    /// The server has stopped by itself: the machine is switched off and on, for what a process
    /// reads after a failed sync is not what its disk has.
    fn halt(&mut self, node: NodeId) {
        lock(&self.stage).counters.hit(Counter::Halt);
        let why = lock(&self.stage).ends.get(&node).cloned();
        let why = why.and_then(|ends| ends.why);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        self.say(format!("{node}'s server has ended by itself{why}"));
        self.crash(node, Loss::All, HALT_US);
    }

    fn start(&mut self, node: NodeId) {
        if !lock(&self.stage).views[node.position()].up {
            self.runtime.restart(self.machines[node.position()]);
        }
    }

    fn heal(&mut self) {
        self.healed = true;
        for number in 0..self.plan.faults.len() {
            let strikes = self
                .due
                .iter()
                .find(|(_, due)| matches!(due, Due::Over(of) if *of == number));
            if let Some(key) = strikes.map(|(key, _)| *key) {
                self.due.remove(&key);
                self.over(number);
            }
        }
        let plan = Arc::clone(&self.plan);
        self.links.heal(&plan);
        let max_us = plan.disk.sync_max_us.min(plan.prompt_us());
        let min_us = plan.disk.sync_min_us.min(max_us);
        for machine in &self.machines {
            self.disks
                .set_sync_times(*machine, SyncTimes { min_us, max_us });
            self.disks.fail_none(*machine);
            self.clocks.set_drift(*machine, 0);
        }
        let mut stage = lock(&self.stage);
        stage.end_storm();
        stage.counters.hit(Counter::HealedEveryone);
        stage.say(None, Weight::Notable, || "the storm is over".to_owned());
        drop(stage);
        let soon = self.now_us() + LOOK_US;
        self.at(soon, Due::Look);
    }

    /// Sees every task off: what is not finished when a runtime ends is leaked.
    async fn tear_down(self) {
        let strange = self.links.on_runtimes();
        if strange > 0 {
            self.say(format!(
                "{strange} messages went over the runtime's own network, where trouble, slow nodes and what is done to single messages do nothing"
            ));
        }
        lock(&self.stage).close();
        let machines = self.machines.iter().chain(&self.clients);
        for machine in machines.chain(&self.links.carrier) {
            self.runtime.kill(*machine);
        }
        let metrics = self.runtime.metrics();
        for _ in 0..1_000 {
            if metrics.num_tasks() == 0 {
                break;
            }
            yield_now().await;
        }
    }
}

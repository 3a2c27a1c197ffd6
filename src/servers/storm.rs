//! Carries a plan out on servers: machines of the runtime that lose power, stand still and are cut off, with disks that are
//! slow, full and failing, until the storm is over; then the cluster must converge.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use ::madsim::net::NetSim;
use ::madsim::runtime::{Handle, Runtime};
use ::madsim::task::{NodeId as Machine, yield_now};
use ::madsim::time::{Sleep, TimeHandle, sleep_until};

use super::stage::{Look, Stage};
use super::{Life, Probe, Server, address_of, choices_of};
use crate::check::{Property, Violation};
use crate::disk::Loss;
use crate::engine::{Engine, Outcome, Watch, Weight, of_test};
use crate::on_madsim::{DiskSim, SyncTimes};
use crate::options::Feature;
use crate::plan::{Plan, What, When};
use crate::rng::Choices;
use crate::sometimes::Event;
use crate::subject::Runner;
use crate::types::{NodeId, mix, node_list, seconds};

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
pub struct Seat {
    /// Which client, from 1.
    pub number: u32,
    /// What is to happen.
    pub plan: Arc<Plan>,
    stage: Arc<Mutex<Stage>>,
}

impl Seat {
    /// Whether the storm goes on.
    pub fn storms(&self) -> bool {
        lock(&self.stage).storms
    }

    /// What this client may draw from.
    pub fn choices(&self) -> Choices {
        choices_of(&self.plan, self.number)
    }

    /// Counts something that has happened to it.
    pub fn hit(&self, event: Event) {
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

fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Server> Runner for Storm<S> {
    fn run(&self, plan: &Plan, watch: Watch<'_>) -> Outcome {
        let runtime = Runtime::with_seed_and_config(plan.seed, ::madsim::Config::default());
        runtime.add_simulator::<DiskSim>();
        let look = Look {
            lines: watch.lines.is_some(),
            digests: watch.digests.is_some(),
            most_steps: watch.most_steps,
        };
        let stage: Arc<Mutex<Option<Arc<Mutex<Stage>>>>> = Arc::default();
        let plan = Arc::new(plan.clone());
        let done = of_test(|| {
            runtime.block_on(async {
                let time = TimeHandle::current();
                let seen = Arc::new(Mutex::new(Stage::new(&plan, time, &look)));
                *stage.lock().expect("nobody panics with it") = Some(Arc::clone(&seen));
                let world = World::new(Arc::clone(&self.0), Arc::clone(&plan), seen);
                world.run().await;
            });
        });
        let stage = stage.lock().expect("nobody panics with it").take();
        let stage = stage.expect("a run begins with it");
        let mut stage = lock(&stage);
        if let Err((_, message)) = done {
            let message = message.unwrap_or_else(|| "it unwound".to_owned());
            stage.panicked(message);
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
        }
    }

    fn lacks(&self) -> &'static [Feature] {
        self.0.lacks()
    }

    fn only_on(&self) -> Option<Engine> {
        Some(Engine::Madsim)
    }
}

/// What is to happen at a time.
enum Due {
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

struct World<S: Server> {
    server: Arc<S>,
    shared: Arc<S::Run>,
    plan: Arc<Plan>,
    stage: Arc<Mutex<Stage>>,
    runtime: Handle,
    disks: Arc<DiskSim>,
    network: Arc<NetSim>,
    machines: Vec<Machine>,
    clients: Vec<Machine>,
    due: BTreeMap<(u64, u64), Due>,
    ordered: u64,
    /// How many faults cut each link.
    cuts: BTreeMap<(usize, usize), u32>,
    /// Links that each fault has cut.
    cut_by: BTreeMap<usize, Vec<(usize, usize)>>,
    paused: BTreeMap<usize, u32>,
    healed: bool,
}

impl<S: Server> World<S> {
    fn new(server: Arc<S>, plan: Arc<Plan>, stage: Arc<Mutex<Stage>>) -> Self {
        Self {
            shared: Arc::new(server.begin(&plan)),
            server,
            stage,
            runtime: Handle::current(),
            disks: DiskSim::current(),
            network: NetSim::current(),
            machines: Vec::new(),
            clients: Vec::new(),
            due: BTreeMap::new(),
            ordered: 0,
            cuts: BTreeMap::new(),
            cut_by: BTreeMap::new(),
            paused: BTreeMap::new(),
            healed: false,
            plan,
        }
    }

    fn at(&mut self, time_us: u64, due: Due) {
        self.ordered += 1;
        self.due.insert((time_us, self.ordered), due);
    }

    fn now_us(&self) -> u64 {
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
            let halted = self.wait(clock.as_mut()).await;
            if let Some(node) = halted {
                self.halt(node);
                continue;
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
        if !failed && let Err(violation) = self.server.judge(&self.shared) {
            lock(&self.stage).broken(*violation);
        }
        self.tear_down().await;
    }

    /// Waits for the time, for a server that stops, or for the end.
    async fn wait(&self, mut clock: Pin<&mut Sleep>) -> Option<NodeId> {
        poll_fn(|context| {
            let mut stage = lock(&self.stage);
            if let Some(node) = stage.halted.pop_front() {
                return Poll::Ready(Some(node));
            }
            if stage.is_over() {
                return Poll::Ready(None);
            }
            drop(stage);
            clock.as_mut().poll(context).map(|()| None)
        })
        .await
    }

    fn set_up(&mut self) {
        let plan = Arc::clone(&self.plan);
        let (least, most) = (plan.network.delay_min_us, plan.network.delay_max_us);
        self.network.update_config(|config| {
            let us = Duration::from_micros;
            config.send_latency = us(least)..us(most.max(least + 1));
            config.packet_loss_rate = f64::from(plan.network.loss_ppm) / 1e6;
        });
        for node in plan.nodes() {
            let (server, of_nodes) = (Arc::clone(&self.server), Arc::clone(&self.stage));
            let of_run = Arc::clone(&plan);
            let first_task = move || {
                let life = {
                    let mut stage = lock(&of_nodes);
                    let life = stage.next_life(node);
                    stage.boots(node, life);
                    Life {
                        node,
                        life,
                        seed: mix(mix(of_run.seed, node.0.into()), life.into()),
                        probe: Probe::new(Arc::clone(&of_nodes), node, life),
                        plan: Arc::clone(&of_run),
                    }
                };
                let served = Arc::clone(&server).serve(life);
                let stage = Arc::clone(&of_nodes);
                async move {
                    served.await;
                    lock(&stage).halt(node);
                    pending::<()>().await;
                }
            };
            let machine = self.runtime.create_node().name(node.to_string());
            let machine = machine.ip(address_of(node)).init(first_task).build().id();
            let (min_us, max_us) = (plan.disk.sync_min_us, plan.disk.sync_max_us);
            self.disks
                .set_sync_times(machine, SyncTimes { min_us, max_us });
            self.machines.push(machine);
        }
        for number in 1..=plan.workload.clients {
            let seat = Seat {
                number,
                plan: Arc::clone(&plan),
                stage: Arc::clone(&self.stage),
            };
            let machine = self.runtime.create_node().name(format!("client {number}"));
            let machine = machine.ip([10, 0, 1, number as u8].into()).build();
            let asked = Arc::clone(&self.server).ask(Arc::clone(&self.shared), seat);
            let stage = Arc::clone(&self.stage);
            drop(machine.spawn(async move {
                asked.await;
                lock(&stage).done += 1;
            }));
            self.clients.push(machine.id());
        }
        for (number, fault) in plan.faults.iter().enumerate() {
            match fault.when {
                When::AtUs(at_us) => self.at(at_us, Due::Strike(number)),
                _ => self.left_out(number),
            }
        }
        self.at(plan.heal_us, Due::Heal);
        self.at(plan.end_us, Due::End);
    }

    fn left_out(&self, number: usize) {
        let kind = self.plan.faults[number].what.kind();
        let text =
            format!("a fault of kind {kind:?} is left out: servers on madsim do not have it");
        lock(&self.stage).say(None, Weight::Notable, || text);
    }

    fn say(&self, text: String) {
        lock(&self.stage).say(None, Weight::Notable, || text);
    }

    /// Whether the run is over.
    fn happen(&mut self, due: Due) -> bool {
        match due {
            Due::Strike(number) => self.strike(number),
            Due::Over(number) => self.over(number),
            Due::Start(node) => self.start(node),
            Due::Heal => self.heal(),
            Due::Look => {
                let unmet = lock(&self.stage).unmet(self.clients.len());
                if unmet.is_none() {
                    let mut stage = lock(&self.stage);
                    stage.counters.hit(Event::Converged);
                    stage.say(None, Weight::Notable, || "converged".to_owned());
                    return true;
                }
                let soon = self.now_us() + LOOK_US;
                self.at(soon, Due::Look);
            }
            Due::End => {
                let mut stage = lock(&self.stage);
                let unmet = stage.unmet(self.clients.len()).unwrap_or_default();
                let for_us = self.plan.end_us - self.plan.heal_us;
                stage.broken(Violation {
                    property: Property::Liveness,
                    node: None,
                    message: format!("{} after the storm, {unmet}", seconds(for_us)),
                });
                return true;
            }
        }
        false
    }

    fn strike(&mut self, number: usize) {
        if self.healed {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let all = 0..self.machines.len();
        let hit = |event| lock(&self.stage).counters.hit(event);
        let for_us = match &plan.faults[number].what {
            What::Crash {
                node,
                loss,
                down_us,
            } => {
                return self.crash(*node, (*loss).into(), *down_us);
            }
            What::Pause { node, for_us } => {
                hit(Event::Pause);
                self.say(format!("{node} stands still"));
                let at = node.position();
                *self.paused.entry(at).or_default() += 1;
                self.runtime.pause(self.machines[at]);
                *for_us
            }
            What::Cut { from, to, for_us } => {
                hit(Event::LinkCut);
                self.say(format!(
                    "nothing gets from {} to {}",
                    node_list(from),
                    node_list(to)
                ));
                let (from, to): (Vec<usize>, Vec<usize>) = (positions(from), positions(to));
                self.cut(number, &from, &to);
                *for_us
            }
            What::Burst { from, to, for_us } => {
                hit(Event::LinkHeldBack);
                self.say(format!(
                    "what goes from {} to {} is held back",
                    node_list(from),
                    node_list(to)
                ));
                let (from, to): (Vec<usize>, Vec<usize>) = (positions(from), positions(to));
                self.cut(number, &from, &to);
                *for_us
            }
            What::Split { side, for_us } => {
                hit(Event::LinkCut);
                self.say(format!("{} are cut off from the others", node_list(side)));
                let side = positions(side);
                self.cut_both_ways(number, &side, all);
                *for_us
            }
            What::IsolateLeader { for_us } => {
                let Some(leader) = lock(&self.stage).leader() else {
                    return;
                };
                hit(Event::LeaderCutOff);
                self.say(format!("{leader}, which leads, is cut off from the others"));
                self.cut_both_ways(number, &[leader.position()], all);
                *for_us
            }
            What::SlowDisk {
                node,
                sync_us,
                for_us,
            } => {
                hit(Event::DiskSlow);
                self.say(format!("{node}'s disk becomes slow"));
                self.disks
                    .slow_down(self.machines[node.position()], *sync_us);
                *for_us
            }
            What::FailSync { node } => {
                hit(Event::SyncFailed);
                self.say(format!("{node}'s next sync is to fail"));
                return self.disks.fail_syncs(self.machines[node.position()], 1);
            }
            What::FullDisk { node, for_us } => {
                hit(Event::DiskFull);
                self.say(format!("{node}'s disk is full"));
                self.disks.fill_up(self.machines[node.position()]);
                *for_us
            }
            _ => return self.left_out(number),
        };
        let over_us = self.now_us() + for_us;
        self.at(over_us, Due::Over(number));
    }

    fn cut(&mut self, number: usize, from: &[usize], to: &[usize]) {
        for from in from {
            for to in to.iter().filter(|to| *to != from) {
                *self.cuts.entry((*from, *to)).or_default() += 1;
                self.network
                    .clog_link(self.machines[*from], self.machines[*to]);
                self.cut_by.entry(number).or_default().push((*from, *to));
            }
        }
    }

    fn cut_both_ways(&mut self, number: usize, side: &[usize], all: std::ops::Range<usize>) {
        let others: Vec<usize> = all.filter(|at| !side.contains(at)).collect();
        self.cut(number, side, &others);
        self.cut(number, &others, side);
    }

    fn over(&mut self, number: usize) {
        for (from, to) in self.cut_by.remove(&number).unwrap_or_default() {
            let cuts = self.cuts.entry((from, to)).or_default();
            *cuts = cuts.saturating_sub(1);
            if *cuts == 0 {
                self.network
                    .unclog_link(self.machines[from], self.machines[to]);
            }
        }
        match &self.plan.faults[number].what {
            What::Pause { node, .. } => {
                let at = node.position();
                let paused = self.paused.entry(at).or_default();
                *paused = paused.saturating_sub(1);
                if *paused == 0 {
                    self.runtime.resume(self.machines[at]);
                }
            }
            What::SlowDisk { node, .. } => self.disks.slow_down(self.machines[node.position()], 0),
            What::FullDisk { node, .. } => self.disks.free_up(self.machines[node.position()]),
            _ => {}
        }
    }

    /// The machine loses power, and starts again later.
    fn crash(&mut self, node: NodeId, loss: Loss, down_us: u64) {
        let at = node.position();
        if !lock(&self.stage).views[at].up {
            return;
        }
        let machine = self.machines[at];
        self.disks.set_loss(machine, loss);
        self.runtime.kill(machine);
        let report = self.disks.last_crash(machine);
        let mut stage = lock(&self.stage);
        stage.say(Some(node), Weight::Notable, || {
            format!(
                "loses power: of its unsynced writes {} survive, {} are lost, {} torn",
                report.kept, report.lost, report.torn
            )
        });
        stage.counters.add(Event::WriteLost, report.lost);
        stage.counters.add(Event::WriteTorn, report.torn);
        stage.crashed(node);
        drop(stage);
        // A machine that starts anew does not stand still.
        self.paused.remove(&at);
        let start_us = self.now_us() + down_us;
        self.at(start_us, Due::Start(node));
    }

    /// The server has stopped by itself: the machine is switched off and on, for what a process
    /// reads after a failed sync is not what its disk has.
    fn halt(&mut self, node: NodeId) {
        lock(&self.stage).counters.hit(Event::Halt);
        self.say(format!("{node}'s server has stopped by itself"));
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
        self.network.update_config(|config| {
            let us = Duration::from_micros;
            let most_us = plan.network.delay_max_us.min(plan.prompt_us()).max(2);
            let least_us = plan.network.delay_min_us.min(most_us - 1);
            config.send_latency = us(least_us)..us(most_us);
            config.packet_loss_rate = 0.0;
        });
        let max_us = plan.disk.sync_max_us.min(plan.prompt_us());
        let min_us = plan.disk.sync_min_us.min(max_us);
        for machine in &self.machines {
            self.disks
                .set_sync_times(*machine, SyncTimes { min_us, max_us });
            self.disks.fail_none(*machine);
        }
        let mut stage = lock(&self.stage);
        stage.storms = false;
        stage.counters.hit(Event::HealedEveryone);
        stage.say(None, Weight::Notable, || "the storm is over".to_owned());
        drop(stage);
        let soon = self.now_us() + LOOK_US;
        self.at(soon, Due::Look);
    }

    /// Sees every task off: what is not finished when a runtime ends is leaked.
    async fn tear_down(self) {
        lock(&self.stage).close();
        for machine in self.machines.iter().chain(&self.clients) {
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

fn positions(nodes: &[NodeId]) -> Vec<usize> {
    nodes.iter().map(|node| node.position()).collect()
}

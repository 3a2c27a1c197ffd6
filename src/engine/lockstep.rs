//! The lockstep engine: one thread, one queue of events, one world. It carries a
//! plan out on a subject and lets the checks look after every step.
//!
//! It must not know any Raft library, nor decide anything that the plan and its
//! choice streams do not.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::clients::Clients;
use super::digest;
use super::inject::Triggers;
use super::node::Slot;
use super::options;
use super::panics;
use super::{Outcome, Watch};
use crate::check::{Checks, NodeView, Property, Scene, Violation};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::disk::{Disk, SyncPoint};
use crate::net::Network;
use crate::options::{Feature, MissedTicks};
use crate::plan::{Cluster, Plan};
use crate::queue::{Place, Queue, Slab};
use crate::replica::{
    Effect, Input, LogSink, Message, MessageKind, Observation, Output, Replica, Subject,
    SyncResult, Ticket,
};
use crate::rng::Choices;
use crate::service::Service;
use crate::sometimes::{Counters, Event};
use crate::stable::{Chain, HardState, Marked, Record, Snapshot, StableState};
use crate::types::{Index, NodeId, NodeSet, mix};

pub(super) const OUT_IS_BACK: &str = "the output is put back once it is carried out";

/// Carries `plan` out on `subject`.
///
/// The outcome is a function of the plan, the subject and this version of the
/// crate: the same in every process, on every machine, in debug and release
/// builds.
///
/// # Panics
/// When the plan is not valid ([`Plan::validate`]), or on a bug of this crate.
/// A panic of the subject is caught and is a violation of `no-panic`.
pub fn run<S: Subject>(plan: &Plan, subject: &S, watch: Watch<'_>) -> Outcome {
    panics::install();
    let mut world = World::new(plan, subject, watch);
    let driven = catch_unwind(AssertUnwindSafe(|| world.drive()));
    let violation = match driven {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(panic) => match panics::take() {
            Some(message) => Some(Violation {
                property: Property::NoPanic,
                node: world.stepping,
                message: match world.stepping {
                    Some(node) => format!("{node} panicked: {message}"),
                    None => message,
                },
            }),
            None => resume_unwind(panic),
        },
    };
    world.outcome(violation)
}

/// What can happen next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// A tick is due at a node, if the timer is still the one that counts.
    Tick { node: NodeId, timer: u32 },
    /// The message at `parcel` arrives.
    Arrival {
        from: NodeId,
        to: NodeId,
        kind: MessageKind,
        parcel: Place,
    },
    /// A sync of a life is over.
    Synced {
        node: NodeId,
        life: u32,
        ticket: Ticket,
        fails: bool,
    },
    /// The transport reports to a sender.
    Report {
        node: NodeId,
        life: u32,
        report: Report,
    },
    /// A client's pause is over.
    ClientWakes { client: u32 },
    /// A client has waited long enough.
    ClientGivesUp {
        client: u32,
        sequence: u64,
        attempt: u32,
    },
    /// A try of the plan's script is due.
    ScriptedTry { operation: u32, nth: u32 },
    /// An operator asks again for the change of this fault, so many times more.
    AskAgain { fault: u32, left: u32 },
    /// After the storm: an operator looks whether a joint configuration lasts.
    Operate,
    /// A fault strikes.
    Strike { fault: usize },
    /// A fault ends.
    Over { fault: usize },
    /// A node that is down starts.
    Boot { node: NodeId },
    /// A pause ends.
    Resume { node: NodeId },
    /// The storm ends.
    Heal,
    /// After the storm: a fresh command is asked for.
    Probe,
    /// After the storm: has the cluster converged?
    Audit,
}

/// What a transport tells a sender.
#[derive(Clone, Copy, Debug)]
pub(super) enum Report {
    Unreachable { peer: NodeId },
    SnapshotSent { peer: NodeId, delivered: bool },
}

pub(super) struct World<'p, 'w, S: Subject> {
    pub(super) plan: &'p Plan,
    pub(super) subject: &'p S,
    pub(super) nodes: Vec<NodeId>,
    pub(super) queue: Queue<Happening>,
    /// The messages on their way, so that each moves in and out once.
    pub(super) parcels: Slab<Message<S>>,
    /// Of the messages being sent: where each is to lie, if it arrives.
    pub(super) places: Vec<Option<Place>>,
    pub(super) network: Network,
    pub(super) slots: Vec<Slot<S::Replica, Happening>>,
    pub(super) views: Vec<NodeView>,
    pub(super) disks: Vec<Disk<StableState>>,
    pub(super) checks: Checks,
    pub(super) triggers: Triggers,
    pub(super) counters: Counters,
    pub(super) network_choices: Choices,
    pub(super) disk_choices: Choices,
    pub(super) clock_choices: Choices,
    pub(super) operator_choices: Choices,
    /// The newest committed configuration, and the index of its entry.
    pub(super) configuration: (Index, Configuration),
    /// Committed configurations that a member may still go by after a restart, oldest first.
    pub(super) past: Vec<(Index, Configuration)>,
    /// Changes of the plan that have been asked for.
    pub(super) asked: Vec<usize>,
    /// The one before the joint configuration that is in force.
    pub(super) before_joint: Option<Configuration>,
    /// Nodes to be stopped for good when they are removed.
    pub(super) to_stop: NodeSet,
    /// Nodes that the operator has seen in a configuration since it last asked for them to join.
    pub(super) joined: NodeSet,
    /// Leaders that are cut off, and by which fault.
    pub(super) isolated: Vec<(usize, NodeId)>,
    /// Nodes that the last step has removed and that are to be stopped.
    pub(super) retiring: Vec<NodeId>,
    /// The service that every replica starts with.
    pub(super) service: Service,
    /// Who takes part after the storm.
    pub(super) participants: Vec<NodeId>,
    pub(super) healed: bool,
    pub(super) log: Option<LogSink>,
    /// What replicas put their wishes into; lent out while they are carried out.
    pub(super) out: Option<Box<Output<Message<S>>>>,
    pub(super) clients: Clients,
    pub(super) due: Vec<usize>,
    pub(super) watch: Watch<'w>,
    pub(super) digest: u64,
    pub(super) step: u64,
    pub(super) stepping: Option<NodeId>,
    pub(super) converged: bool,
    pub(super) unmet: Option<String>,
}

impl<'p, 'w, S: Subject> World<'p, 'w, S> {
    fn new(plan: &'p Plan, subject: &'p S, watch: Watch<'w>) -> Self {
        let nodes = plan.nodes();
        let configuration = plan.first_configuration();
        let service = match watch.log_only {
            true => Service::opaque(),
            false => Service::default(),
        };
        let checks = match watch.log_only {
            true => Checks::of_log(plan.cluster.first_index),
            false => Checks::new(plan.cluster.first_index, plan.trusts_leases()),
        };
        let reads = !subject.lacks().contains(&Feature::ReadIndex);
        let slot = |id: &NodeId| {
            let options = plan.cluster.clocks[id.position()];
            let clock = Clock::new(options.offset_us, options.drift_ppm);
            Slot::new(*id, clock, options.drift_ppm)
        };
        Self {
            plan,
            subject,
            queue: Queue::new(),
            parcels: Slab::new(),
            places: Vec::new(),
            network: Network::new(nodes.len(), plan.network),
            slots: nodes.iter().map(slot).collect(),
            views: vec![NodeView::default(); nodes.len()],
            disks: nodes
                .iter()
                .map(|id| match configuration.members().has(*id) {
                    true => first_disk(&plan.cluster, &configuration, &service),
                    false => Disk::default(),
                })
                .collect(),
            checks,
            triggers: Triggers::new(&plan.faults, nodes.len()),
            counters: Counters::default(),
            network_choices: Choices::labelled(plan.seed, "network", 0),
            disk_choices: Choices::labelled(plan.seed, "disk", 0),
            clock_choices: Choices::labelled(plan.seed, "clock", 0),
            operator_choices: Choices::labelled(plan.seed, "operator", 0),
            configuration: (plan.cluster.first_index, configuration),
            past: vec![(plan.cluster.first_index, configuration)],
            asked: Vec::new(),
            before_joint: None,
            to_stop: NodeSet::default(),
            joined: configuration.members(),
            isolated: Vec::new(),
            retiring: Vec::new(),
            service,
            participants: Vec::new(),
            healed: false,
            log: watch.library_log.then(LogSink::default),
            out: Some(Box::default()),
            clients: Clients::new(plan.seed, plan.workload, reads),
            due: Vec::new(),
            watch,
            digest: mix(0, plan.seed),
            step: 0,
            stepping: None,
            converged: false,
            unmet: None,
            nodes,
        }
    }

    /// Runs to the end of the plan, to convergence, or to the first violation.
    fn drive(&mut self) -> Result<(), Violation> {
        options::count(self.plan, &mut self.counters);
        self.begin()?;
        let most_steps = self.watch.most_steps.unwrap_or(u64::MAX);
        while let Some((time_us, happening)) = self.queue.pop() {
            if time_us > self.plan.end_us {
                break;
            }
            if self.step >= most_steps {
                return Ok(());
            }
            self.happen(time_us, happening)?;
            if self.converged {
                return self.checks.finish(&mut self.counters);
            }
        }
        let unmet = self
            .unmet
            .take()
            .unwrap_or_else(|| "it was never asked".to_owned());
        Err(Violation {
            property: Property::Liveness,
            node: None,
            message: format!("the cluster has not converged by the end of the run: {unmet}"),
        })
    }

    fn begin(&mut self) -> Result<(), Violation> {
        for (number, fault) in self.plan.faults.iter().enumerate() {
            if let crate::plan::When::AtUs(at_us) = fault.when {
                self.queue.push(at_us, Happening::Strike { fault: number });
            }
        }
        self.queue.push(self.plan.heal_us, Happening::Heal);
        if self.plan.script.is_some() {
            self.begin_script();
        } else {
            for client in 0..self.clients.count() {
                let at_us = self.clients.think_us();
                self.queue.push(at_us, Happening::ClientWakes { client });
            }
        }
        let (_, founders) = self.configuration;
        for node in founders.members().iter() {
            self.boot(node)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn happen(&mut self, now_us: u64, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Tick { node, .. }
            | Happening::Arrival { to: node, .. }
            | Happening::Synced { node, .. }
            | Happening::Report { node, .. }
                if self.stands_still(node) =>
            {
                self.slots[node.position()].held.push(happening);
                Ok(())
            }
            Happening::Tick { node, timer } => self.tick(now_us, node, timer),
            Happening::Arrival {
                from,
                to,
                kind,
                parcel,
            } => {
                self.network.arrived(from.position(), to.position());
                self.arrive(now_us, from, to, kind, parcel)
            }
            Happening::Synced {
                node,
                life,
                ticket,
                fails,
            } => self.synced(now_us, node, life, ticket, fails),
            Happening::Report { node, life, report } => {
                if self.views[node.position()].life != life || !self.is_up(node) {
                    return Ok(());
                }
                let input = match report {
                    Report::Unreachable { peer } => {
                        self.counters.hit(Event::PeerUnreachable);
                        Input::Unreachable { peer }
                    }
                    Report::SnapshotSent { peer, delivered } => {
                        if !delivered {
                            self.counters.hit(Event::SnapshotReportedFailed);
                        }
                        Input::SnapshotSent { peer, delivered }
                    }
                };
                self.step(now_us, node, input)
            }
            Happening::ClientWakes { client } => self.client_wakes(now_us, client),
            Happening::ScriptedTry { operation, nth } => self.scripted_try(now_us, operation, nth),
            Happening::ClientGivesUp {
                client,
                sequence,
                attempt,
            } => {
                self.client_gives_up(client, sequence, attempt);
                Ok(())
            }
            Happening::AskAgain { fault, left } => {
                self.ask_for_change(now_us, fault as usize, left)
            }
            Happening::Operate => self.operate(now_us),
            Happening::Strike { fault } => self.strike(now_us, fault),
            Happening::Over { fault } => {
                self.over(now_us, fault);
                Ok(())
            }
            Happening::Boot { node } => {
                self.boot(node)?;
                self.strike_due(now_us)
            }
            Happening::Resume { node } => {
                self.resume(now_us, node);
                Ok(())
            }
            Happening::Heal => self.heal(now_us),
            Happening::Probe => self.probe(now_us),
            Happening::Audit => {
                self.audit(now_us);
                Ok(())
            }
        }
    }

    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.slots[node.position()].replica.is_some()
    }

    /// Whether what happens to the node waits until it goes on.
    #[inline]
    fn stands_still(&self, node: NodeId) -> bool {
        self.slots[node.position()].paused_until_us.is_some()
    }

    // ---- what reaches a replica -------------------------------------------------

    /// Schedules the node's next tick.
    pub(super) fn set_timer(&mut self, node: NodeId) {
        let now_us = self.queue.now_us();
        let slot = &mut self.slots[node.position()];
        slot.timer += 1;
        let timer = slot.timer;
        let at_us = slot.clock.time_us(slot.tick_due_us, now_us);
        self.queue.push(at_us, Happening::Tick { node, timer });
    }

    fn tick(&mut self, now_us: u64, node: NodeId, timer: u32) -> Result<(), Violation> {
        let tick_us = self.plan.cluster.tick_us;
        let slot = &mut self.slots[node.position()];
        if slot.replica.is_none() || slot.timer != timer {
            return Ok(());
        }
        let late_us = slot.clock.local_us(now_us).saturating_sub(slot.tick_due_us);
        let due = 1 + late_us / tick_us;
        slot.tick_due_us += due * tick_us;
        self.set_timer(node);
        // Ten election time-outs in a burst change all that a burst can change.
        let mut ticks = due.min(10 * u64::from(self.plan.raft.election_ticks));
        if due > 1 {
            self.counters.hit(Event::TicksMissed);
            if self.plan.driver.missed_ticks == MissedTicks::Skip {
                ticks = 1;
            }
        }
        for _ in 0..ticks {
            if self.is_up(node) {
                self.step(now_us, node, Input::Tick)?;
            }
        }
        Ok(())
    }

    fn arrive(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        kind: MessageKind,
        parcel: Place,
    ) -> Result<(), Violation> {
        let up = self.is_up(to);
        if kind == MessageKind::Snapshot {
            self.report_snapshot(now_us, from, to, up);
        }
        if !up {
            drop(self.parcels.take(parcel));
            self.counters.hit(Event::MessageToDownNode);
            self.report_unreachable(now_us, from, to);
            return Ok(());
        }
        self.deliver(now_us, from, to, parcel)
    }

    /// Steps the message at `parcel` into its receiver. It moves from where it lies into the replica.
    #[inline(always)]
    fn deliver(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        parcel: Place,
    ) -> Result<(), Violation> {
        self.begin_step(now_us, to, digest::delivery(from));
        if self.watch.lines.is_some()
            && let Some(message) = self.parcels.get(parcel).cloned()
        {
            self.tell_input(to, &Input::Deliver { from, message });
        }
        let slot = &mut self.slots[to.position()];
        let local_us = slot.clock.local_us(now_us);
        let out = self.out.as_mut().expect(OUT_IS_BACK);
        self.stepping = Some(to);
        panics::enter();
        if let Some(replica) = &mut slot.replica
            && let Some(message) = self.parcels.take(parcel)
        {
            replica.deliver(local_us, from, message, out);
        }
        self.end_step(now_us, to)
    }

    fn synced(
        &mut self,
        now_us: u64,
        node: NodeId,
        life: u32,
        ticket: Ticket,
        fails: bool,
    ) -> Result<(), Violation> {
        let position = node.position();
        let slot = &mut self.slots[position];
        if slot.replica.is_none() || self.views[position].life != life {
            return Ok(());
        }
        let Some(place) = slot
            .in_flight
            .iter()
            .position(|(other, _)| *other == ticket)
        else {
            return Ok(());
        };
        let (_, point) = slot.in_flight.remove(place);
        let disk = &mut self.disks[position];
        let result = if fails || slot.disk_failed {
            slot.disk_failed = true;
            disk.fail_sync(point);
            self.counters.hit(Event::SyncFailed);
            SyncResult::Failed
        } else {
            let before = disk.durable().snapshot_index();
            disk.complete_sync(point);
            let snapshot_is_new = disk.durable().snapshot_index() != before;
            self.counters.hit(Event::SyncDone);
            if snapshot_is_new {
                self.checks.forget(Scene {
                    nodes: &self.views,
                    disks: &self.disks,
                });
            }
            SyncResult::Done
        };
        self.step_here(now_us, node, Input::Synced { ticket, result })
    }

    #[inline]
    pub(super) fn fold(&mut self, value: u64) {
        self.digest = mix(self.digest, value);
    }

    // ---- one step ---------------------------------------------------------------

    /// Steps one input into a replica, carries out what it wants, and lets the checks look.
    #[inline(never)]
    pub(super) fn step(
        &mut self,
        now_us: u64,
        node: NodeId,
        input: Input<Message<S>>,
    ) -> Result<(), Violation> {
        self.step_here(now_us, node, input)
    }

    /// The same, inlined where most inputs come from: an input has room for a message, and is
    /// better not passed on when it is none.
    #[inline(always)]
    fn step_here(
        &mut self,
        now_us: u64,
        node: NodeId,
        input: Input<Message<S>>,
    ) -> Result<(), Violation> {
        self.begin_step(now_us, node, digest::input(&input));
        if self.watch.lines.is_some() {
            self.tell_input(node, &input);
        }
        let slot = &mut self.slots[node.position()];
        let local_us = slot.clock.local_us(now_us);
        let out = self.out.as_mut().expect(OUT_IS_BACK);
        self.stepping = Some(node);
        panics::enter();
        if let Some(replica) = &mut slot.replica {
            replica.step(local_us, input, out);
        }
        self.end_step(now_us, node)
    }

    /// A step of `node` with an input of this digest begins.
    #[inline(always)]
    fn begin_step(&mut self, now_us: u64, node: NodeId, input: u64) {
        self.step += 1;
        self.fold(now_us << 8 | u64::from(node.0));
        self.fold(input);
    }

    /// A replica has been stepped: carries out what it wants, and lets the checks look.
    #[inline(never)]
    fn end_step(&mut self, now_us: u64, node: NodeId) -> Result<(), Violation> {
        panics::leave();
        self.stepping = None;
        let is_quiet = self.out.as_ref().is_none_or(|out| out.is_empty());
        if self.log.is_some() {
            self.tell_library(node);
        }
        if !is_quiet {
            self.carry_out_all(now_us, node)?;
        }
        if !self.retiring.is_empty() {
            self.stop_retired(now_us);
        }
        self.strike_due(now_us)?;
        if let Some(digests) = &mut self.watch.digests {
            digests.push(self.digest);
        }
        Ok(())
    }

    /// Carries out what the last step left in `out`.
    #[inline(always)]
    fn carry_out_all(&mut self, now_us: u64, node: NodeId) -> Result<(), Violation> {
        let mut out = self.out.take().expect(OUT_IS_BACK);
        let carried_out = self.carry_out(now_us, node, &mut out);
        let halt = out.halt.take();
        // After a violation there is no next step, and else all is carried out.
        self.out = Some(out);
        carried_out?;
        if let Some(reason) = halt {
            self.halt(now_us, node, reason);
        }
        Ok(())
    }

    /// Faults that this step has triggered strike now.
    #[inline]
    fn strike_due(&mut self, now_us: u64) -> Result<(), Violation> {
        if self.due.is_empty() {
            return Ok(());
        }
        for fault in std::mem::take(&mut self.due) {
            self.strike(now_us, fault)?;
        }
        Ok(())
    }

    /// Carries out what a replica wants, in its order.
    #[inline(always)]
    pub(super) fn carry_out(
        &mut self,
        now_us: u64,
        node: NodeId,
        out: &mut Output<Message<S>>,
    ) -> Result<(), Violation> {
        if !out.effects.is_empty() {
            self.carry_out_effects(now_us, node, &mut out.effects)?;
        }
        if !out.sends.is_empty() {
            self.send(now_us, node, std::mem::take(&mut out.sends))?;
        }
        if !out.replies.is_empty() {
            for reply in out.replies.drain(..) {
                self.fold(digest::reply(&reply));
                let view = &self.views[node.position()];
                self.checks.replied(view, node, &reply.outcome)?;
                self.answer(node, &reply)?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn carry_out_effects(
        &mut self,
        now_us: u64,
        node: NodeId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        let position = node.position();
        // Effects are large: each is looked at where it lies, and only a record moves on.
        for effect in effects.iter_mut() {
            if self.watch.lines.is_some() {
                self.tell_effect(node, effect);
            }
            match effect {
                Effect::Write(record) => {
                    let view = &mut self.views[position];
                    let chain = self.checks.wrote(view, node, record, &mut self.counters)?;
                    self.fold(digest::record(record, chain));
                    let record = record.take();
                    self.disks[position].write(Marked { record, chain });
                }
                Effect::Sync(ticket) => self.begin_sync(now_us, node, *ticket),
                Effect::Observe(seen) => {
                    self.fold(digest::observation(seen));
                    let (views, disks) = (&mut self.views, &self.disks);
                    self.checks
                        .observed(views, disks, node, seen, &mut self.counters)?;
                    match *seen {
                        Observation::Configured {
                            index,
                            configuration,
                        } => self.configured(node, index, configuration),
                        // What a node has gone by since it wrote it.
                        Observation::Committed { index } => {
                            let (since, configuration) = self.views[position].configuration;
                            if since <= index {
                                self.configured(node, since, configuration);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        effects.clear();
        Ok(())
    }

    #[inline(always)]
    fn begin_sync(&mut self, now_us: u64, node: NodeId, ticket: Ticket) {
        let position = node.position();
        let slot = &mut self.slots[position];
        slot.syncs += 1;
        self.triggers.sync(node, slot.syncs, &mut self.due);
        // A fault that waits for this sync acts on it.
        let due_here = |fault: &usize| match &self.plan.faults[*fault].what {
            crate::plan::What::FailSync { node: whose } => *whose == node,
            _ => false,
        };
        let hit = self.due.iter().position(due_here);
        if let Some(place) = hit {
            self.due.swap_remove(place);
            slot.fail_next += 1;
        }
        let slow_here = self
            .due
            .iter()
            .find_map(|fault| match &self.plan.faults[*fault].what {
                crate::plan::What::SlowDisk {
                    node: whose,
                    sync_us,
                    ..
                } if *whose == node => Some(*sync_us),
                _ => None,
            });
        let fails = slot.fail_next > 0 || self.disks[position].would_fail();
        slot.fail_next = slot.fail_next.saturating_sub(1);
        let options = self.plan.disk;
        let mut ordinary_us = self
            .disk_choices
            .between(options.sync_min_us, options.sync_max_us);
        if self.healed {
            ordinary_us = ordinary_us.min(self.plan.prompt_us());
        }
        let slow_us = slot.slow_us.last().copied().max(slow_here).unwrap_or(0);
        if !slot.in_flight.is_empty() {
            self.counters.hit(Event::SyncsInFlight);
        }
        let point: SyncPoint = self.disks[position].begin_sync();
        slot.in_flight.push((ticket, point));
        let life = self.views[position].life;
        let at_us = now_us + ordinary_us.max(slow_us);
        self.queue.push(
            at_us,
            Happening::Synced {
                node,
                life,
                ticket,
                fails,
            },
        );
    }
}

/// A founder's disk: empty but for what its cluster was set up with.
fn first_disk(
    cluster: &Cluster,
    configuration: &Configuration,
    service: &Service,
) -> Disk<StableState> {
    let mut disk = Disk::default();
    let term = cluster.first_term;
    let chain = Chain::default();
    let mut write = |record| disk.write(Marked { record, chain });
    if cluster.first_index > 0 {
        write(Record::Snapshot(Snapshot {
            index: cluster.first_index,
            term,
            configuration: *configuration,
            data: service.encode(),
        }));
        write(Record::LogReset {
            next: cluster.first_index + 1,
        });
    }
    if term > 0 {
        write(Record::HardState(HardState { term, vote: None }));
    }
    disk.complete_sync(disk.begin_sync());
    disk
}

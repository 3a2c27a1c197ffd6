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
use super::panics;
use super::{Outcome, Watch};
use crate::check::liveness::{self, Target};
use crate::check::{Checks, NodeView, Property, Scene, Violation};
use crate::clock::Clock;
use crate::disk::{Disk, SyncPoint};
use crate::net::Network;
use crate::options::MissedTicks;
use crate::plan::{Heal, Plan};
use crate::queue::{Place, Queue, Slab};
use crate::replica::{
    Effect, Input, LogSink, Message, MessageKind, Output, Replica, Reply, ReplyOutcome, Request,
    Subject, SyncResult, Ticket,
};
use crate::rng::Choices;
use crate::sometimes::{Counters, Event};
use crate::stable::{Chain, HardState, Marked, Record, StableState};
use crate::types::{NodeId, Term, mix};

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
    ClientGivesUp { client: u32, sequence: u64 },
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
    pub(super) voters: Vec<NodeId>,
    pub(super) queue: Queue<Happening>,
    /// The messages on their way, so that each moves in and out once.
    pub(super) parcels: Slab<Message<S>>,
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
    converged: bool,
    unmet: Option<String>,
}

impl<'p, 'w, S: Subject> World<'p, 'w, S> {
    fn new(plan: &'p Plan, subject: &'p S, watch: Watch<'w>) -> Self {
        let voters = plan.nodes();
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
            network: Network::new(voters.len(), plan.network),
            slots: voters.iter().map(slot).collect(),
            views: vec![NodeView::default(); voters.len()],
            disks: voters
                .iter()
                .map(|_| first_disk(plan.cluster.first_term))
                .collect(),
            checks: Checks::new(voters.len()),
            triggers: Triggers::new(&plan.faults, voters.len()),
            counters: Counters::default(),
            network_choices: Choices::labelled(plan.seed, "network", 0),
            disk_choices: Choices::labelled(plan.seed, "disk", 0),
            clock_choices: Choices::labelled(plan.seed, "clock", 0),
            healed: false,
            log: watch.library_log.then(LogSink::default),
            out: Some(Box::default()),
            clients: Clients::new(plan.seed, plan.workload),
            due: Vec::new(),
            watch,
            digest: mix(0, plan.seed),
            step: 0,
            stepping: None,
            converged: false,
            unmet: None,
            voters,
        }
    }

    /// Runs to the end of the plan, to convergence, or to the first violation.
    fn drive(&mut self) -> Result<(), Violation> {
        self.begin()?;
        while let Some((time_us, happening)) = self.queue.pop() {
            if time_us > self.plan.end_us {
                break;
            }
            self.happen(time_us, happening)?;
            if self.converged {
                return Ok(());
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
        for client in 0..self.clients.count() {
            let at_us = self.clients.think_us();
            self.queue.push(at_us, Happening::ClientWakes { client });
        }
        for position in 0..self.slots.len() {
            self.boot(NodeId::at(position))?;
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
            Happening::ClientGivesUp { client, sequence } => {
                if self.clients.timed_out(client, sequence, &mut self.counters) {
                    self.client_thinks(client);
                }
                Ok(())
            }
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
        let message = self.parcels.take(parcel);
        let up = self.is_up(to);
        if kind == MessageKind::Snapshot {
            self.report_snapshot(now_us, from, to, up);
        }
        if !up {
            self.counters.hit(Event::MessageToDownNode);
            self.report_unreachable(now_us, from, to);
            return Ok(());
        }
        let message = message.expect("it was put there when it was sent");
        self.step(now_us, to, Input::Deliver { from, message })
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
        self.step(now_us, node, Input::Synced { ticket, result })
    }

    fn client_wakes(&mut self, now_us: u64, client: u32) -> Result<(), Violation> {
        if self.healed {
            return Ok(());
        }
        let (node, request) = self.clients.next(client, &self.voters);
        let sequence = request.sequence;
        let gives_up_us = now_us + self.plan.workload.timeout_us;
        self.queue
            .push(gives_up_us, Happening::ClientGivesUp { client, sequence });
        self.counters.hit(Event::CommandSent);
        self.request(now_us, node, request)
    }

    fn request(&mut self, now_us: u64, node: NodeId, request: Request) -> Result<(), Violation> {
        let slot = &self.slots[node.position()];
        if slot.paused_until_us.is_some() {
            return Ok(());
        }
        if slot.replica.is_none() {
            self.answer(
                node,
                &Reply {
                    client: request.client,
                    sequence: request.sequence,
                    outcome: ReplyOutcome::Refused,
                },
            );
            return Ok(());
        }
        self.step(now_us, node, Input::Request(request))
    }

    fn answer(&mut self, node: NodeId, reply: &Reply) {
        if self.clients.answered(node, reply, &mut self.counters) {
            self.client_thinks(reply.client);
        }
    }

    fn client_thinks(&mut self, client: u32) {
        let at_us = self.queue.now_us() + self.clients.think_us();
        self.queue.push(at_us, Happening::ClientWakes { client });
    }

    #[inline]
    pub(super) fn fold(&mut self, value: u64) {
        self.digest = mix(self.digest, value);
    }

    // ---- one step ---------------------------------------------------------------

    /// Steps one input into a replica, carries out what it wants, and lets the checks look.
    #[inline(never)]
    fn step(
        &mut self,
        now_us: u64,
        node: NodeId,
        input: Input<Message<S>>,
    ) -> Result<(), Violation> {
        let position = node.position();
        self.step += 1;
        self.fold(now_us << 8 | u64::from(node.0));
        self.fold(digest::input(&input));
        if self.watch.lines.is_some() {
            self.tell_input(node, &input);
        }
        let local_us = self.slots[position].clock.local_us(now_us);
        self.stepping = Some(node);
        panics::enter();
        let out = self.out.as_mut().expect(OUT_IS_BACK);
        if let Some(replica) = &mut self.slots[position].replica {
            replica.step(local_us, input, out);
        }
        let is_quiet = out.is_empty();
        panics::leave();
        self.stepping = None;
        if self.log.is_some() {
            self.tell_library(node);
        }
        if !is_quiet {
            self.carry_out_all(now_us, node)?;
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
                if let ReplyOutcome::Applied(index) = reply.outcome {
                    self.checks
                        .answered(&self.views[node.position()], node, index)?;
                }
                self.answer(node, &reply);
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
        for effect in effects.drain(..) {
            if self.watch.lines.is_some() {
                self.tell_effect(node, &effect);
            }
            match effect {
                Effect::Write(record) => {
                    let view = &mut self.views[position];
                    let chain = self.checks.wrote(view, node, &record, &mut self.counters)?;
                    self.fold(digest::record(&record, chain));
                    self.disks[position].write(Marked { record, chain });
                }
                Effect::Sync(ticket) => self.begin_sync(now_us, node, ticket),
                Effect::Observe(seen) => {
                    self.fold(digest::observation(&seen));
                    let (views, disks) = (&mut self.views, &self.disks);
                    self.checks
                        .observed(views, disks, node, seen, &mut self.counters)?;
                }
            }
        }
        Ok(())
    }

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

    // ---- after the storm --------------------------------------------------------

    /// The nodes that take part: all while the storm lasts, those that are healed after.
    pub(super) fn members(&self) -> Vec<NodeId> {
        let all = || self.voters.iter().copied();
        match &self.plan.heal {
            Heal::Quorum(members) if self.healed => members.clone(),
            _ if self.healed => all().filter(|id| !self.views[id.position()].gone).collect(),
            _ => self.voters.clone(),
        }
    }

    /// Starts asking for fresh commands and looking for convergence.
    pub(super) fn begin_audits(&mut self) {
        self.queue.push(self.queue.now_us(), Happening::Probe);
        self.queue.push(self.queue.now_us(), Happening::Audit);
    }

    /// Asks for a fresh command, and goes on asking until one is answered.
    fn probe(&mut self, now_us: u64) -> Result<(), Violation> {
        if self.clients.fresh_answers > 0 {
            return Ok(());
        }
        let (node, request) = self.clients.next_probe(&self.members());
        self.queue
            .push(now_us + self.plan.election_us(), Happening::Probe);
        self.counters.hit(Event::CommandSent);
        self.request(now_us, node, request)
    }

    fn audit(&mut self, now_us: u64) {
        let target = Target {
            acknowledged: self.clients.acknowledged,
            fresh_answers: self.clients.fresh_answers,
        };
        let scene = Scene {
            nodes: &self.views,
            disks: &self.disks,
        };
        self.unmet = liveness::unmet(scene, &self.members(), target);
        if self.unmet.is_none() {
            self.counters.hit(Event::Converged);
            self.converged = true;
            return;
        }
        self.queue
            .push(now_us + self.plan.cluster.tick_us, Happening::Audit);
    }
}

/// A new node's disk: empty but for the term its cluster was set up with.
fn first_disk(term: Term) -> Disk<StableState> {
    let mut disk = Disk::default();
    if term > 0 {
        let hard = HardState {
            term,
            ..HardState::default()
        };
        let record = Record::HardState(hard);
        disk.write(Marked {
            record,
            chain: Chain::default(),
        });
        disk.complete_sync(disk.begin_sync());
    }
    disk
}

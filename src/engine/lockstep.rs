//! The lockstep engine: one thread, one queue of events, one world. It carries a
//! plan out on a subject and lets the checks look after every step.
//!
//! It must not know any Raft library, nor decide anything that the plan and its
//! choice streams do not.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::clients::Clients;
use super::inject::{Tampering, Triggers};
use super::node::Slot;
use super::panics;
use super::trace::{self, Line, Weight};
use super::{Failure, NodeAtEnd, Outcome, Watch};
use crate::check::liveness::{self, Target};
use crate::check::{Checks, NodeView, Property, Scene, Violation};
use crate::clock::Clock;
use crate::disk::{Disk, SyncPoint};
use crate::net::{Fate, Lost, Network};
use crate::options::MissedTicks;
use crate::plan::{Heal, Plan};
use crate::queue::{Place, Queue, Slab};
use crate::replica::{
    Effect, Input, Label, LogSink, Message, MessageKind, Output, Replica, Reply, Request, Subject,
    SyncResult, Ticket,
};
use crate::rng::Choices;
use crate::sometimes::{Counters, Event};
use crate::stable::{Chain, HardState, Marked, Record, StableState};
use crate::types::{NodeId, Term, mix};

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
    Arrival { from: NodeId, to: NodeId, kind: MessageKind, parcel: Place },
    /// A sync of a life is over.
    Synced { node: NodeId, life: u32, ticket: Ticket, fails: bool },
    /// The transport reports to a sender.
    Report { node: NodeId, life: u32, report: Report },
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
    parcels: Slab<Message<S>>,
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
    pub(super) out: Output<Message<S>>,
    clients: Clients,
    due: Vec<usize>,
    watch: Watch<'w>,
    digest: u64,
    step: u64,
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
            disks: voters.iter().map(|_| first_disk(plan.cluster.first_term)).collect(),
            checks: Checks::new(voters.len()),
            triggers: Triggers::new(&plan.faults, voters.len()),
            counters: Counters::default(),
            network_choices: Choices::labelled(plan.seed, "network", 0),
            disk_choices: Choices::labelled(plan.seed, "disk", 0),
            clock_choices: Choices::labelled(plan.seed, "clock", 0),
            healed: false,
            log: watch.library_log.then(LogSink::default),
            out: Output::default(),
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
        let unmet = self.unmet.take().unwrap_or_else(|| "it was never asked".to_owned());
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

    fn happen(&mut self, now_us: u64, happening: Happening) -> Result<(), Violation> {
        if self.held_back(happening) {
            return Ok(());
        }
        match happening {
            Happening::Tick { node, timer } => self.tick(now_us, node, timer),
            Happening::Arrival { from, to, kind, parcel } => {
                self.network.arrived(from.position(), to.position());
                self.arrive(now_us, from, to, kind, parcel)
            }
            Happening::Synced { node, life, ticket, fails } => {
                self.synced(now_us, node, life, ticket, fails)
            }
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
            Happening::Boot { node } => self.boot(node),
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

    /// What happens to a node that stands still waits until it goes on.
    #[inline]
    fn held_back(&mut self, happening: Happening) -> bool {
        let node = match happening {
            Happening::Tick { node, .. }
            | Happening::Arrival { to: node, .. }
            | Happening::Synced { node, .. }
            | Happening::Report { node, .. } => node,
            _ => return false,
        };
        let slot = &mut self.slots[node.position()];
        let still = slot.paused_until_us.is_some();
        if still {
            slot.held.push(happening);
        }
        still
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
        let mut ticks = due;
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
        let Some(place) = slot.in_flight.iter().position(|(other, _)| *other == ticket) else {
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
                self.checks.forget(Scene { nodes: &self.views, disks: &self.disks });
            }
            SyncResult::Done
        };
        self.step(now_us, node, Input::Synced { ticket, result })
    }

    fn client_wakes(&mut self, now_us: u64, client: u32) -> Result<(), Violation> {
        if self.healed {
            return Ok(());
        }
        let members = self.members();
        let (node, request) = self.clients.next(client, &members);
        let sequence = request.sequence;
        let gives_up_us = now_us + self.plan.workload.timeout_us;
        self.queue.push(gives_up_us, Happening::ClientGivesUp { client, sequence });
        self.counters.hit(Event::CommandSent);
        self.request(now_us, node, request)
    }

    fn request(&mut self, now_us: u64, node: NodeId, request: Request) -> Result<(), Violation> {
        let slot = &self.slots[node.position()];
        if slot.paused_until_us.is_some() {
            return Ok(());
        }
        if slot.replica.is_none() {
            self.answer(node, &Reply {
                client: request.client,
                sequence: request.sequence,
                outcome: crate::replica::ReplyOutcome::Refused,
            });
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

    // ---- one step ---------------------------------------------------------------

    /// Steps one input into a replica, carries out what it wants, and lets the checks look.
    fn step(
        &mut self,
        now_us: u64,
        node: NodeId,
        input: Input<Message<S>>,
    ) -> Result<(), Violation> {
        let position = node.position();
        self.step += 1;
        self.fold(now_us << 8 | u64::from(node.0));
        self.fold(input_code(&input));
        if self.watch.lines.is_some() {
            self.tell_input(node, &input);
        }
        let local_us = self.slots[position].clock.local_us(now_us);
        self.stepping = Some(node);
        panics::enter();
        if let Some(replica) = &mut self.slots[position].replica {
            replica.step(local_us, input, &mut self.out);
        }
        panics::leave();
        self.stepping = None;
        if self.log.is_some() {
            self.tell_library(node);
        }
        if !self.out.is_empty() {
            self.carry_out_all(now_us, node)?;
        }
        self.strike_due(now_us)?;
        if let Some(digests) = &mut self.watch.digests {
            digests.push(self.digest);
        }
        Ok(())
    }

    /// Carries out what the last step left in `out`.
    fn carry_out_all(&mut self, now_us: u64, node: NodeId) -> Result<(), Violation> {
        let mut out = std::mem::take(&mut self.out);
        let carried_out = self.carry_out(now_us, node, &mut out);
        let halt = out.halt.take();
        // After a violation there is no next step, and else all is carried out.
        self.out = out;
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
            for (to, message) in out.sends.drain(..) {
                self.send(now_us, node, to, message)?;
            }
        }
        if !out.replies.is_empty() {
            for reply in out.replies.drain(..) {
                self.fold(reply.sequence << 32 | u64::from(reply.client));
                self.answer(node, &reply);
            }
        }
        Ok(())
    }

    #[inline]
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
                    self.fold(chain.0);
                    self.disks[position].write(Marked { record, chain });
                }
                Effect::Sync(ticket) => self.begin_sync(now_us, node, ticket),
                Effect::Observe(seen) => {
                    self.fold(observation_code(&seen));
                    let (views, disks) = (&mut self.views, &self.disks);
                    self.checks.observed(views, disks, node, seen, &mut self.counters)?;
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
        let slow_here = self.due.iter().find_map(|fault| match &self.plan.faults[*fault].what {
            crate::plan::What::SlowDisk { node: whose, sync_us, .. } if *whose == node => Some(*sync_us),
            _ => None,
        });
        let fails = slot.fail_next > 0 || self.disks[position].would_fail();
        slot.fail_next = slot.fail_next.saturating_sub(1);
        let options = self.plan.disk;
        let mut ordinary_us = self.disk_choices.between(options.sync_min_us, options.sync_max_us);
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
        self.queue.push(at_us, Happening::Synced { node, life, ticket, fails });
    }

    #[inline]
    fn send(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        message: Message<S>,
    ) -> Result<(), Violation> {
        let label: Label = S::Replica::label(&message);
        self.fold(label.term << 16 | u64::from(to.0) << 8 | label.kind as u64);
        self.counters.hit(Event::MessageSent);
        let scene = Scene { nodes: &self.views, disks: &self.disks };
        self.checks.sent(scene, from, to, &label)?;
        if to.position() >= self.slots.len() || to == from {
            return Ok(());
        }
        if label.kind == MessageKind::Snapshot {
            self.counters.hit(Event::SnapshotSent);
        }
        let tampering = self.tampering(from, to, label.kind);
        if tampering == Some(Tampering::Lose) {
            self.lost(now_us, from, to, &label, Lost::Chance);
            return Ok(());
        }
        let fate = self.network.route(now_us, from.position(), to.position(), &mut self.network_choices);
        let (mut at_us, mut again_at_us, overtakable) = match fate {
            Fate::Lost(lost) => {
                self.lost(now_us, from, to, &label, lost);
                return Ok(());
            }
            Fate::Arrives { at_us, again_at_us, overtakable } => (at_us, again_at_us, overtakable),
        };
        match tampering {
            Some(Tampering::Delay { by_us }) => {
                self.counters.hit(Event::MessageDelayed);
                at_us += by_us;
            }
            Some(Tampering::Duplicate { after_us }) if again_at_us.is_none() => {
                self.network.add_in_flight(from.position(), to.position());
                again_at_us = Some(at_us + after_us);
            }
            _ => {}
        }
        if overtakable {
            self.counters.hit(Event::MessageReordered);
        }
        let kind = label.kind;
        if let Some(again_at_us) = again_at_us {
            self.counters.hit(Event::MessageDuplicated);
            let parcel = self.parcels.put(message.clone());
            self.queue.push(again_at_us, Happening::Arrival { from, to, kind, parcel });
        }
        let parcel = self.parcels.put(message);
        self.queue.push(at_us, Happening::Arrival { from, to, kind, parcel });
        Ok(())
    }

    /// What a fault that waits for this message does to it.
    #[inline]
    fn tampering(&mut self, from: NodeId, to: NodeId, kind: MessageKind) -> Option<Tampering> {
        let before = self.due.len();
        self.triggers.message(from, to, kind, &mut self.due);
        if self.due.len() == before {
            return None;
        }
        let faults = &self.plan.faults;
        let mut tampering = None;
        self.due.retain(|fault| match Tampering::of(&faults[*fault].what) {
            Some(found) => {
                tampering.get_or_insert(found);
                false
            }
            None => true,
        });
        tampering
    }

    #[cold]
    fn lost(&mut self, now_us: u64, from: NodeId, to: NodeId, label: &Label, lost: Lost) {
        self.counters.hit(match lost {
            Lost::Cut => Event::MessageCut,
            Lost::Full => Event::MessageOverflowed,
            Lost::Chance => Event::MessageLost,
        });
        if self.watch.lines.is_some() {
            let text = format!("its {} to {to} is lost ({lost:?})", label.kind.words());
            self.tell(Some(from), Weight::Notable, text);
        }
        if label.kind == MessageKind::Snapshot {
            self.report_snapshot(now_us, from, to, false);
        }
        if lost != Lost::Chance {
            self.report_unreachable(now_us, from, to);
        }
    }

    /// Tells a sender, sooner or later, what became of its snapshot. In a storm
    /// a transport may take a delivered one for lost, as after a time-out.
    fn report_snapshot(&mut self, now_us: u64, from: NodeId, to: NodeId, arrived: bool) {
        if !arrived {
            self.counters.hit(Event::SnapshotLost);
        }
        let mistaken = !self.healed && self.network_choices.below(16) == 0;
        let report = Report::SnapshotSent { peer: to, delivered: arrived && !mistaken };
        self.report(now_us, from, report);
    }

    /// One time in four, a transport notices at once that a peer cannot be reached.
    fn report_unreachable(&mut self, now_us: u64, from: NodeId, to: NodeId) {
        if self.network_choices.below(4) == 0 {
            self.report(now_us, from, Report::Unreachable { peer: to });
        }
    }

    fn report(&mut self, now_us: u64, node: NodeId, report: Report) {
        if !self.is_up(node) {
            return;
        }
        let life = self.views[node.position()].life;
        let delay_us = self.network_choices.between(1, 2 * self.plan.network.delay_max_us.max(1));
        self.queue.push(now_us + delay_us, Happening::Report { node, life, report });
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
        self.queue.push(now_us + self.plan.election_us(), Happening::Probe);
        self.counters.hit(Event::CommandSent);
        self.request(now_us, node, request)
    }

    fn audit(&mut self, now_us: u64) {
        let target = Target {
            acknowledged: self.clients.acknowledged,
            fresh_answers: self.clients.fresh_answers,
        };
        let scene = Scene { nodes: &self.views, disks: &self.disks };
        self.unmet = liveness::unmet(scene, &self.members(), target);
        if self.unmet.is_none() {
            self.counters.hit(Event::Converged);
            self.converged = true;
            return;
        }
        self.queue.push(now_us + self.plan.cluster.tick_us, Happening::Audit);
    }

    // ---- words and numbers ------------------------------------------------------

    #[inline]
    pub(super) fn fold(&mut self, value: u64) {
        self.digest = mix(self.digest, value);
    }

    #[cold]
    pub(super) fn tell(&mut self, node: Option<NodeId>, weight: Weight, text: String) {
        let (time_us, step) = (self.queue.now_us(), self.step);
        if let Some(lines) = &mut self.watch.lines {
            lines(Line { time_us, step, node, weight, text });
        }
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watch.lines.is_some()
    }

    #[cold]
    fn tell_input(&mut self, node: NodeId, input: &Input<Message<S>>) {
        let (weight, text) = match input {
            Input::Tick => (Weight::Routine, "ticks".to_owned()),
            Input::Deliver { from, message } => {
                let kind = S::Replica::label(message).kind;
                let weight = match kind {
                    MessageKind::Heartbeat | MessageKind::HeartbeatReply => Weight::Routine,
                    _ => Weight::Notable,
                };
                (weight, format!("gets from {from}: {}", S::Replica::describe(message)))
            }
            Input::Synced { result: SyncResult::Done, .. } => (Weight::Routine, "sync done".to_owned()),
            Input::Synced { result: SyncResult::Failed, .. } => (Weight::Notable, "sync failed".to_owned()),
            Input::Request(request) => {
                let text = format!("is asked by client {} for command {}", request.client, request.sequence);
                (Weight::Routine, text)
            }
            Input::Unreachable { peer } => (Weight::Notable, format!("is told that {peer} is unreachable")),
            Input::SnapshotSent { peer, delivered: true } => {
                (Weight::Notable, format!("is told that {peer} got its snapshot"))
            }
            Input::SnapshotSent { peer, .. } => {
                (Weight::Notable, format!("is told that {peer} did not get its snapshot"))
            }
        };
        self.tell(Some(node), weight, text);
    }

    #[cold]
    fn tell_effect(&mut self, node: NodeId, effect: &Effect) {
        let (weight, text) = match effect {
            Effect::Write(record) => (Weight::Notable, trace::record(record)),
            Effect::Sync(_) => (Weight::Routine, "begins a sync".to_owned()),
            Effect::Observe(seen) => (Weight::Notable, trace::observation(seen)),
        };
        self.tell(Some(node), weight, text);
    }

    #[cold]
    pub(super) fn tell_library(&mut self, node: NodeId) {
        let Some(log) = &self.log else { return };
        for line in log.take() {
            self.tell(Some(node), Weight::Routine, format!("| {line}"));
        }
    }

    fn outcome(mut self, violation: Option<Violation>) -> Outcome {
        if let Some(violation) = &violation {
            let text = format!("VIOLATION {violation}");
            self.tell(violation.node, Weight::Notable, text);
        }
        let time_us = self.queue.now_us();
        let nodes = self.voters.iter().map(|id| self.at_end(*id)).collect();
        Outcome {
            failure: violation.map(|violation| Failure { violation, step: self.step, time_us }),
            digest: self.digest,
            steps: self.step,
            time_us,
            counters: self.counters,
            nodes,
        }
    }

    fn at_end(&self, id: NodeId) -> NodeAtEnd {
        let view = &self.views[id.position()];
        let slot = &self.slots[id.position()];
        let disk = self.disks[id.position()].durable();
        NodeAtEnd {
            id,
            state: match (view.gone, slot.replica.is_some(), slot.paused_until_us) {
                (true, ..) => "gone",
                (_, false, _) => "down",
                (_, _, Some(_)) => "still",
                _ => "up",
            },
            role: view.role,
            term: view.term,
            vote: view.hard.vote,
            last: view.last(),
            commit: view.commit,
            applied: view.applied,
            disk: (disk.hard.term, disk.snapshot_index(), disk.log.last()),
            life: view.life,
        }
    }
}

/// A new node's disk: empty but for the term its cluster was set up with.
fn first_disk(term: Term) -> Disk<StableState> {
    let mut disk = Disk::default();
    if term > 0 {
        let hard = HardState { term, ..HardState::default() };
        let record = Record::HardState(hard);
        disk.write(Marked { record, chain: Chain::default() });
        disk.complete_sync(disk.begin_sync());
    }
    disk
}

fn input_code<M>(input: &Input<M>) -> u64 {
    match input {
        Input::Tick => 1,
        Input::Deliver { from, .. } => 2 | u64::from(from.0) << 8,
        Input::Synced { ticket, result: SyncResult::Done } => 3 | ticket.0 << 8,
        Input::Synced { ticket, result: SyncResult::Failed } => 4 | ticket.0 << 8,
        Input::Request(request) => 5 | request.sequence << 8,
        Input::Unreachable { peer } => 6 | u64::from(peer.0) << 8,
        Input::SnapshotSent { peer, delivered } => {
            7 | u64::from(peer.0) << 8 | u64::from(*delivered) << 16
        }
    }
}

fn observation_code(seen: &crate::replica::Observation) -> u64 {
    use crate::replica::Observation;
    match *seen {
        Observation::Started { term, last, commit, .. } => mix(mix(mix(1, term), last), commit),
        Observation::Role { role, term } => mix(2 + role as u64, term),
        Observation::Committed { index } => mix(7, index),
        Observation::Applied { index, state } => mix(mix(8, index), state),
        Observation::Installed { index, state } => mix(mix(9, index), state),
        Observation::SnapshotTaken { index } => mix(10, index),
    }
}

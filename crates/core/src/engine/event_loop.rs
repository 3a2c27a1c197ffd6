//! The lockstep engine: one thread, one queue of events, one world. It carries a
//! plan out on a subject and lets the checks look after every step.
//!
//! It must not know any Raft library, nor decide anything that the plan and its
//! choice streams do not.

use super::event::{Event, Report};
use super::node::Slot;
use super::options;
use super::panics;
use super::world::World;
use super::{Moment, Observer, Outcome};
use crate::counters::Counter;
use crate::ids::NodeId;
use crate::invariants::{Postmark, Verdict, Violation, breach};
use crate::options::MissedTicks;
use crate::plan::{Plan, When};
use crate::replica::{Input, MessageKind, Subject};
use squall_world::queue::SlabKey;

/// Carries `plan` out on `subject`.
///
/// The outcome is a function of the plan, the subject and this version of the
/// crate: the same in every process, on every machine, in debug and release
/// builds.
///
/// # Panics
/// When the plan is not valid ([`Plan::validate`]), or on a bug of this crate.
/// A panic of the subject is caught and is a violation of `no-panic`.
pub fn run<S: Subject>(plan: &Plan, subject: &S, watch: Observer<'_>) -> Outcome {
    run_paced(plan, subject, watch, |_, _| {})
}

/// The same, and tells `pace` before each event where the nodes are and what time it is.
pub(super) fn run_paced<S: Subject>(
    plan: &Plan,
    subject: &S,
    watch: Observer<'_>,
    pace: impl FnMut(&[Slot<S::Replica, Event>], u64),
) -> Outcome {
    let mut world = World::new(plan, subject, watch);
    let driven = panics::of_subject(|| world.drive(pace));
    if let Some(pulse) = &world.watch.pulse {
        pulse.goes_on(world.step);
    }
    let violation = match driven {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(*violation),
        Err(panic) => {
            let breach = breach::NoPanic::Panicked { panic };
            Some(*Violation::by(world.stepping, breach))
        }
    };
    world.outcome(violation)
}

impl<S: Subject> World<'_, '_, S> {
    /// Runs to the end of the plan, to convergence, or to the first violation.
    fn drive(&mut self, mut pace: impl FnMut(&[Slot<S::Replica, Event>], u64)) -> Verdict {
        options::count(self.plan, &mut self.counters);
        self.begin()?;
        self.show_cluster();
        let most_steps = self.watch.most_steps.unwrap_or(u64::MAX);
        let until_us = self.watch.until_us.unwrap_or(u64::MAX);
        let stop_us = until_us.min(self.plan.end_us.saturating_add(1));
        while !self.queue.is_empty() {
            let (time_us, event) = self.queue.take();
            if time_us >= stop_us {
                if time_us > self.plan.end_us {
                    break;
                }
                if time_us > until_us || !event.is_of_plan() {
                    self.next = Some((time_us, event));
                    return Ok(());
                }
            }
            if self.step >= most_steps || self.is_told_to_end() {
                return Ok(());
            }
            pace(&self.slots, time_us);
            self.happen(time_us, event)?;
            if self.watch.cluster.is_some() {
                self.show_cluster();
            }
            if self.watch.until.is_some() && self.is_enough(time_us) {
                return Ok(());
            }
        }
        let owes_no_convergence = !self.converged && !self.participants_suffice();
        if owes_no_convergence {
            self.counters.hit(Counter::ConvergenceNotJudged);
        }
        if self.converged || owes_no_convergence {
            return self.checks.finish(&mut self.counters);
        }
        let unmet = self.unmet.take();
        Err(Violation::by(
            None,
            breach::Liveness::NotConverged { unmet },
        ))
    }

    /// Whether whoever watches ends the run from another thread.
    #[inline]
    fn is_told_to_end(&self) -> bool {
        let pulse = self.watch.pulse.as_ref();
        pulse.is_some_and(|pulse| pulse.ends_here())
    }

    /// Whether whoever watches has seen enough.
    #[cold]
    fn is_enough(&mut self, time_us: u64) -> bool {
        let moment = Moment {
            time_us,
            step: self.step,
            healed: self.healed,
            counters: &self.counters,
            nodes: &self.views,
        };
        let until = self.watch.until.as_mut();
        until.is_some_and(|until| panics::of_watcher(|| until(&moment)))
    }

    fn begin(&mut self) -> Verdict {
        for (number, fault) in self.plan.faults.iter().enumerate() {
            if let When::AtUs(at_us) = fault.when {
                self.queue.push(at_us, Event::Strike { fault: number });
            }
        }
        self.queue.push(self.plan.heal_us, Event::Heal);
        if self.plan.script.is_some() {
            self.begin_script();
        } else {
            for client in 0..self.clients.count() {
                let at_us = self.clients.think_us();
                self.queue.push(at_us, Event::ClientWakes { client });
            }
        }
        let (_, founders) = self.configuration;
        for node in founders.members().iter() {
            self.boot(node)?;
        }
        self.look_around();
        Ok(())
    }

    #[inline(always)]
    fn happen(&mut self, now_us: u64, event: Event) -> Verdict {
        match event {
            Event::Tick { node, .. }
            | Event::Arrival { to: node, .. }
            | Event::Synced { node, .. }
            | Event::Report { node, .. }
            | Event::InTurn { node, .. }
                if self.stands_still(node) =>
            {
                self.slots[node.position()].held.push(event);
                Ok(())
            }
            Event::Tick { node, timer } => self.tick(now_us, node, timer),
            Event::Arrival {
                from,
                to,
                kind,
                parcel,
                postmark,
            } => {
                self.off_the_wire(now_us, from, to, kind);
                self.arrive(now_us, from, to, parcel, postmark)
            }
            Event::Synced {
                node,
                incarnation,
                sync,
                fails,
            } => self.synced(now_us, node, incarnation, sync, fails),
            Event::Report {
                node,
                incarnation,
                report,
            } => {
                if self.views[node.position()].incarnation != incarnation || !self.is_up(node) {
                    return Ok(());
                }
                let input = match report {
                    Report::Connection { peer, stands } => Input::Connection { peer, stands },
                    Report::Disconnected { peer, connection } => {
                        return self.disconnected(now_us, node, peer, connection);
                    }
                    Report::Unreachable { peer } => {
                        self.counters.hit(Counter::PeerUnreachable);
                        Input::Unreachable { peer }
                    }
                    Report::SnapshotSent { peer, delivered } => {
                        if !delivered {
                            self.counters.hit(Counter::SnapshotReportedFailed);
                        }
                        Input::SnapshotSent { peer, delivered }
                    }
                };
                self.step(now_us, node, input)
            }
            Event::InTurn { node, peer } => self.hand_over_in_turn(now_us, node, peer),
            Event::Connect { one, other } => self.connect(now_us, one, other),
            Event::ClientWakes { client } => self.client_wakes(now_us, client),
            Event::ScriptedTry { operation, nth } => self.scripted_try(now_us, operation, nth),
            Event::ClientGivesUp {
                client,
                sequence,
                attempt,
            } => {
                self.client_gives_up(client, sequence, attempt);
                Ok(())
            }
            Event::AnswerDue { node, client } => self.answer_due(now_us, node, client),
            Event::AskAgain { fault, left } => {
                self.ask_for_change(now_us, fault as usize, left)?;
                self.replace_disk(now_us, fault as usize, left)
            }
            Event::Operate => self.operate(now_us),
            Event::Strike { fault } => self.strike(now_us, fault),
            Event::Over { fault } => {
                self.over(now_us, fault);
                self.look_around();
                Ok(())
            }
            Event::Boot { node } => {
                self.boot(node)?;
                self.look_around();
                self.strike_due(now_us)
            }
            Event::Resume { node } => {
                self.resume(now_us, node);
                self.look_around();
                Ok(())
            }
            Event::Heal => {
                self.heal(now_us)?;
                self.look_around();
                Ok(())
            }
            Event::Probe => self.probe(now_us),
            Event::Audit => {
                self.audit(now_us);
                Ok(())
            }
        }
    }

    /// Schedules the node's next tick.
    pub(crate) fn set_timer(&mut self, node: NodeId) {
        let now_us = self.queue.now_us();
        let slot = &mut self.slots[node.position()];
        slot.timer += 1;
        let timer = slot.timer;
        let at_us = slot.clock.time_us(slot.tick_due_us, now_us);
        self.queue.push(at_us, Event::Tick { node, timer });
    }

    #[inline(never)]
    fn tick(&mut self, now_us: u64, node: NodeId, timer: u32) -> Verdict {
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
            self.counters.hit(Counter::TicksMissed);
            if self.plan.driver.missed_ticks == MissedTicks::Skip {
                ticks = 1;
            }
        }
        for _ in 0..ticks {
            if self.is_up(node) {
                self.step(now_us, node, Input::Tick)?;
            }
        }
        self.keep_leases(now_us, node)
    }

    /// The message has come to the end of its link.
    #[inline(always)]
    pub(super) fn off_the_wire(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        kind: MessageKind,
    ) {
        self.network.arrived(from.position(), to.position());
        // On a connection, one that has arrived may still be lost.
        if kind == MessageKind::Snapshot && self.connections.is_none() {
            self.report_snapshot(now_us, from, to, self.is_up(to));
        }
    }

    /// The message is at the receiver's machine: the receiver gets it now or, on a connection, when
    /// all that was sent before it has been handed over.
    pub(super) fn arrive(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        parcel: SlabKey,
        postmark: Postmark,
    ) -> Verdict {
        match self.connections {
            None => self.reach(now_us, from, to, parcel, postmark),
            Some(_) => self.arrive_on_stream(now_us, from, to, parcel, postmark),
        }
    }

    /// The message has reached its receiver.
    pub(super) fn reach(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        parcel: SlabKey,
        postmark: Postmark,
    ) -> Verdict {
        if !self.is_up(to) {
            drop(self.parcels.take(parcel));
            self.counters.hit(Counter::MessageToDownNode);
            self.report_unreachable(now_us, from, to);
            return Ok(());
        }
        self.checks.delivered(from, to, postmark);
        self.deliver(now_us, from, to, parcel)
    }
}

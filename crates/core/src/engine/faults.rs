//! What faults do to the lockstep engine's world, and how it heals.

use super::event::Event;
use super::panics;
use super::step::OUT_IS_BACK;
use super::trace::{Happened, Weight};
use super::world::World;
use crate::counters::Counter;
use crate::faults::Lasts;
use crate::ids::{NodeId, Role};
use crate::invariants::{NodeView, Verdict, Violation, breach};
use crate::plan::Heal;
use crate::replica::{BootContext, Recovered, Subject};
use crate::storage::Journal;
use crate::text::seconds;
use squall_world::journal_disk::{CrashReport, Disk, Loss};
use squall_world::network::LinkOptions;

/// Ticks that a node which stopped itself stays down.
const HALT_TICKS: u64 = 20;

impl<S: Subject> World<'_, '_, S> {
    /// The fault strikes.
    pub(super) fn strike(&mut self, now_us: u64, number: usize) -> Verdict {
        if self.healed {
            return Ok(());
        }
        let plan = self.plan;
        let fault = &plan.faults[number];
        self.fold(number as u64 ^ 0xFA17);
        if let Some(recording) = &mut self.watch.recording {
            recording.struck.push((number, now_us));
        }
        if self.is_watched() {
            let text = format!("fault: {}", fault.what);
            self.tell_event(None, Weight::Notable, text, Happened::Struck(number));
        }
        self.answers.disturb(now_us);
        let lasts = fault.what.strike(self, now_us, number)?;
        if let Lasts::ForUs(for_us) = lasts {
            self.under_way.push(number);
            self.queue
                .push(now_us + for_us, Event::Over { fault: number });
        }
        self.look_around();
        Ok(())
    }

    /// The fault is over.
    pub(super) fn over(&mut self, now_us: u64, number: usize) {
        if self.healed {
            return;
        }
        self.answers.disturb(now_us);
        self.under_way.retain(|other| *other != number);
        let plan = self.plan;
        plan.faults[number].what.end(self, now_us, number);
        if self.is_watched() {
            let text = format!("over: {}", self.plan.faults[number].what);
            self.tell_event(None, Weight::Notable, text, Happened::Over(number));
        }
    }

    pub(crate) fn others(&self, side: &[NodeId]) -> Vec<NodeId> {
        let outside = |id: &NodeId| !side.contains(id);
        self.nodes.iter().copied().filter(outside).collect()
    }

    pub(crate) fn each_way(
        &mut self,
        side: &[NodeId],
        others: &[NodeId],
        act: impl Fn(&mut Self, usize, usize),
    ) {
        self.each_link(side, others, &act);
        self.each_link(others, side, &act);
    }

    pub(crate) fn each_link(
        &mut self,
        from: &[NodeId],
        to: &[NodeId],
        mut act: impl FnMut(&mut Self, usize, usize),
    ) {
        for from in from {
            for to in to {
                if from != to {
                    act(self, from.position(), to.position());
                }
            }
        }
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.network.cut(from, to);
        self.counters.hit(Counter::LinkCut);
        let leads = |position: usize| self.views[position].role == Role::Leader;
        if leads(from) || leads(to) {
            self.counters.hit(Counter::LeaderCutOff);
        }
    }

    /// The node loses power; it starts again after `down_us`, or never.
    pub(crate) fn crash(&mut self, now_us: u64, node: NodeId, loss: Loss, down_us: Option<u64>) {
        let position = node.position();
        if self.slots[position].replica.is_some() {
            self.counters.hit(Counter::Crash);
            if self.views[position].role == Role::Leader {
                self.counters.hit(Counter::CrashOfLeader);
            }
            if !self.slots[position].in_flight.is_empty() {
                self.counters.hit(Counter::CrashDuringSync);
            }
            let view = &self.views[position];
            if view.configuration.1.is_joint() {
                self.counters.hit(Counter::CrashInJoint);
            }
            if view.role == Role::Leader && view.change_pending() {
                self.counters.hit(Counter::LeaderCrashedWithChange);
            }
            if view.snapshot.0 > self.disks[position].durable().snapshot_index() {
                self.counters.hit(Counter::CrashWithSnapshot);
            }
            self.stop(node, Some(loss));
            if let Some(down_us) = down_us {
                self.queue
                    .push(now_us + down_us.max(1), Event::Boot { node });
            }
        }
        if down_us.is_none() {
            self.views[position].gone = true;
        }
    }

    /// The node stops itself: a failed disk is no disk to go on with.
    pub(super) fn halt(&mut self, now_us: u64, node: NodeId, reason: &str) {
        self.counters.hit(Counter::Halt);
        if self.is_watched() {
            self.tell(
                Some(node),
                Weight::Notable,
                format!("stops itself: {reason}"),
            );
        }
        // The process ends and the machine does not: any of its unsynced writes may still be
        // written back.
        self.stop(node, Some(Loss::Prefix));
        let down_us = HALT_TICKS * self.plan.cluster.tick_us;
        self.queue.push(now_us + down_us, Event::Boot { node });
    }

    /// The node goes down, and its disk loses so much of what is not durable; with none, it loses
    /// all, durable or not.
    pub(super) fn stop(&mut self, node: NodeId, loss: Option<Loss>) {
        self.answers.disturb(self.queue.now_us());
        self.answers.drop_node(node);
        self.drop_leases(node);
        let position = node.position();
        let report = self.crash_disk(position, loss.unwrap_or(Loss::All));
        if loss.is_none() {
            self.disks[position] = Disk::default();
            self.slots[position].files.wipe();
        }
        self.counters.add(Counter::WriteKept, report.kept);
        self.counters.add(Counter::WriteLost, report.lost);
        self.counters.add(Counter::WriteTorn, report.torn);
        self.fold(report.kept << 32 | report.lost);
        if self.is_watched() {
            self.tell_down(node, &report, loss.is_none());
        }
        let durable = self.disks[position].durable();
        let view = &mut self.views[position];
        match loss {
            Some(_) => self.checks.crashed(node, view, durable),
            None => self.checks.disk_lost(node, view),
        }
        if durable.usable_last() < view.last() {
            self.counters.hit(Counter::EntryLost);
        }
        if (durable.hard.term, durable.hard.vote) != (view.hard.term, view.hard.vote) {
            self.counters.hit(Counter::VoteLost);
        }
        if !durable.is_contiguous() {
            self.counters.hit(Counter::LogMended);
        }
        view.up = false;
        view.role = Role::Follower;
        // What lay in the sockets of a node that stood still now meets a dead one.
        let now_us = self.queue.now_us();
        for event in std::mem::take(&mut self.slots[position].held) {
            self.queue.push(now_us, event);
        }
        self.slots[position].drop_incarnation();
        self.lose_connections(now_us, node);
    }

    /// The power of a disk fails. Where a node keeps files of its own, these forget as `loss` says,
    /// and of the records, which say what the node has claimed, all that were not synced are lost.
    fn crash_disk(&mut self, position: usize, loss: Loss) -> CrashReport {
        let files = &self.slots[position].files;
        if !files.is_used() {
            return self.disks[position].crash(loss, &mut self.disk_choices);
        }
        let of_files = files.crash(loss, self.plan.seed ^ position as u64);
        let of_records = self.disks[position].crash(Loss::All, &mut self.disk_choices);
        CrashReport {
            kept: of_files.kept,
            lost: of_files.lost + of_records.lost,
            torn: of_files.torn,
        }
    }

    /// The node starts on what its disk kept.
    pub(super) fn boot(&mut self, node: NodeId) -> Verdict {
        let position = node.position();
        if self.slots[position].replica.is_some() || self.views[position].gone {
            return Ok(());
        }
        let now_us = self.queue.now_us();
        self.answers.disturb(now_us);
        let slot = &mut self.slots[position];
        let incarnation = slot.incarnations;
        slot.incarnations += 1;
        if incarnation > 0 {
            self.counters.hit(Counter::Restart);
        }
        let disk = &self.disks[position];
        self.views[position] = NodeView::booting(disk.durable(), incarnation);
        let recovered = Recovered {
            state: disk.durable().clone(),
            rotten: disk
                .rotten()
                .iter()
                .map(|journal| Journal::ALL[*journal])
                .collect(),
        };
        let files = self.slots[position].files.clone();
        files.power_on();
        let boot = BootContext {
            id: node,
            configuration: self.first_configuration_of(node),
            incarnation,
            tick_us: self.plan.cluster.tick_us,
            seed: self.plan.seed,
            raft: &self.plan.raft,
            driver: &self.plan.driver,
            service: &self.service,
            log: self.log.clone(),
            files: &files,
            notes: &self.notes,
        };
        let mut out = self.out.take().expect(OUT_IS_BACK);
        self.stepping = Some(node);
        if let Some(pulse) = &self.watch.pulse {
            pulse.boots(self.step, node);
        }
        panics::enter();
        let booted = self.subject.boot(&boot, recovered, &mut out);
        panics::leave();
        self.stepping = None;
        let mut halt = None;
        let carried_out = match booted {
            Ok(replica) => {
                let tick_us = self.plan.cluster.tick_us;
                let slot = &mut self.slots[position];
                slot.replica = Some(replica);
                let phase_us = self.clock_choices.between(1, tick_us);
                slot.tick_due_us = slot.clock.local_us(now_us) + phase_us;
                self.set_timer(node);
                let carried_out = self.carry_out(now_us, node, &mut out);
                halt = out.take_halt();
                carried_out
            }
            Err(reason) if self.disks[position].rotten().is_empty() => {
                let reason = reason.to_string();
                Err(Violation::by(
                    node,
                    breach::Liveness::DoesNotStart { reason },
                ))
            }
            Err(reason) => {
                self.counters.hit(Counter::BootRefused);
                self.views[position].up = false;
                self.views[position].gone = true;
                self.tell(
                    Some(node),
                    Weight::Notable,
                    format!("does not start: {reason}"),
                );
                Ok(())
            }
        };
        out.clear();
        self.out = Some(out);
        self.tell_library(node);
        carried_out?;
        if let Some(reason) = halt {
            self.halt(now_us, node, reason);
        }
        self.seek_connections(now_us, node);
        Ok(())
    }

    pub(crate) fn pause(&mut self, now_us: u64, node: NodeId, for_us: u64) {
        let slot = &mut self.slots[node.position()];
        if slot.replica.is_none() {
            return;
        }
        self.counters.hit(Counter::Pause);
        let until_us = (now_us + for_us).max(slot.paused_until_us.unwrap_or(0));
        slot.paused_until_us = Some(until_us);
        self.queue.push(until_us, Event::Resume { node });
    }

    /// A pause is over, if it has not been prolonged: what was held back happens now.
    pub(super) fn resume(&mut self, now_us: u64, node: NodeId) {
        let slot = &mut self.slots[node.position()];
        if slot
            .paused_until_us
            .is_none_or(|until_us| until_us > now_us)
        {
            return;
        }
        slot.paused_until_us = None;
        let held = std::mem::take(&mut slot.held);
        self.answers.disturb(now_us);
        self.resume_answers(now_us, node);
        for event in held {
            self.queue.push(now_us, event);
        }
        if self.is_watched() {
            self.tell(Some(node), Weight::Notable, "resumes".to_owned());
        }
    }

    /// The storm ends: every fault is over, and those who are to take part are up.
    #[inline(never)]
    pub(super) fn heal(&mut self, now_us: u64) -> Verdict {
        let plan = self.plan;
        for number in std::mem::take(&mut self.under_way) {
            plan.faults[number].what.end(self, now_us, number);
        }
        let ordinary = self.plan.network;
        let prompt_us = self.plan.prompt_us();
        self.network.heal(LinkOptions {
            delay_min_us: ordinary.delay_min_us.min(prompt_us),
            delay_max_us: ordinary.delay_max_us.min(prompt_us),
            ..LinkOptions::default()
        });
        self.triggers.disarm();
        for position in 0..self.slots.len() {
            let slot = &mut self.slots[position];
            slot.fail_next = 0;
            slot.files.calm();
            slot.clock.set_drift(now_us, 0);
            // A clock that had jumped back would keep the node from ticking for as long.
            let soon_us = slot.clock.local_us(now_us) + self.plan.cluster.tick_us;
            slot.tick_due_us = slot.tick_due_us.min(soon_us);
            let id = slot.id;
            if let Some(until_us) = &mut slot.paused_until_us {
                *until_us = now_us;
                self.resume(now_us, id);
            }
            if self.is_up(id) {
                self.set_timer(id);
            }
        }
        // What the storm held up comes now, not when the storm had meant it to.
        let prompt_us = now_us + prompt_us;
        self.queue.hasten(|event| match event {
            Event::Arrival { .. } | Event::Synced { .. } => Some(prompt_us),
            _ => None,
        });
        self.healed = true;
        self.answers.heal(now_us);
        if self.is_watched() {
            let text = format!("the storm ends at {}", seconds(now_us));
            self.tell_event(None, Weight::Notable, text, Happened::Healed);
        }
        self.participants = match &self.plan.heal {
            Heal::Everyone => self.participants(None),
            Heal::Quorum(wanted) => self.participants(Some(wanted)),
        };
        for node in self.others(&self.participants.clone()) {
            self.crash(now_us, node, Loss::All, None);
        }
        for node in self.participants.clone() {
            self.boot(node)?;
        }
        self.put_back_settings(self.queue.now_us())?;
        self.begin_audits();
        Ok(())
    }
}

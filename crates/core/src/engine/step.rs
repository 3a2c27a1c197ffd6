//! One step: an input goes into a replica, what the replica wants is carried out, and
//! the checks look at it. Most of a run's time is spent here: what is rare is out of line, so
//! that what is not lies close together.

use super::digest;
use super::panics;
use super::world::World;
use crate::counters::Counter;
use crate::ids::{Index, NodeId, Role};
use crate::invariants::Verdict;
use crate::replica::{
    Effect, Input, Message, Observation, Output, Replica, Subject, SyncId, SyncResult,
};
use crate::storage::{Chain, ChainedRecord, EntryKind, Record};
use squall_world::queue::SlabKey;

pub(super) const OUT_IS_BACK: &str = "the output is put back once it is carried out";

impl<S: Subject> World<'_, '_, S> {
    /// Steps the message at `parcel` into its receiver. It moves from where it lies into the
    /// replica.
    #[inline(always)]
    pub(super) fn deliver(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        parcel: SlabKey,
    ) -> Verdict {
        self.begin_step(now_us, to, digest::delivery(from));
        if self.watch.lines.is_some() {
            self.tell_delivery(to, from, parcel);
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

    /// Steps one input into a replica, carries out what it wants, and lets the checks look.
    #[inline(never)]
    pub(super) fn step(&mut self, now_us: u64, node: NodeId, input: Input<Message<S>>) -> Verdict {
        self.step_here(now_us, node, input)
    }

    /// The same, inlined where most inputs come from: an input has room for a message, and is
    /// better not passed on when it is none.
    #[inline(always)]
    pub(super) fn step_here(
        &mut self,
        now_us: u64,
        node: NodeId,
        input: Input<Message<S>>,
    ) -> Verdict {
        self.begin_step(now_us, node, digest::input(&input));
        if self.watch.lines.is_some() {
            self.tell_input(node, &input);
        }
        self.hand_over(now_us, node, |replica, local_us, out| {
            replica.step(local_us, input, out);
        })
    }

    /// Tells a replica that its sync is over.
    #[inline(always)]
    pub(super) fn end_sync(
        &mut self,
        now_us: u64,
        node: NodeId,
        sync: SyncId,
        result: SyncResult,
    ) -> Verdict {
        self.begin_step(now_us, node, digest::synced(sync, result));
        if self.watch.lines.is_some() {
            self.tell_input(node, &Input::Synced { sync, result });
        }
        self.hand_over(now_us, node, |replica, local_us, out| {
            replica.synced(local_us, sync, result, out);
        })
    }

    /// Gives a replica its input, and ends the step.
    #[inline(always)]
    fn hand_over(
        &mut self,
        now_us: u64,
        node: NodeId,
        give: impl FnOnce(&mut S::Replica, u64, &mut Output<Message<S>>),
    ) -> Verdict {
        let slot = &mut self.slots[node.position()];
        let local_us = slot.clock.local_us(now_us);
        let out = self.out.as_mut().expect(OUT_IS_BACK);
        self.stepping = Some(node);
        panics::enter();
        if let Some(replica) = &mut slot.replica {
            give(replica, local_us, out);
        }
        self.end_step(now_us, node)
    }

    /// A step of `node` with an input of this digest begins.
    #[inline(always)]
    fn begin_step(&mut self, now_us: u64, node: NodeId, input: u64) {
        self.step += 1;
        if let Some(pulse) = &self.watch.pulse {
            pulse.steps(self.step, node);
        }
        // Of an input, too, mostly the lower half is used: so they hardly meet.
        self.fold((now_us << 8 | u64::from(node.0)) ^ input.rotate_left(40));
    }

    /// A replica has been stepped: carries out what it wants, and lets the checks look. Inlined,
    /// for in four steps of ten a replica wants nothing.
    #[inline(always)]
    fn end_step(&mut self, now_us: u64, node: NodeId) -> Verdict {
        panics::leave();
        if self.log.is_some() {
            self.tell_library(node);
        }
        if self.out.as_ref().is_some_and(|out| !out.is_empty()) {
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

    /// Carries out what the last step left in `out`, and looks at what came of it.
    #[inline(never)]
    fn carry_out_all(&mut self, now_us: u64, node: NodeId) -> Verdict {
        let mut out = self.out.take().expect(OUT_IS_BACK);
        let carried_out = self.carry_out(now_us, node, &mut out);
        if carried_out.is_err() {
            out.clear();
        }
        let halt = out.take_halt();
        // After a violation there is no next step, and else all is carried out.
        self.out = Some(out);
        carried_out?;
        self.follow_up(now_us);
        if let Some(reason) = halt {
            self.halt(now_us, node, reason);
            self.look_around();
        }
        self.look(node);
        Ok(())
    }

    /// Faults that this step has triggered strike now.
    #[inline(always)]
    pub(super) fn strike_due(&mut self, now_us: u64) -> Verdict {
        match self.due.is_empty() {
            true => Ok(()),
            false => self.strike_all(now_us),
        }
    }

    #[cold]
    #[inline(never)]
    fn strike_all(&mut self, now_us: u64) -> Verdict {
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
    ) -> Verdict {
        if out.has_effects() {
            self.carry_out_effects(now_us, node, out)?;
        }
        if !out.sends().is_empty() {
            self.send(now_us, node, out.take_sends())?;
        }
        if !out.replies().is_empty() {
            self.pass_on(node, out)?;
        }
        Ok(())
    }

    /// Passes a replica's answers on to clients.
    #[inline(never)]
    fn pass_on(&mut self, node: NodeId, out: &mut Output<Message<S>>) -> Verdict {
        for reply in out.drain_replies() {
            self.fold(digest::reply(&reply));
            if self.watch.lines.is_some() {
                self.tell_reply(node, &reply);
            }
            let view = &self.views[node.position()];
            self.checks.replied(view, node, &reply.outcome)?;
            self.answers.answered(node, reply.client, reply.sequence);
            self.answer(node, &reply)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn carry_out_effects(
        &mut self,
        now_us: u64,
        node: NodeId,
        out: &mut Output<Message<S>>,
    ) -> Verdict {
        if self.watch.lines.is_some() {
            return self.carry_out_watched(now_us, node, out);
        }
        // Effects are large: each is looked at where it lies. What is done with one is out of line:
        // a loop around all of it would keep in memory what fits the registers.
        for effect in out.effects_mut() {
            self.carry_out_effect(now_us, node, effect)?;
        }
        out.clear_taken_effects();
        Ok(())
    }

    /// The same, and tells each effect before it is carried out.
    #[cold]
    fn carry_out_watched(
        &mut self,
        now_us: u64,
        node: NodeId,
        out: &mut Output<Message<S>>,
    ) -> Verdict {
        for effect in out.effects_mut() {
            self.tell_effect(node, &effect);
            self.carry_out_effect(now_us, node, effect)?;
        }
        out.clear_taken_effects();
        Ok(())
    }

    #[inline(always)]
    fn carry_out_effect(
        &mut self,
        now_us: u64,
        node: NodeId,
        effect: Effect<&mut Record, &Observation>,
    ) -> Verdict {
        match effect {
            Effect::Write(record) => self.write(node, record),
            Effect::Sync(sync) => {
                self.begin_sync(now_us, node, sync);
                Ok(())
            }
            // The two that come all the time have a way of their own, where it is known which they
            // are.
            Effect::Observe(Observation::Committed { index }) => self.committed(node, *index),
            Effect::Observe(Observation::Applied { index, state }) => {
                self.applied(now_us, node, *index, *state)
            }
            Effect::Observe(seen) => self.observe_other(node, seen),
        }
    }

    /// A replica puts a record into its disk's cache.
    #[inline(never)]
    fn write(&mut self, node: NodeId, record: &mut Record) -> Verdict {
        // An entry and a commit index come all the time: there it is known which they are.
        let chain = match &*record {
            Record::Entry { index, entry } => {
                let view = &mut self.views[node.position()];
                let overwritten = self.counters.get(Counter::EntryTruncated);
                let (index, counters) = (*index, &mut self.counters);
                let chain = self
                    .checks
                    .wrote_entry(view, node, index, entry, counters)?;
                if self.triggers.await_overwrites() {
                    let now = self.counters.get(Counter::EntryTruncated);
                    self.slots[node.position()].overwrites |= now > overwritten;
                }
                self.fold(digest::entry(index, chain));
                let view = &self.views[node.position()];
                if view.role == Role::Leader
                    && view.term == entry.term
                    && entry.kind == EntryKind::Normal
                {
                    self.note_taken(node, index, entry.term, &entry.data);
                }
                chain
            }
            Record::Commit { index } => {
                let view = &mut self.views[node.position()];
                let chain = self.checks.wrote(view, node, record, &mut self.counters)?;
                self.fold(digest::commit(*index, chain));
                chain
            }
            other => self.write_other(node, other)?,
        };
        self.disks[node.position()].write(ChainedRecord {
            record: record.take(),
            chain,
        });
        Ok(())
    }

    #[inline(never)]
    fn write_other(&mut self, node: NodeId, record: &Record) -> Verdict<Chain> {
        let view = &mut self.views[node.position()];
        let chain = self.checks.wrote(view, node, record, &mut self.counters)?;
        self.fold(digest::record(record, chain));
        Ok(chain)
    }

    #[inline(never)]
    fn committed(&mut self, node: NodeId, index: Index) -> Verdict {
        self.observe(node, &Observation::Committed { index })
    }

    #[inline(never)]
    fn applied(&mut self, now_us: u64, node: NodeId, index: Index, state: u64) -> Verdict {
        self.observe(node, &Observation::Applied { index, state })?;
        self.note_applied(now_us, node, index);
        Ok(())
    }

    #[inline(never)]
    fn observe_other(&mut self, node: NodeId, seen: &Observation) -> Verdict {
        if self.triggers.await_milestones() {
            self.triggers.reported(node, seen, &mut self.due);
        }
        self.observe(node, seen)
    }

    /// A replica reports a change.
    #[inline(always)]
    fn observe(&mut self, node: NodeId, seen: &Observation) -> Verdict {
        self.fold(digest::observation(seen));
        let (views, disks) = (&mut self.views, &self.disks);
        self.checks
            .observed(views, disks, node, seen, &mut self.counters)?;
        match *seen {
            Observation::Configured {
                index,
                configuration,
            } => {
                self.answers.disturb(self.queue.now_us());
                self.configured(node, index, configuration);
            }
            // What a node has gone by since it wrote it.
            Observation::Committed { index } => {
                let (since, configuration) = self.views[node.position()].configuration;
                let (newest, _) = self.configuration;
                if newest < since && since <= index {
                    self.configured(node, since, configuration);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

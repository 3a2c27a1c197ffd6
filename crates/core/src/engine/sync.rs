//! A sync, from a replica's wish to its end: how long it takes, whether it fails,
//! and what is durable after it.

use super::event::Event;
use super::world::World;
use crate::counters::Counter;
use crate::faults::{FailSync, SlowDisk, What};
use crate::ids::NodeId;
use crate::invariants::{ClusterView, Verdict};
use crate::replica::{Subject, SyncId, SyncResult};
use squall_world::journal_disk::SyncPoint;

/// What faults do to a sync.
#[derive(Clone, Copy, Default)]
struct SyncTrouble {
    fails: bool,
    /// It takes at least so long.
    slow_us: u64,
}

impl<S: Subject> World<'_, '_, S> {
    /// Begins the sync that a replica asks for.
    #[inline(never)]
    pub(super) fn begin_sync(&mut self, now_us: u64, node: NodeId, sync: SyncId) {
        let position = node.position();
        let slot = &mut self.slots[position];
        slot.syncs += 1;
        let is_calm = self.due.is_empty()
            && !self.triggers.await_syncs()
            && slot.fail_next == 0
            && slot.slow_us.is_empty()
            && !self.disks[position].would_fail();
        let SyncTrouble { fails, slow_us } = match is_calm {
            true => SyncTrouble::default(),
            false => self.trouble_with_sync(node),
        };
        let options = self.plan.disk;
        let mut ordinary_us = self
            .disk_choices
            .between(options.sync_min_us, options.sync_max_us);
        if self.healed {
            ordinary_us = ordinary_us.min(self.plan.prompt_us());
        }
        let slot = &mut self.slots[position];
        if !slot.in_flight.is_empty() {
            self.counters.hit(Counter::SyncsInFlight);
        }
        let point: SyncPoint = self.disks[position].begin_sync();
        slot.in_flight.push((sync, point));
        let incarnation = self.views[position].incarnation;
        let at_us = now_us + ordinary_us.max(slow_us);
        slot.synced_by_us = slot.synced_by_us.max(at_us);
        self.queue.push(
            at_us,
            Event::Synced {
                node,
                incarnation,
                sync,
                fails,
            },
        );
    }

    /// What faults that wait for this sync, or go on, do to it.
    #[cold]
    #[inline(never)]
    fn trouble_with_sync(&mut self, node: NodeId) -> SyncTrouble {
        let position = node.position();
        let slot = &mut self.slots[position];
        self.triggers.sync(node, slot.syncs, &mut self.due);
        if std::mem::take(&mut slot.overwrites) {
            slot.overwriting_syncs += 1;
            let nth = slot.overwriting_syncs;
            self.triggers.overwrite(node, nth, &mut self.due);
        }
        // A fault that waits for this sync acts on it.
        let due_here = |fault: &usize| match &self.plan.faults[*fault].what {
            What::FailSync(FailSync { node: whose }) => *whose == node,
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
                What::SlowDisk(SlowDisk {
                    node: whose,
                    sync_us,
                    ..
                }) if *whose == node => Some(*sync_us),
                _ => None,
            });
        let fails = slot.fail_next > 0 || self.disks[position].would_fail();
        slot.fail_next = slot.fail_next.saturating_sub(1);
        SyncTrouble {
            fails,
            slow_us: slot.slow_us.last().copied().max(slow_here).unwrap_or(0),
        }
    }

    /// That sync is over.
    #[inline(never)]
    pub(super) fn synced(
        &mut self,
        now_us: u64,
        node: NodeId,
        incarnation: u32,
        sync: SyncId,
        fails: bool,
    ) -> Verdict {
        let position = node.position();
        let slot = &mut self.slots[position];
        if slot.replica.is_none() || self.views[position].incarnation != incarnation {
            return Ok(());
        }
        let Some(place) = slot.in_flight.iter().position(|(other, _)| *other == sync) else {
            return Ok(());
        };
        let (_, point) = slot.in_flight.remove(place);
        let disk = &mut self.disks[position];
        let result = if fails || slot.disk_failed {
            slot.disk_failed = true;
            disk.fail_sync(point);
            self.counters.hit(Counter::SyncFailed);
            SyncResult::Failed
        } else {
            let before = disk.durable().snapshot_index();
            disk.complete_sync(point);
            let snapshot_is_new = disk.durable().snapshot_index() != before;
            self.counters.hit(Counter::SyncDone);
            if snapshot_is_new {
                self.checks.forget(ClusterView {
                    nodes: &self.views,
                    disks: &self.disks,
                });
            }
            SyncResult::Done
        };
        self.look(node);
        self.end_sync(now_us, node, sync, result)
    }
}

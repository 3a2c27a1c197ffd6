//! What the lockstep engine keeps for each node beside its view and its disk.

use crate::ids::NodeId;
use crate::replica::SyncId;
use squall_world::clock::Clock;
use squall_world::journal_disk::SyncPoint;
use squall_world::node_files::NodeFiles;

/// One node's place in the world.
pub(crate) struct Slot<R, E> {
    pub(super) id: NodeId,
    /// The running replica; none while the node is down.
    pub(super) replica: Option<R>,
    pub(crate) clock: Clock,
    /// The clock's drift in ordinary times.
    pub(crate) drift_ppm: i32,
    /// When the next tick is due, by the node's clock.
    pub(super) tick_due_us: u64,
    /// Names the tick event that counts: an older one has been rescheduled.
    pub(super) timer: u32,
    /// Until when the node stands still.
    pub(super) paused_until_us: Option<u64>,
    /// What happened to it while it stood still.
    pub(super) held: Vec<E>,
    /// Starts so far.
    pub(super) incarnations: u32,
    /// Syncs begun over all incarnations.
    pub(super) syncs: u32,
    /// Entries have been overwritten since the last sync began, where a fault waits for that.
    pub(super) overwrites: bool,
    /// Syncs begun after that, over all incarnations.
    pub(super) overwriting_syncs: u32,
    /// Syncs of this incarnation that are not over.
    pub(super) in_flight: Vec<(SyncId, SyncPoint)>,
    /// When the last of them is over, in microseconds of the run.
    pub(super) synced_by_us: u64,
    /// A sync has failed in this incarnation, so those in flight fail with it.
    pub(super) disk_failed: bool,
    /// Syncs that are to fail.
    pub(crate) fail_next: u32,
    /// Syncs take at least as long as the last of these.
    pub(crate) slow_us: Vec<u64>,
    /// Files of the node's own, where the subject keeps some.
    pub(crate) files: NodeFiles,
}

impl<R, E> Slot<R, E> {
    pub(super) fn new(id: NodeId, clock: Clock, drift_ppm: i32) -> Self {
        Self {
            id,
            replica: None,
            clock,
            drift_ppm,
            tick_due_us: 0,
            timer: 0,
            paused_until_us: None,
            held: Vec::new(),
            incarnations: 0,
            syncs: 0,
            overwrites: false,
            overwriting_syncs: 0,
            in_flight: Vec::new(),
            synced_by_us: 0,
            disk_failed: false,
            fail_next: 0,
            slow_us: Vec::new(),
            files: NodeFiles::default(),
        }
    }

    /// The node is down: nothing of its running state is left.
    pub(super) fn drop_incarnation(&mut self) {
        self.replica = None;
        self.in_flight.clear();
        self.synced_by_us = 0;
        self.overwrites = false;
        self.paused_until_us = None;
        self.disk_failed = false;
        self.timer += 1;
    }
}

//! A disk that forgets, for every node of a madsim runtime. `Handle::kill` is a power failure.

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::madsim::Config;
use ::madsim::plugin::{Simulator, simulator};
use ::madsim::rand::{GlobalRng, RngCore as _};
use ::madsim::task::NodeId;
use ::madsim::time::TimeHandle;

use squall_world::file_disk::{Files, Target};
use squall_world::journal_disk::{CrashReport, Loss};
use squall_world::rng::Choices;

/// How long a sync takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncTimes {
    /// At least so many microseconds.
    pub min_us: u64,
    /// At most so many.
    pub max_us: u64,
}

impl Default for SyncTimes {
    /// What a fast disk takes: 100 to 500 µs.
    fn default() -> Self {
        Self {
            min_us: 100,
            max_us: 500,
        }
    }
}

/// The disks of all nodes. Add it to a runtime, before its nodes are made, with
/// `runtime.add_simulator::<DiskSim>()`.
///
/// Every disk draws from a stream of its own, seeded by the runtime: a fault on one shifts no
/// other.
pub struct DiskSim {
    seed: u64,
    time: TimeHandle,
    machines: Mutex<BTreeMap<NodeId, Machine>>,
    ear: Mutex<Option<Ear>>,
}

/// Who is told that a disk begins a sync, and says whether it is to fail.
type Ear = Arc<dyn Fn(NodeId) -> bool + Send + Sync>;

/// One node's disk.
pub(super) struct Machine {
    pub(super) files: Files,
    choices: Choices,
    sync_times: SyncTimes,
    loss: Loss,
    /// Least times that syncs take, one of each fault that slows the disk down; the newest counts.
    slow_us: Vec<u64>,
    syncs_to_fail: u32,
    /// Power failures so far: a file that was opened before one is no file after it.
    pub(super) crashes: u64,
    lost: CrashReport,
}

impl Simulator for DiskSim {
    fn new(rand: &GlobalRng, time: &TimeHandle, _: &Config) -> Self {
        Self {
            seed: rand.clone().next_u64(),
            time: time.clone(),
            machines: Mutex::default(),
            ear: Mutex::default(),
        }
    }

    fn create_node(&self, node: NodeId) {
        let mut machines = self.machines();
        let number = machines.len() as u64;
        let machine = Machine {
            files: Files::default(),
            choices: Choices::labelled(self.seed, "files", number),
            sync_times: SyncTimes::default(),
            loss: Loss::All,
            slow_us: Vec::new(),
            syncs_to_fail: 0,
            crashes: 0,
            lost: CrashReport::default(),
        };
        machines.insert(node, machine);
    }

    /// Called by `Handle::kill`, which holds the runtime's locks: nothing here may ask the runtime
    /// for anything.
    fn reset_node(&self, node: NodeId) {
        self.with(node, |machine| {
            machine.lost = machine.files.crash(machine.loss, &mut machine.choices);
            machine.crashes += 1;
        });
    }
}

impl DiskSim {
    /// That of the runtime this is called in.
    ///
    /// # Panics
    /// Outside of a runtime, and in one that it was not added to.
    pub fn current() -> Arc<Self> {
        simulator()
    }

    fn machines(&self) -> MutexGuard<'_, BTreeMap<NodeId, Machine>> {
        // A task that panicked while it held the lock has left a disk as whole as any.
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Panics
    /// When the node was made before this was added to the runtime.
    pub(super) fn with<T>(&self, node: NodeId, act: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machines = self.machines();
        let machine = machines.get_mut(&node);
        act(machine.expect("DiskSim is added to a runtime before its nodes are made"))
    }

    /// What power failures of the node do to writes that are not synced; all are lost, unless told
    /// otherwise.
    pub fn set_loss(&self, node: NodeId, loss: Loss) {
        self.with(node, |machine| machine.loss = loss);
    }

    /// What the node's last power failure did; nothing before the first.
    pub fn last_crash(&self, node: NodeId) -> CrashReport {
        self.with(node, |machine| machine.lost)
    }

    /// How long syncs of the node take from now on.
    ///
    /// # Panics
    /// When the least time is more than the most.
    pub fn set_sync_times(&self, node: NodeId, times: SyncTimes) {
        assert!(times.min_us <= times.max_us, "an empty range: {times:?}");
        self.with(node, |machine| machine.sync_times = times);
    }

    /// Syncs of the node that begin from now on take so long at least, until [`DiskSim::speed_up`].
    /// Of several such times the newest counts.
    pub fn slow_down(&self, node: NodeId, least_us: u64) {
        self.with(node, |machine| machine.slow_us.push(least_us));
    }

    /// Ends one [`DiskSim::slow_down`] of this time.
    pub fn speed_up(&self, node: NodeId, least_us: u64) {
        self.with(node, |machine| {
            let of_it = machine.slow_us.iter().position(|us| *us == least_us);
            of_it.map(|place| machine.slow_us.remove(place));
        });
    }

    /// The next syncs of the node fail, so many of them.
    pub fn fail_syncs(&self, node: NodeId, count: u32) {
        self.with(node, |machine| machine.syncs_to_fail += count);
    }

    /// No sync of the node is to fail any more, but by calls that come.
    pub fn fail_none(&self, node: NodeId) {
        self.with(node, |machine| machine.syncs_to_fail = 0);
    }

    /// Tells `ear` of each sync that begins, and of whose disk; true makes that sync fail.
    pub fn listen(&self, ear: impl Fn(NodeId) -> bool + Send + Sync + 'static) {
        *self.ear.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ear));
    }

    /// The node's disk is full, until as many calls of [`DiskSim::free_up`] have come.
    pub fn fill_up(&self, node: NodeId) {
        self.with(node, |machine| machine.files.fill_up());
    }

    /// Ends one [`DiskSim::fill_up`].
    pub fn free_up(&self, node: NodeId) {
        self.with(node, |machine| machine.files.free_up());
    }

    /// A bit of what is durable of the file flips. Whether there was one to flip.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn rot(&self, node: NodeId, path: &str) -> io::Result<bool> {
        self.with(node, |machine| {
            machine.files.rot(path, &mut machine.choices)
        })
    }

    /// A file's bytes, as the node would read them now.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn seen(&self, node: NodeId, path: &str) -> io::Result<Vec<u8>> {
        self.with(node, |machine| {
            let inode = machine.files.open(path)?;
            Ok(machine.files.seen(inode).to_vec())
        })
    }

    /// Makes durable what has been written to `target` so far. It takes its time, and what a node
    /// that dies meanwhile has written is not durable.
    pub(super) async fn sync(&self, node: NodeId, target: Target) -> io::Result<()> {
        let ear = self
            .ear
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let is_asked_to = ear.is_some_and(|ear| ear(node));
        let (reach, crashes, takes_us, fails) = self.with(node, |machine| {
            let SyncTimes { min_us, max_us } = machine.sync_times;
            let ordinary_us = machine.choices.between(min_us, max_us);
            let takes_us = ordinary_us.max(machine.slow_us.last().copied().unwrap_or(0));
            let fails = is_asked_to || machine.syncs_to_fail > 0;
            if !is_asked_to {
                machine.syncs_to_fail = machine.syncs_to_fail.saturating_sub(1);
            }
            (machine.files.begin_sync(), machine.crashes, takes_us, fails)
        });
        self.pass(takes_us).await;
        self.with(node, |machine| match fails {
            _ if machine.crashes != crashes => Err(stale()),
            true => {
                machine.files.fail_sync(&target, reach);
                Err(io::Error::other("the disk could not write"))
            }
            false => {
                machine.files.complete_sync(&target, reach);
                Ok(())
            }
        })
    }

    /// Waits exactly so long: the runtime's own sleeps last for a millisecond at least.
    async fn pass(&self, for_us: u64) {
        let end = self.time.now_instant() + Duration::from_micros(for_us);
        let mut sleep = pin!(self.time.sleep_until(end));
        sleep.as_mut().reset(end);
        sleep.await;
    }
}

/// The error of a file that was opened before its node lost power.
pub(super) fn stale() -> io::Error {
    io::Error::other("the file was opened before its node lost power")
}

//! A clock for every node of a madsim runtime, which may run fast or slow. The runtime's own is one
//! for all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use ::madsim::Config;
use ::madsim::plugin::{Simulator, simulator};
use ::madsim::rand::GlobalRng;
use ::madsim::task::NodeId;
use ::madsim::time::TimeHandle;

use squall_world::clock::Clock;

/// The clocks of all nodes. Add it with `runtime.add_simulator::<ClockSim>()`. A node that nobody
/// has told otherwise has a clock that is right.
pub struct ClockSim {
    pub(super) time: TimeHandle,
    clocks: Mutex<BTreeMap<NodeId, NodeClock>>,
}

struct NodeClock {
    clock: Clock,
    /// Who waits for a time of it, by a number of each.
    waiting: BTreeMap<u64, Waker>,
    numbers: u64,
}

impl Simulator for ClockSim {
    fn new(_: &GlobalRng, time: &TimeHandle, _: &Config) -> Self {
        Self {
            time: time.clone(),
            clocks: Mutex::default(),
        }
    }
}

impl ClockSim {
    /// That of the runtime this is called in.
    ///
    /// # Panics
    /// Outside of a runtime, and in one that it was not added to.
    pub fn current() -> Arc<Self> {
        simulator()
    }

    fn now_us(&self) -> u64 {
        self.time.elapsed().as_micros() as u64
    }

    fn clocks(&self) -> MutexGuard<'_, BTreeMap<NodeId, NodeClock>> {
        // A task that panicked while it held the lock has left clocks as whole as any.
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, node: NodeId, act: impl FnOnce(&mut NodeClock, u64) -> T) -> T {
        let now_us = self.now_us();
        let mut clocks = self.clocks();
        let clock = clocks.entry(node).or_insert_with(|| NodeClock {
            clock: Clock::new(0, 0),
            waiting: BTreeMap::new(),
            numbers: 0,
        });
        act(clock, now_us)
    }

    /// From now on the node's clock gains `drift_ppm` microseconds a second; loses, if negative.
    ///
    /// # Panics
    /// When that is -1,000,000 or less: a clock does not stand still or run backwards.
    pub fn set_drift(&self, node: NodeId, drift_ppm: i32) {
        let waiting = self.with(node, |clock, now_us| {
            clock.clock.set_drift(now_us, drift_ppm);
            std::mem::take(&mut clock.waiting)
        });
        // What they wait for is sooner or later now.
        waiting.into_values().for_each(Waker::wake);
    }

    /// What the node's clock shows, in microseconds since the runtime began.
    pub fn shows_us(&self, node: NodeId) -> u64 {
        self.with(node, |clock, now_us| clock.clock.local_us(now_us))
    }

    /// A number for somebody who is going to wait.
    pub(super) fn number(&self, node: NodeId) -> u64 {
        self.with(node, |clock, _| {
            clock.numbers += 1;
            clock.numbers
        })
    }

    /// When, by the runtime's clock, the node's shows `local_us`; none when it does already.
    /// Whoever waits is woken when that changes.
    pub(super) fn wait(
        &self,
        node: NodeId,
        local_us: u64,
        number: u64,
        waker: &Waker,
    ) -> Option<u64> {
        self.with(node, |clock, now_us| {
            if clock.clock.local_us(now_us) >= local_us {
                return None;
            }
            clock.waiting.insert(number, waker.clone());
            Some(clock.clock.time_us(local_us, now_us).max(now_us + 1))
        })
    }

    /// Nobody waits by this number any more.
    pub(super) fn forget(&self, node: NodeId, number: u64) {
        self.with(node, |clock, _| drop(clock.waiting.remove(&number)));
    }
}

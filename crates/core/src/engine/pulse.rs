//! The pulse of a run: how far it is, for whoever looks on from another thread, and how it is told
//! from there to end. Nothing in a run depends on it: a run that is cut short has no outcome worth
//! the name.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::ids::NodeId;

/// How far a run is. Each run has one of its own.
#[derive(Debug, Default)]
pub struct Pulse {
    /// The step, shifted by [`SHIFT`], and in whose code the run is.
    beat: AtomicU64,
    stop: AtomicBool,
    cut: AtomicBool,
}

/// Bits of a beat below the step: a node, and whether it boots.
const SHIFT: u32 = 9;
const BOOTS: u64 = 1 << 8;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In no replica's step: the engine has not begun, the body of a test goes on, or an async
    /// server runs.
    Outside,
    /// A node boots.
    Boot(NodeId),
    /// A node's replica is being stepped, or what it wanted is carried out and checked.
    Step(NodeId),
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whereabouts::Outside => f.write_str(
                "in no node's step (before the first, in a test's body, or in a server's task)",
            ),
            Whereabouts::Boot(node) => write!(f, "as {node} boots"),
            Whereabouts::Step(node) => write!(f, "at {node}"),
        }
    }
}

impl Pulse {
    /// Ends the run before its next event.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it has been told to end.
    pub fn is_told_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether the run ended for it, before its time.
    pub fn was_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// A number that changes as the run goes on.
    pub fn beat(&self) -> u64 {
        self.beat.load(Ordering::Relaxed)
    }

    /// The step that the run is in, and where it is. What was a step of the engine stays one until
    /// the next.
    pub fn at(&self) -> (u64, Whereabouts) {
        let beat = self.beat();
        let node = NodeId((beat & 0xff) as u8);
        let place = match (node.0, beat & BOOTS) {
            (0, _) => Whereabouts::Outside,
            (_, 0) => Whereabouts::Step(node),
            _ => Whereabouts::Boot(node),
        };
        (beat >> SHIFT, place)
    }

    #[inline]
    pub(super) fn steps(&self, step: u64, node: NodeId) {
        let beat = step << SHIFT | u64::from(node.0);
        self.beat.store(beat, Ordering::Relaxed);
    }

    pub(super) fn boots(&self, step: u64, node: NodeId) {
        let beat = step << SHIFT | BOOTS | u64::from(node.0);
        self.beat.store(beat, Ordering::Relaxed);
    }

    /// The run is so far, and no replica is being stepped.
    pub fn goes_on(&self, step: u64) {
        self.beat.store(step << SHIFT, Ordering::Relaxed);
    }

    /// Whether the run is to end now; if so, it is cut short.
    #[inline]
    pub fn ends_here(&self) -> bool {
        self.stop.load(Ordering::Relaxed) && {
            self.cut.store(true, Ordering::Relaxed);
            true
        }
    }
}

//! Election time-outs that a seed decides.
//!
//! raft 0.7.0 draws its randomized election time-out from `rand::thread_rng()`.
//! The value is used in `tick` only, so overwriting it before every tick takes
//! that randomness out. Ours changes when a new wait begins, which is when role
//! or term change or an election was tried; it depends on the seed, the node,
//! its incarnation and a count of such waits, and so is never equal on two nodes for
//! long.

use raft::raw_node::RawNode;
use raft::{StateRole, Storage};

use squall_core::replica::BootContext;
use squall_world::hash::{finish, mix};

#[derive(Debug)]
/// The election time-outs of one node.
pub struct Timeouts {
    key: u64,
    least: u64,
    spread: u64,
    waits: u64,
    seen: (StateRole, u64),
    current: usize,
}

impl Timeouts {
    /// Those of the node that is born.
    pub fn new(boot: &BootContext<'_>) -> Self {
        let node = u64::from(boot.id.0) << 32 | u64::from(boot.incarnation);
        let least = u64::from(boot.raft.election_ticks);
        let mut timeouts = Self {
            key: mix(boot.seed, node),
            least,
            spread: least,
            waits: 0,
            seen: (StateRole::Follower, 0),
            current: 0,
        };
        timeouts.draw();
        timeouts
    }

    fn draw(&mut self) {
        self.waits += 1;
        let drawn = finish(mix(self.key, self.waits));
        self.current = (self.least + drawn % self.spread) as usize;
    }

    /// Ticks `raw` with a time-out of ours.
    ///
    /// # Panics
    /// When the library has drawn one that is too short or too long.
    pub fn tick<S: Storage>(&mut self, raw: &mut RawNode<S>) {
        self.elapses(raw);
    }

    /// The same, and whether the time-out has elapsed.
    #[inline(always)]
    pub(crate) fn elapses<S: Storage>(&mut self, raw: &mut RawNode<S>) -> bool {
        let now = (raw.raft.state, raw.raft.term);
        if now != self.seen {
            self.seen = now;
            self.draw();
        }
        let drawn = raw.raft.randomized_election_timeout() as u64;
        assert!(
            (self.least..self.least + self.spread).contains(&drawn),
            "an election time-out is one to two times the shortest"
        );
        raw.raft.set_randomized_election_timeout(self.current);
        let elapsed = raw.tick() && now.0 != StateRole::Leader;
        if elapsed {
            self.draw();
        }
        elapsed
    }
}

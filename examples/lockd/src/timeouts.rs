//! How long a server waits for an election.
//!
//! raft 0.7.0 draws that from a generator of the thread, which no seed reaches, so that no run of a
//! simulation would go the same way twice. It is used in ticks only, and overwritten here before
//! each.

use raft::{RawNode, StateRole, Storage};

/// The waits of one server.
#[derive(Debug)]
pub struct Timeouts {
    drawn: u64,
    least: usize,
    role: (StateRole, u64),
    current: usize,
}

impl Timeouts {
    /// Waits of once to twice so many ticks, drawn from `seed`.
    pub fn new(seed: u64, least: usize) -> Self {
        let mut timeouts = Self {
            drawn: seed,
            least,
            role: (StateRole::Follower, 0),
            current: least,
        };
        timeouts.draw();
        timeouts
    }

    fn draw(&mut self) {
        // splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
        // 2014.
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.drawn;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        self.current = self.least + (word % self.least as u64) as usize;
    }

    /// Ticks with a wait of ours. Another one begins with each role, term and election.
    pub fn tick<S: Storage>(&mut self, raw: &mut RawNode<S>) {
        let role = (raw.raft.state, raw.raft.term);
        if role != self.role {
            self.role = role;
            self.draw();
        }
        raw.raft.set_randomized_election_timeout(self.current);
        if raw.tick() && role.0 != StateRole::Leader {
            self.draw();
        }
    }
}

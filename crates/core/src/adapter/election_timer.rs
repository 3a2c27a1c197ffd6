//! A timer counted in ticks, for libraries that ask for one and keep none.

use crate::ids::Role;
use crate::replica::BootContext;
use squall_world::hash::{finish, mix};

/// The timer of one node: one wait for a leader's next heartbeat, a longer, random one for any
/// other node's next election.
///
/// An election's wait is drawn evenly from one to two times the plan's `election_ticks` (Raft
/// paper, section 5.2); it depends on the seed, the node, its incarnation and a count of waits, so
/// that no two nodes keep waiting equally long. A library that draws time-outs from its own
/// randomness has to be given these instead, or its runs do not repeat.
#[derive(Clone, Debug)]
pub struct ElectionTimer {
    key: u64,
    election_ticks: u64,
    heartbeat_ticks: u64,
    waits: u64,
    /// Ticks left; none when the timer is not set.
    left: Option<u64>,
}

impl ElectionTimer {
    /// A timer that is not set.
    pub fn new(boot: &BootContext<'_>) -> Self {
        let node = u64::from(boot.id.0) << 32 | u64::from(boot.incarnation);
        Self {
            key: mix(boot.seed, node),
            election_ticks: boot.raft.election_ticks.into(),
            heartbeat_ticks: boot.raft.heartbeat_ticks.into(),
            waits: 0,
            left: None,
        }
    }

    /// Sets it anew for a node in this role, whatever was left.
    #[inline]
    pub fn set(&mut self, role: Role) {
        self.left = Some(match role {
            Role::Leader => self.heartbeat_ticks,
            _ => self.draw_election_ticks(),
        });
    }

    /// How many ticks the next election waits: for a library that counts them itself.
    #[inline]
    pub fn draw_election_ticks(&mut self) -> u64 {
        self.waits += 1;
        self.election_ticks + finish(mix(self.key, self.waits)) % self.election_ticks
    }

    /// A tick has passed. Returns whether the wait is over; it is over once.
    #[inline]
    pub fn tick(&mut self) -> bool {
        let Some(left) = &mut self.left else {
            return false;
        };
        *left = left.saturating_sub(1);
        let over = *left == 0;
        if over {
            self.left = None;
        }
        over
    }
}

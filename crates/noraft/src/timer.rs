//! The timer that noraft asks for (`Action::SetElectionTimeout`), counted in ticks and
//! drawn from a seed: one wait for a leader's next heartbeat, a longer and random one
//! for anyone else's next election.

use noraft::Role;

use squall_core::replica::BootContext;
use squall_world::hash::{finish, mix};

#[derive(Debug)]
pub(super) struct Timer {
    key: u64,
    election_ticks: u64,
    heartbeat_ticks: u64,
    waits: u64,
    /// Ticks left; none when the timer is not set.
    left: Option<u64>,
}

impl Timer {
    pub(super) fn new(boot: &BootContext<'_>) -> Self {
        let node = u64::from(boot.id.0) << 32 | u64::from(boot.life);
        Self {
            key: mix(boot.seed, node),
            election_ticks: boot.raft.election_ticks.into(),
            heartbeat_ticks: boot.raft.heartbeat_ticks.into(),
            waits: 0,
            left: None,
        }
    }

    /// Sets it anew for a node in this role.
    #[inline]
    pub(super) fn set(&mut self, role: Role) {
        self.left = Some(match role {
            Role::Leader => self.heartbeat_ticks,
            Role::Candidate | Role::Follower => {
                self.waits += 1;
                self.election_ticks + finish(mix(self.key, self.waits)) % self.election_ticks
            }
        });
    }

    /// A tick has passed. Returns whether the wait is over; it is over once.
    #[inline]
    pub(super) fn tick(&mut self) -> bool {
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

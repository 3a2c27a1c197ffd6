//! The lock service: leases by replicated time, fencing tokens, and a line of
//! waiters for each lock (Burrows, "The Chubby lock service", OSDI 2006, section
//! 2.4 on sequencers). Time is the latest that any lock command has carried, so
//! every replica expires a lease at the same place of the log. Leases without an end are the
//! leader's to end, by its own clock, in the log: it revokes what it has not seen renewed.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Answer, Flaw, Operation};

/// How many locks there are; others are taken modulo this.
pub const LOCKS: u8 = 4;

/// All locks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Locks {
    time_us: u64,
    locks: [Lock; LOCKS as usize],
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Lock {
    holder: Option<Grant>,
    /// The token granted last.
    token: u64,
    /// Who waits, first come first, and for how long a lease.
    line: VecDeque<(u32, u64)>,
    /// The newest token that a guarded write has carried.
    seen: u64,
}

/// A lock in someone's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Whose.
    pub client: u32,
    /// The fencing token.
    pub token: u64,
    /// Since when, in replicated time.
    pub since_us: u64,
    /// Until when, in replicated time.
    pub until_us: u64,
    /// How often it has been renewed, where it has no end; 0 otherwise.
    pub renewals: u32,
}

impl Grant {
    fn answer(self) -> Answer {
        Answer::Granted {
            token: self.token,
            since_us: self.since_us,
            until_us: self.until_us,
        }
    }
}

impl Lock {
    fn grant(&mut self, client: u32, now_us: u64, lease_us: u64) -> Grant {
        self.token += 1;
        let grant = Grant {
            client,
            token: self.token,
            since_us: now_us,
            until_us: now_us.saturating_add(lease_us),
            renewals: 0,
        };
        self.holder = Some(grant);
        grant
    }

    /// Hands the lock on to whoever is first in line.
    fn pass_on(&mut self, now_us: u64) {
        self.holder = None;
        if let Some((client, lease_us)) = self.line.pop_front() {
            self.grant(client, now_us, lease_us);
        }
    }

    fn expire(&mut self, now_us: u64) {
        while let Some(grant) = self.holder {
            if grant.until_us > now_us {
                break;
            }
            self.pass_on(grant.until_us);
        }
    }

    fn apply(
        &mut self,
        client: u32,
        now_us: u64,
        operation: Operation,
        flaw: Option<Flaw>,
    ) -> Answer {
        self.expire(now_us);
        let mine = self.holder.filter(|grant| grant.client == client);
        match operation {
            Operation::Acquire { lease_us, .. } | Operation::TryAcquire { lease_us, .. } => {
                let free = self.holder.is_none() || flaw == Some(Flaw::GrantHeldLocks);
                match mine {
                    Some(grant) => grant.answer(),
                    None if free => self.grant(client, now_us, lease_us).answer(),
                    None if matches!(operation, Operation::TryAcquire { .. }) => Answer::Held,
                    None => {
                        if !self.line.iter().any(|(waiting, _)| *waiting == client) {
                            self.line.push_back((client, lease_us));
                        }
                        Answer::Waiting
                    }
                }
            }
            Operation::Renew {
                token, lease_us, ..
            } => match mine.filter(|grant| grant.token == token) {
                Some(mut grant) => {
                    grant.until_us = grant.until_us.max(now_us.saturating_add(lease_us));
                    // Of a lease that ends by itself nobody asks.
                    if grant.until_us == u64::MAX {
                        grant.renewals = grant.renewals.wrapping_add(1);
                    }
                    self.holder = Some(grant);
                    grant.answer()
                }
                None => Answer::NotHeld,
            },
            Operation::Release { token, .. } => match mine.filter(|grant| grant.token == token) {
                Some(_) => {
                    self.pass_on(now_us);
                    Answer::Released { at_us: now_us }
                }
                None => Answer::NotHeld,
            },
            Operation::Guarded { token, .. } => {
                if token < self.seen && flaw != Some(Flaw::TakeStaleTokens) {
                    return Answer::Stale;
                }
                self.seen = self.seen.max(token);
                Answer::Written
            }
            Operation::Revoke {
                token,
                renewals,
                blind,
                ..
            } => {
                let is_meant =
                    |grant: &Grant| grant.token == token && (blind || grant.renewals == renewals);
                match self.holder.filter(is_meant) {
                    Some(grant) => {
                        self.pass_on(now_us);
                        Answer::Revoked {
                            renewals: grant.renewals,
                        }
                    }
                    None => Answer::NotHeld,
                }
            }
            _ => Answer::NotHeld,
        }
    }
}

/// Who holds each lock: the token of the grant, and how often it has been renewed.
pub type Holders = [Option<(u64, u32)>; LOCKS as usize];

impl Locks {
    /// Who holds each lock.
    pub(crate) fn holders(&self) -> Holders {
        let held = |grant: Grant| (grant.token, grant.renewals);
        std::array::from_fn(|lock| self.locks[lock].holder.map(held))
    }

    /// Who holds each lock, and until when.
    pub(super) fn grants(&self) -> [Option<Grant>; LOCKS as usize] {
        std::array::from_fn(|lock| self.locks[lock].holder)
    }

    pub(super) fn apply(
        &mut self,
        client: u32,
        time_us: u64,
        operation: Operation,
        flaw: Option<Flaw>,
    ) -> Answer {
        self.time_us = self.time_us.max(time_us);
        let lock = operation.lock().unwrap_or_default() % LOCKS;
        self.locks[usize::from(lock)].apply(client, self.time_us, operation, flaw)
    }

    pub(super) fn forget_tokens(&mut self) {
        for lock in &mut self.locks {
            lock.token = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRY: Operation = Operation::TryAcquire {
        lock: 1,
        lease_us: 100,
    };
    const ACQUIRE: Operation = Operation::Acquire {
        lock: 1,
        lease_us: 100,
    };

    fn granted(answer: Answer) -> (u64, u64, u64) {
        match answer {
            Answer::Granted {
                token,
                since_us,
                until_us,
            } => (token, since_us, until_us),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_lease_ends_by_replicated_time_and_the_next_in_line_gets_a_larger_token() {
        let mut locks = Locks::default();
        let mut at = |client, time_us, operation| locks.apply(client, time_us, operation, None);
        assert_eq!(granted(at(1, 10, TRY)), (1, 10, 110));
        assert_eq!(at(2, 20, TRY), Answer::Held);
        assert_eq!(at(2, 30, ACQUIRE), Answer::Waiting);
        assert_eq!(at(2, 5, ACQUIRE), Answer::Waiting, "time does not go back");
        assert_eq!(granted(at(2, 150, ACQUIRE)), (2, 110, 210));
        let renew = |token| Operation::Renew {
            lock: 1,
            token,
            lease_us: 100,
        };
        assert_eq!(at(1, 150, renew(1)), Answer::NotHeld);
        assert_eq!(granted(at(2, 200, renew(2))), (2, 110, 300));
        let release = Operation::Release { lock: 1, token: 2 };
        assert_eq!(at(2, 250, release), Answer::Released { at_us: 250 });
        assert_eq!(granted(at(1, 250, TRY)), (3, 250, 350));
    }

    #[test]
    fn a_lease_without_an_end_is_revoked_by_who_has_seen_its_last_renewal() {
        let mut locks = Locks::default();
        let mut at = |client, operation| locks.apply(client, 10, operation, None);
        let lease_us = u64::MAX;
        let token = granted(at(1, Operation::Acquire { lock: 1, lease_us })).0;
        assert_eq!(
            at(2, Operation::Acquire { lock: 1, lease_us }),
            Answer::Waiting
        );
        granted(at(
            1,
            Operation::Renew {
                lock: 1,
                token,
                lease_us,
            },
        ));
        let revoke = |renewals, blind| Operation::Revoke {
            lock: 1,
            token,
            renewals,
            blind,
        };
        assert_eq!(
            at(9, revoke(0, false)),
            Answer::NotHeld,
            "it has been renewed"
        );
        assert_eq!(at(9, revoke(1, false)), Answer::Revoked { renewals: 1 });
        assert_eq!(
            at(1, Operation::Release { lock: 1, token }),
            Answer::NotHeld
        );
        assert_eq!(at(9, revoke(1, true)), Answer::NotHeld, "another holds it");
    }

    #[test]
    fn what_a_lock_protects_refuses_stale_tokens() {
        let mut locks = Locks::default();
        let mut write = |token| {
            let operation = Operation::Guarded { lock: 0, token };
            locks.apply(1, 0, operation, None)
        };
        assert_eq!(write(2), Answer::Written);
        assert_eq!(write(1), Answer::Stale);
        assert_eq!(write(2), Answer::Written);
    }
}

//! Lock safety: by the lock's own clock one client holds a lock at a time; fencing
//! tokens grow with each grant; and what a lock protects refuses a token older
//! than one that it has taken (Kleppmann, "How to do distributed locking", 2016;
//! Burrows, OSDI 2006, section 2.4). Judged by what clients were told alone. And who takes a lock
//! because its lease has run out has seen the last renewal (etcd-io/etcd#15247): judged by the log.

use std::collections::BTreeMap;

use super::{Checks, SEARCH, Verdict, Violation, breach};
use crate::history::History;
use crate::ids::{Index, NodeId};
use crate::service::{Answer, Command, Holders, LOCKS, Operation};

impl Checks {
    /// The same where leaders keep the leases of locks by their own clocks.
    #[must_use]
    pub(crate) fn with_leases_by_leader(mut self) -> Self {
        if let Some(told) = &mut self.told {
            let history = History::new(self.ledger.first(), SEARCH);
            told.history = history
                .with_lag(told.lease_lag_us.unwrap_or(0))
                .with_holders();
        }
        self
    }

    /// Who holds the locks after the committed entry at `index`, where leaders keep leases.
    pub(crate) fn holders_at(&self, index: Index) -> Option<Holders> {
        self.told.as_ref()?.history.holders_at(index)
    }
}

/// What clients were told of every lock.
#[derive(Debug, Default)]
pub(super) struct LockSafety {
    locks: [Told; LOCKS as usize],
}

#[derive(Debug, Default)]
struct Told {
    /// Grants, tokens rising.
    grants: Vec<Grant>,
    /// Accepted guarded writes: index and token, indices rising.
    writes: Vec<(Index, u64)>,
    /// Grants that a leader has asked to take, by token, and since when.
    revoked: BTreeMap<u64, u64>,
    /// What is to be taken of grants with lower tokens is forgotten.
    forgotten: u64,
}

#[derive(Clone, Copy, Debug)]
struct Grant {
    token: u64,
    client: u32,
    since_us: u64,
    until_us: u64,
}

/// Grants and writes remembered of each lock. Two further apart than so many
/// cannot concern one holder.
const MEMORY: usize = 256;

impl LockSafety {
    /// A client asks for `command`. From when it gives a lock back, it may hold it no
    /// more, whether or not it ever learns so.
    pub(super) fn invoked(&mut self, command: &Command) {
        match command.operation {
            Operation::Release { lock, token } => {
                self.locks[usize::from(lock % LOCKS)].released(token, command.time_us);
            }
            Operation::Revoke { lock, token, .. } => {
                self.locks[usize::from(lock % LOCKS)].revoked(token, command.time_us);
            }
            _ => {}
        }
    }

    /// A client was answered. `index` is where its command took effect.
    pub(super) fn answered(
        &mut self,
        id: NodeId,
        index: Index,
        command: &Command,
        answer: Answer,
    ) -> Verdict {
        let Some(lock) = command.operation.lock() else {
            return Ok(());
        };
        let told = &mut self.locks[usize::from(lock % LOCKS)];
        let breach = match (command.operation, answer) {
            (
                _,
                Answer::Granted {
                    token,
                    since_us,
                    until_us,
                },
            ) => {
                let client = command.client;
                let grant = Grant {
                    token,
                    client,
                    since_us,
                    until_us,
                };
                told.granted(lock, grant)
            }
            (Operation::Guarded { token, .. }, Answer::Written) => told.written(lock, index, token),
            _ => None,
        };
        match breach {
            Some(breach) => Err(Violation::by(id, breach)),
            None => Ok(()),
        }
    }
}

/// The entry at `index` is committed, as `id` is the first to know, and takes a lock whose lease
/// had been renewed so often.
pub(super) fn revoked(id: NodeId, index: Index, command: &[u8], renewals: u32) -> Verdict {
    match Command::decode(command).map(|command| command.operation) {
        Some(Operation::Revoke {
            lock,
            token,
            renewals: seen,
            ..
        }) if seen != renewals => {
            let breach = breach::LockSafety::RevokedAfterRenewal {
                lock,
                token,
                index,
                seen,
                renewals,
            };
            Err(Violation::by(id, breach))
        }
        _ => Ok(()),
    }
}

impl Told {
    fn granted(&mut self, lock: u8, mut new: Grant) -> Option<breach::LockSafety> {
        match self.revoked.get(&new.token) {
            Some(at_us) => new.until_us = new.until_us.min(*at_us),
            // Nobody knows any more whether it was to be taken.
            None if new.token < self.forgotten => new.until_us = new.since_us,
            None => {}
        }
        let Grant {
            token,
            client,
            since_us,
            until_us,
        } = new;
        let place = match self
            .grants
            .binary_search_by_key(&token, |grant| grant.token)
        {
            Ok(place) => {
                let known = &mut self.grants[place];
                if known.client != client {
                    return Some(breach::LockSafety::TokenTwice {
                        lock,
                        token,
                        client,
                        other: known.client,
                    });
                }
                known.until_us = known.until_us.max(until_us);
                place
            }
            Err(place) => {
                self.grants.insert(place, new);
                place
            }
        };
        let before = place.checked_sub(1).map(|before| self.grants[before]);
        if let Some(before) = before.filter(|before| before.until_us > since_us) {
            return Some(breach::LockSafety::GrantedTooEarly {
                lock,
                client,
                token,
                since_us,
                other: before.client,
                other_token: before.token,
                other_until_us: before.until_us,
            });
        }
        let until_us = self.grants[place].until_us;
        let after = self.grants.get(place + 1).copied();
        if let Some(after) = after.filter(|after| after.since_us < until_us) {
            return Some(breach::LockSafety::HeldTooLong {
                lock,
                client,
                token,
                until_us,
                other: after.client,
                other_token: after.token,
                other_since_us: after.since_us,
            });
        }
        if self.grants.len() > MEMORY {
            self.grants.remove(0);
        }
        None
    }

    fn released(&mut self, token: u64, at_us: u64) {
        if let Ok(place) = self
            .grants
            .binary_search_by_key(&token, |grant| grant.token)
        {
            let grant = &mut self.grants[place];
            grant.until_us = grant.until_us.min(at_us);
        }
    }

    /// From now on the holder may hold it no more.
    fn revoked(&mut self, token: u64, at_us: u64) {
        let since_us = self.revoked.entry(token).or_insert(at_us);
        *since_us = at_us.min(*since_us);
        self.released(token, at_us);
        if self.revoked.len() > MEMORY
            && let Some((token, _)) = self.revoked.pop_first()
        {
            self.forgotten = token + 1;
        }
    }

    fn written(&mut self, lock: u8, index: Index, token: u64) -> Option<breach::LockSafety> {
        let place = self.writes.partition_point(|(other, _)| *other < index);
        let before = self.writes[..place].iter().map(|(_, token)| *token).max();
        let after = self.writes[place..]
            .iter()
            .filter(|(other, _)| *other > index)
            .map(|(_, token)| *token)
            .min();
        if let Some(newer) = before.filter(|newer| *newer > token) {
            return Some(breach::LockSafety::StaleToken { lock, token, newer });
        }
        if let Some(older) = after.filter(|older| *older < token) {
            return Some(breach::LockSafety::StaleToken {
                lock,
                token: older,
                newer: token,
            });
        }
        self.writes.insert(place, (index, token));
        if self.writes.len() > MEMORY {
            self.writes.remove(0);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(token: u64, client: u32, since_us: u64, until_us: u64) -> Grant {
        Grant {
            token,
            client,
            since_us,
            until_us,
        }
    }

    #[test]
    fn one_client_holds_a_lock_at_a_time() {
        let mut told = Told::default();
        assert_eq!(told.granted(0, grant(2, 1, 100, 200)), None);
        assert_eq!(told.granted(0, grant(2, 1, 100, 250)), None, "renewed");
        assert_eq!(told.granted(0, grant(1, 2, 0, 100)), None, "told late");
        assert_eq!(told.granted(0, grant(3, 2, 250, 350)), None);
        told.released(3, 300);
        assert_eq!(told.granted(0, grant(4, 3, 300, 400)), None);
        assert!(
            told.granted(0, grant(4, 2, 300, 400)).is_some(),
            "one token, two clients"
        );
        assert!(
            told.granted(0, grant(5, 2, 399, 500)).is_some(),
            "too early"
        );
        assert!(told.granted(0, grant(1, 2, 0, 101)).is_some(), "too long");
    }

    #[test]
    fn who_is_to_lose_a_lock_holds_it_no_more_whatever_it_is_told_late() {
        let mut told = Told::default();
        assert_eq!(told.granted(0, grant(1, 1, 100, u64::MAX)), None);
        told.revoked(1, 300);
        told.revoked(2, 500);
        assert_eq!(told.granted(0, grant(1, 1, 100, u64::MAX)), None, "renewed");
        assert_eq!(told.granted(0, grant(3, 2, 500, u64::MAX)), None);
        assert_eq!(
            told.granted(0, grant(2, 3, 300, u64::MAX)),
            None,
            "told late"
        );
        let early = told.granted(0, grant(4, 3, 600, u64::MAX));
        assert!(early.is_some(), "nobody revoked the third grant");
    }

    #[test]
    fn a_lock_is_taken_by_who_has_seen_its_last_renewal() {
        let command = Command {
            client: 9,
            sequence: 1,
            time_us: 0,
            operation: Operation::Revoke {
                lock: 1,
                token: 5,
                renewals: 2,
                blind: true,
            },
        };
        let by = |renewals| revoked(NodeId(1), 7, &command.encode(0), renewals);
        assert_eq!(by(2), Ok(()));
        let breach = breach::LockSafety::RevokedAfterRenewal {
            lock: 1,
            token: 5,
            index: 7,
            seen: 2,
            renewals: 3,
        };
        assert_eq!(by(3), Err(Violation::by(NodeId(1), breach)));
    }

    #[test]
    fn a_stale_token_is_refused() {
        let mut told = Told::default();
        assert_eq!(told.written(0, 10, 2), None);
        assert_eq!(told.written(0, 20, 3), None);
        assert_eq!(told.written(0, 15, 2), None, "told late");
        assert!(told.written(0, 25, 2).is_some());
        assert!(told.written(0, 12, 3).is_some());
    }
}

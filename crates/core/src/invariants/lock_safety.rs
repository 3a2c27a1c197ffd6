//! Lock safety: by the lock's own clock one client holds a lock at a time; fencing
//! tokens grow with each grant; and what a lock protects refuses a token older
//! than one that it has taken (Kleppmann, "How to do distributed locking", 2016;
//! Burrows, OSDI 2006, section 2.4). Judged by what clients were told alone.

use super::{Property, Verdict, Violation};
use crate::ids::{Index, NodeId};
use crate::service::{Answer, Command, LOCKS, Operation};

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
        if let Operation::Release { lock, token } = command.operation {
            self.locks[usize::from(lock % LOCKS)].released(token, command.time_us);
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
        let broken = match (command.operation, answer) {
            (
                _,
                Answer::Granted {
                    token,
                    since_us,
                    until_us,
                },
            ) => told.granted(Grant {
                token,
                client: command.client,
                since_us,
                until_us,
            }),
            (Operation::Guarded { token, .. }, Answer::Written) => told.written(index, token),
            _ => None,
        };
        match broken {
            Some(broken) => {
                let message = format!("{id} answered for lock l{lock}: {broken}");
                Err(Violation::by(id, Property::LockSafety, message))
            }
            None => Ok(()),
        }
    }
}

impl Told {
    fn granted(&mut self, new: Grant) -> Option<String> {
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
                    return Some(format!(
                        "token {token} went to client {client} and to client {}",
                        known.client
                    ));
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
            return Some(format!(
                "client {client} holds it with token {token} from {since_us} us on, though client {} holds it with token {} until {} us",
                before.client, before.token, before.until_us
            ));
        }
        let until_us = self.grants[place].until_us;
        let after = self.grants.get(place + 1).copied();
        if let Some(after) = after.filter(|after| after.since_us < until_us) {
            return Some(format!(
                "client {client} holds it with token {token} until {until_us} us, though client {} holds it with token {} from {} us on",
                after.client, after.token, after.since_us
            ));
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

    fn written(&mut self, index: Index, token: u64) -> Option<String> {
        let place = self.writes.partition_point(|(other, _)| *other < index);
        let before = self.writes[..place].iter().map(|(_, token)| *token).max();
        let after = self.writes[place..]
            .iter()
            .filter(|(other, _)| *other > index)
            .map(|(_, token)| *token)
            .min();
        if let Some(newer) = before.filter(|newer| *newer > token) {
            return Some(format!(
                "a write with token {token} was taken after one with token {newer}"
            ));
        }
        if let Some(older) = after.filter(|older| *older < token) {
            return Some(format!(
                "a write with token {older} was taken after one with token {token}"
            ));
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
        assert_eq!(told.granted(grant(2, 1, 100, 200)), None);
        assert_eq!(told.granted(grant(2, 1, 100, 250)), None, "renewed");
        assert_eq!(told.granted(grant(1, 2, 0, 100)), None, "told late");
        assert_eq!(told.granted(grant(3, 2, 250, 350)), None);
        told.released(3, 300);
        assert_eq!(told.granted(grant(4, 3, 300, 400)), None);
        assert!(
            told.granted(grant(4, 2, 300, 400)).is_some(),
            "one token, two clients"
        );
        assert!(told.granted(grant(5, 2, 399, 500)).is_some(), "too early");
        assert!(told.granted(grant(1, 2, 0, 101)).is_some(), "too long");
    }

    #[test]
    fn a_stale_token_is_refused() {
        let mut told = Told::default();
        assert_eq!(told.written(10, 2), None);
        assert_eq!(told.written(20, 3), None);
        assert_eq!(told.written(15, 2), None, "told late");
        assert!(told.written(25, 2).is_some());
        assert!(told.written(12, 3).is_some());
    }
}

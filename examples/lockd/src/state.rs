//! What is replicated: a key-value store, locks, and the sessions of clients. A pure function of
//! the log.
//!
//! **Sessions.** A client opens one, and numbers its commands in it. A command that comes again,
//! because its answer was lost, is answered as before and not applied again (Raft dissertation,
//! section 6.3). A session that is not used for [`SESSION_MS`] is closed, and its client told so.
//!
//! **Locks.** Who gets a lock gets a token with it, higher than any before. A lock is lost when its
//! lease ends, and its holder may not have noticed: so whatever it protects must refuse tokens
//! lower than the highest it has seen, as [`Operation::GuardedPut`] does.
//!
//! **Time.** Leases end by the clock of the log: each command carries the time at the leader that
//! proposed it, and the highest so far is the time. So every server ends a lease at the same
//! command. Between commands no time passes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bug::{Bug, Injected};

/// How long a session is kept that is not used, in milliseconds.
pub const SESSION_MS: u64 = 3_600_000;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// A session.
    Open,
    /// The value of a key.
    Get {
        /// The key.
        key: String,
    },
    /// A value for a key.
    Put {
        /// The key.
        key: String,
        /// Its new value.
        value: String,
    },
    /// A text behind the value of a key; no value counts as the empty one.
    Append {
        /// The key.
        key: String,
        /// What is put behind.
        value: String,
    },
    /// A new value for a key if it has the expected one.
    CompareAndSet {
        /// The key.
        key: String,
        /// The value that it must have; `None` when it must have none.
        expected: Option<String>,
        /// Its new value.
        new: String,
    },
    /// A key taken out.
    Delete {
        /// The key.
        key: String,
    },
    /// A lock, for so long. Who holds it already has its lease renewed.
    Acquire {
        /// The lock.
        lock: String,
        /// How long, in milliseconds.
        lease_ms: u64,
    },
    /// A lock given back.
    Release {
        /// The lock.
        lock: String,
        /// The token that came with it.
        token: u64,
    },
    /// A value for a key that a lock protects.
    GuardedPut {
        /// The lock.
        lock: String,
        /// The token that came with it.
        token: u64,
        /// The key.
        key: String,
        /// Its new value.
        value: String,
    },
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The session of this number.
    Opened(u64),
    /// There is no such session any more; whether the command was applied before is not known.
    NoSession,
    /// The client has sent a later command since.
    Stale,
    /// The value of the key, if it has one.
    Value(Option<String>),
    /// It is done.
    Done,
    /// Whether the value was the expected one, and is the new one now.
    Swapped(bool),
    /// Whether there was a value.
    Deleted(bool),
    /// The lock, with this token.
    Granted(u64),
    /// Somebody else has the lock.
    Held,
    /// Whether the client still had the lock.
    Released(bool),
    /// Whether no higher token of this lock has been given out.
    Guarded(bool),
}

/// A command, as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The session; 0 to open one.
    pub session: u64,
    /// Its number in the session, counted from 1. To open one, a number drawn at random.
    pub sequence: u64,
    /// The time at the leader, in milliseconds.
    pub time_ms: u64,
    /// What is asked for.
    pub operation: Operation,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    sequence: u64,
    answer: Answer,
    used_ms: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lock {
    /// The highest token so far.
    token: u64,
    /// Who has it, and when the lease ends.
    held: Option<(u64, u64)>,
}

/// All that the servers agree on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    time_ms: u64,
    keys: BTreeMap<String, String>,
    locks: BTreeMap<String, Lock>,
    sessions: BTreeMap<u64, Session>,
}

impl Command {
    /// Its bytes, as they go into the log.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a command is plain data")
    }

    /// The command of these bytes, if they are one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

impl State {
    /// The time of the log, in milliseconds.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// All of it.
    pub fn to_bytes(&self, bug: Injected) -> Vec<u8> {
        let mut kept = self.clone();
        if bug.is(Bug::SnapshotWithoutSessions) {
            kept.sessions.clear();
        }
        postcard::to_allocvec(&kept).expect("a state is plain data")
    }

    /// The state of these bytes, if they are one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// A hash of all of it. The same in all processes.
    pub fn hash(&self) -> u64 {
        // FNV-1a: Fowler, Noll, Vo.
        let bytes = self.to_bytes(Injected::default());
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        })
    }

    /// Applies the command of the log's entry at `index`. `wall_ms` is the time where this runs,
    /// which an honest server does not look at.
    pub fn apply(&mut self, index: u64, command: Command, wall_ms: u64, bug: Injected) -> Answer {
        self.time_ms = self.time_ms.max(command.time_ms);
        let now_ms = match bug.is(Bug::WallClockLease) {
            true => wall_ms,
            false => self.time_ms,
        };
        let oldest_ms = self.time_ms.saturating_sub(SESSION_MS);
        self.sessions
            .retain(|_, session| session.used_ms >= oldest_ms);
        let Command {
            session: number,
            sequence,
            operation,
            ..
        } = command;
        let used_ms = self.time_ms;
        if operation == Operation::Open {
            let answer = Answer::Opened(index);
            let session = Session {
                sequence: 0,
                answer: answer.clone(),
                used_ms,
            };
            self.sessions.insert(index, session);
            return answer;
        }
        let Some(session) = self.sessions.get_mut(&number) else {
            return Answer::NoSession;
        };
        session.used_ms = used_ms;
        if sequence <= session.sequence {
            return match sequence == session.sequence {
                true => session.answer.clone(),
                false => Answer::Stale,
            };
        }
        let answer = self.carry_out(number, operation, now_ms);
        if let Some(session) = self.sessions.get_mut(&number) {
            session.sequence = sequence;
            session.answer = answer.clone();
        }
        answer
    }

    fn carry_out(&mut self, session: u64, operation: Operation, now_ms: u64) -> Answer {
        match operation {
            Operation::Open => unreachable!("it belongs to no session"),
            Operation::Get { key } => Answer::Value(self.keys.get(&key).cloned()),
            Operation::Put { key, value } => {
                self.keys.insert(key, value);
                Answer::Done
            }
            Operation::Append { key, value } => {
                self.keys.entry(key).or_default().push_str(&value);
                Answer::Done
            }
            Operation::CompareAndSet { key, expected, new } => {
                let swaps = self.keys.get(&key) == expected.as_ref();
                if swaps {
                    self.keys.insert(key, new);
                }
                Answer::Swapped(swaps)
            }
            Operation::Delete { key } => Answer::Deleted(self.keys.remove(&key).is_some()),
            Operation::Acquire { lock, lease_ms } => {
                let until_ms = now_ms.saturating_add(lease_ms);
                let lock = self.locks.entry(lock).or_insert(Lock {
                    token: 0,
                    held: None,
                });
                match lock.held {
                    Some((holder, until)) if until > now_ms && holder != session => Answer::Held,
                    Some((holder, until)) if until > now_ms && holder == session => {
                        lock.held = Some((session, until_ms));
                        Answer::Granted(lock.token)
                    }
                    _ => {
                        lock.token += 1;
                        lock.held = Some((session, until_ms));
                        Answer::Granted(lock.token)
                    }
                }
            }
            Operation::Release { lock, token } => {
                let held = self.locks.get_mut(&lock).filter(|lock| {
                    let holds = |(holder, until)| holder == session && until > now_ms;
                    lock.token == token && lock.held.is_some_and(holds)
                });
                Answer::Released(held.map(|lock| lock.held = None).is_some())
            }
            Operation::GuardedPut {
                lock,
                token,
                key,
                value,
            } => {
                let newest = self
                    .locks
                    .get(&lock)
                    .is_some_and(|lock| lock.token == token);
                if newest {
                    self.keys.insert(key, value);
                }
                Answer::Guarded(newest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Alone(State, u64);

    impl Alone {
        fn ask(
            &mut self,
            session: u64,
            sequence: u64,
            time_ms: u64,
            operation: Operation,
        ) -> Answer {
            self.1 += 1;
            let command = Command {
                session,
                sequence,
                time_ms,
                operation,
            };
            let command = Command::from_bytes(&command.to_bytes()).unwrap();
            self.0.apply(self.1, command, 0, Injected::default())
        }
    }

    #[test]
    fn a_command_that_comes_again_is_answered_and_not_applied() {
        let mut alone = Alone(State::default(), 0);
        assert_eq!(alone.ask(0, 9, 0, Operation::Open), Answer::Opened(1));
        let append = || Operation::Append {
            key: "k".to_owned(),
            value: "x".to_owned(),
        };
        let get = || Operation::Get {
            key: "k".to_owned(),
        };
        assert_eq!(alone.ask(1, 1, 0, append()), Answer::Done);
        alone.0 = State::from_bytes(&alone.0.to_bytes(Injected::default())).unwrap();
        assert_eq!(alone.ask(1, 1, 0, append()), Answer::Done);
        assert_eq!(
            alone.ask(1, 2, 0, get()),
            Answer::Value(Some("x".to_owned()))
        );
        assert_eq!(alone.ask(1, 1, 0, append()), Answer::Stale);
        assert_eq!(alone.ask(7, 1, 0, append()), Answer::NoSession);
        assert_eq!(alone.ask(1, 3, SESSION_MS + 1, get()), Answer::NoSession);
    }

    #[test]
    fn a_lock_is_held_until_its_lease_ends_and_tokens_rise() {
        let mut alone = Alone(State::default(), 0);
        alone.ask(0, 1, 0, Operation::Open);
        alone.ask(0, 2, 0, Operation::Open);
        let lock = || "l".to_owned();
        let acquire = || Operation::Acquire {
            lock: lock(),
            lease_ms: 100,
        };
        let guarded = |token| Operation::GuardedPut {
            lock: lock(),
            token,
            key: "k".to_owned(),
            value: token.to_string(),
        };
        assert_eq!(alone.ask(1, 1, 10, acquire()), Answer::Granted(1));
        assert_eq!(alone.ask(2, 1, 109, acquire()), Answer::Held);
        assert_eq!(alone.ask(1, 2, 109, guarded(1)), Answer::Guarded(true));
        // Time does not go back.
        assert_eq!(alone.ask(2, 2, 50, acquire()), Answer::Held);
        assert_eq!(alone.ask(2, 3, 110, acquire()), Answer::Granted(2));
        assert_eq!(alone.ask(1, 3, 110, guarded(1)), Answer::Guarded(false));
        let release = |token| Operation::Release {
            lock: lock(),
            token,
        };
        assert_eq!(alone.ask(1, 4, 110, release(1)), Answer::Released(false));
        assert_eq!(alone.ask(2, 4, 110, release(2)), Answer::Released(true));
        assert_eq!(alone.ask(1, 5, 110, acquire()), Answer::Granted(3));
    }
}

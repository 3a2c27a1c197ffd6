//! What clients ask for, and what they are told.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use squall_world::hash::mix;

/// One command as clients write it into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The client that sent it.
    pub client: u32,
    /// That client's own count of its commands; a retry carries the same number.
    pub sequence: u64,
    /// When it was first sent, in microseconds: what replicated time is made of.
    pub time_us: u64,
    /// What it asks for.
    pub operation: Operation,
}

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// The value of a key.
    Get {
        /// The key.
        key: u8,
    },
    /// Sets a key.
    Put {
        /// The key.
        key: u8,
        /// To what.
        value: u64,
    },
    /// Sets a key if it has the value that is expected.
    CompareAndSet {
        /// The key.
        key: u8,
        /// What it must be before; none when the key must not exist.
        expected: Option<u64>,
        /// To what.
        value: u64,
    },
    /// Folds a value into a key, so that order and number of appends show.
    Append {
        /// The key.
        key: u8,
        /// What to fold in.
        value: u64,
    },
    /// Takes a key away.
    Delete {
        /// The key.
        key: u8,
    },
    /// Takes a lock, or waits in line for it.
    Acquire {
        /// The lock.
        lock: u8,
        /// How long it may be held without renewal.
        lease_us: u64,
    },
    /// Takes a lock if it is free.
    TryAcquire {
        /// The lock.
        lock: u8,
        /// How long it may be held without renewal.
        lease_us: u64,
    },
    /// Goes on holding a lock.
    Renew {
        /// The lock.
        lock: u8,
        /// The token it was granted with.
        token: u64,
        /// How long from now.
        lease_us: u64,
    },
    /// Gives a lock back.
    Release {
        /// The lock.
        lock: u8,
        /// The token it was granted with.
        token: u64,
    },
    /// Writes to what the lock protects, which refuses tokens older than one it has seen.
    Guarded {
        /// Which lock.
        lock: u8,
        /// The token it was granted with.
        token: u64,
    },
    /// A command of the machine that is replicated in place of this service: see
    /// [`Machine`](super::Machine).
    OfMachine {
        /// What its bytes are drawn from, below 2^48.
        number: u64,
    },
    /// Takes a lock from its holder, whose lease has run out by the clock of the node that asks.
    Revoke {
        /// The lock.
        lock: u8,
        /// The token it was granted with.
        token: u64,
        /// How often the lease had been renewed, as far as the node has applied the log.
        renewals: u32,
        /// Whether it is taken even if it has been renewed since.
        blind: bool,
    },
}

impl Operation {
    /// The lock that it is about; none when it is about a key.
    #[inline]
    pub fn lock(&self) -> Option<u8> {
        match *self {
            Operation::Acquire { lock, .. }
            | Operation::TryAcquire { lock, .. }
            | Operation::Renew { lock, .. }
            | Operation::Release { lock, .. }
            | Operation::Guarded { lock, .. }
            | Operation::Revoke { lock, .. } => Some(lock),
            _ => None,
        }
    }

    /// The key that it is about; none when it is about a lock.
    #[inline]
    pub fn key(&self) -> Option<u8> {
        match *self {
            Operation::Get { key }
            | Operation::Put { key, .. }
            | Operation::CompareAndSet { key, .. }
            | Operation::Append { key, .. }
            | Operation::Delete { key } => Some(key),
            _ => None,
        }
    }

    /// Whether it is a command of a machine in place of keys and locks.
    #[inline]
    pub fn is_of_machine(&self) -> bool {
        matches!(self, Operation::OfMachine { .. })
    }

    /// Whether it changes nothing.
    pub fn only_reads(&self) -> bool {
        matches!(self, Operation::Get { .. })
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Operation::Get { key } => write!(f, "get k{key}"),
            Operation::Put { key, value } => write!(f, "put k{key} = {value:x}"),
            Operation::CompareAndSet {
                key,
                expected,
                value,
            } => match expected {
                Some(expected) => write!(f, "set k{key} from {expected:x} to {value:x}"),
                None => write!(f, "set k{key} from nothing to {value:x}"),
            },
            Operation::Append { key, value } => write!(f, "append {value:x} to k{key}"),
            Operation::Delete { key } => write!(f, "delete k{key}"),
            Operation::Acquire { lock, .. } => write!(f, "acquire l{lock}"),
            Operation::TryAcquire { lock, .. } => write!(f, "try to acquire l{lock}"),
            Operation::Renew { lock, token, .. } => write!(f, "renew l{lock} with token {token}"),
            Operation::Release { lock, token } => write!(f, "release l{lock} with token {token}"),
            Operation::Guarded { lock, token } => {
                write!(f, "write under l{lock} with token {token}")
            }
            Operation::OfMachine { number } => write!(f, "run command {number}"),
            Operation::Revoke {
                lock,
                token,
                renewals,
                blind,
            } => {
                let whatever = match blind {
                    true => ", renewed or not",
                    false => "",
                };
                write!(
                    f,
                    "revoke l{lock} with token {token} and {renewals} renewals{whatever}"
                )
            }
        }
    }
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// What a key holds.
    Value {
        /// The value; none when there is no such key.
        value: Option<u64>,
    },
    /// A key was changed.
    Done {
        /// How often the key has been changed, this change included.
        version: u64,
    },
    /// A comparison failed, and nothing was changed.
    Differs {
        /// What the key holds.
        value: Option<u64>,
    },
    /// The client holds the lock.
    Granted {
        /// The fencing token; larger than that of every grant of this lock before.
        token: u64,
        /// Since when, in replicated time.
        since_us: u64,
        /// Until when, in replicated time, if it is not renewed.
        until_us: u64,
    },
    /// The client waits in line for the lock.
    Waiting,
    /// Another holds the lock.
    Held,
    /// The client does not hold the lock (any more).
    NotHeld,
    /// The lock is given back.
    Released {
        /// When, in replicated time.
        at_us: u64,
    },
    /// What the lock protects has been written.
    Written,
    /// What the lock protects has seen a newer token.
    Stale,
    /// What the machine answered that is replicated in place of this service.
    OfMachine {
        /// A hash of the answer's bytes.
        hash: u64,
    },
    /// The lock is taken from its holder.
    Revoked {
        /// How often the lease had been renewed.
        renewals: u32,
    },
}

impl Answer {
    /// A hash of it.
    pub fn hash(&self) -> u64 {
        let some = |value: &Option<u64>| mix(value.is_some().into(), value.unwrap_or(0));
        match self {
            Answer::Value { value } => mix(1, some(value)),
            Answer::Done { version } => mix(2, *version),
            Answer::Differs { value } => mix(3, some(value)),
            Answer::Granted {
                token, until_us, ..
            } => mix(mix(4, *token), *until_us),
            Answer::Waiting => 5,
            Answer::Held => 6,
            Answer::NotHeld => 7,
            Answer::Released { at_us } => mix(8, *at_us),
            Answer::Written => 9,
            Answer::Stale => 10,
            Answer::OfMachine { hash } => mix(11, *hash),
            Answer::Revoked { renewals } => mix(12, (*renewals).into()),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = |value: &Option<u64>| match value {
            Some(value) => format!("{value:x}"),
            None => "nothing".to_owned(),
        };
        match self {
            Answer::Value { value: held } => f.write_str(&value(held)),
            Answer::Done { version } => write!(f, "done, version {version}"),
            Answer::Differs { value: held } => write!(f, "not done, it holds {}", value(held)),
            Answer::Granted {
                token,
                until_us: u64::MAX,
                ..
            } => write!(f, "granted with token {token} until it is revoked"),
            Answer::Granted {
                token, until_us, ..
            } => write!(f, "granted with token {token} until {until_us} us"),
            Answer::Waiting => f.write_str("waiting in line"),
            Answer::Held => f.write_str("held by another"),
            Answer::NotHeld => f.write_str("not held"),
            Answer::Released { .. } => f.write_str("released"),
            Answer::Written => f.write_str("written"),
            Answer::Stale => f.write_str("refused, the token is stale"),
            Answer::OfMachine { hash } => write!(f, "an answer of hash {hash:x}"),
            Answer::Revoked { renewals } => write!(f, "revoked after {renewals} renewals"),
        }
    }
}

impl Command {
    /// The command as bytes, followed by `padding` bytes of ballast.
    pub fn encode(&self, padding: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(32 + padding);
        bytes = postcard::to_extend(self, bytes).expect("a vector takes all");
        bytes.resize(bytes.len() + padding, self.sequence as u8);
        bytes.into()
    }

    /// A command of a machine as bytes: with its own bytes, `of_machine`, before the ballast.
    pub(crate) fn encode_with(&self, of_machine: &[u8], padding: usize) -> Bytes {
        let bytes = Vec::with_capacity(32 + of_machine.len() + padding);
        let whole = (self, of_machine);
        let mut bytes = postcard::to_extend(&whole, bytes).expect("a vector takes all");
        bytes.resize(bytes.len() + padding, self.sequence as u8);
        bytes.into()
    }

    /// The command of a machine in `bytes`, and its own bytes; none when they hold none.
    pub(crate) fn decode_with(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (command, rest) = postcard::take_from_bytes::<Self>(bytes).ok()?;
        let Operation::OfMachine { .. } = command.operation else {
            return None;
        };
        let (of_machine, _padding) = postcard::take_from_bytes(rest).ok()?;
        Some((command, of_machine))
    }

    /// How many bytes of ballast `bytes`, which hold this command, end with.
    pub(crate) fn padding_in(&self, bytes: &[u8]) -> usize {
        let whole = match Self::decode_with(bytes) {
            Some((_, of_machine)) => self.encode_with(of_machine, 0),
            None => self.encode(0),
        };
        bytes.len() - whole.len()
    }

    /// Whose command `bytes` hold, and which of its commands it is.
    #[inline]
    pub(crate) fn decode_sender(bytes: &[u8]) -> Option<(u32, u64)> {
        let (sender, _rest) = postcard::take_from_bytes(bytes).ok()?;
        Some(sender)
    }

    /// The command in `bytes`; none when they hold none, as an entry that a new leader makes.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let (command, _padding) = postcard::take_from_bytes(bytes).ok()?;
        Some(command)
    }
}

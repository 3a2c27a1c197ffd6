//! How a lock may come to protect nothing.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::ids::Index;

/// How lock safety was broken, by the node that answered. Times are those of the lock's own clock,
/// in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum LockSafety {
    /// One token went to two clients.
    TokenTwice {
        /// The lock.
        lock: u8,
        /// The token.
        token: u64,
        /// Who got it now.
        client: u32,
        /// Who had got it.
        other: u32,
    },
    /// A client was granted the lock while another with a lower token held it.
    GrantedTooEarly {
        /// The lock.
        lock: u8,
        /// The client.
        client: u32,
        /// Its token.
        token: u64,
        /// From when it holds the lock.
        since_us: u64,
        /// Who held the lock.
        other: u32,
        /// That one's token.
        other_token: u64,
        /// Until when.
        other_until_us: u64,
    },
    /// A client goes on holding the lock when another with a higher token holds it.
    HeldTooLong {
        /// The lock.
        lock: u8,
        /// The client.
        client: u32,
        /// Its token.
        token: u64,
        /// Until when it holds the lock.
        until_us: u64,
        /// Who holds it as well.
        other: u32,
        /// That one's token.
        other_token: u64,
        /// From when.
        other_since_us: u64,
    },
    /// A guarded write was taken with a token older than one that had been taken.
    StaleToken {
        /// The lock.
        lock: u8,
        /// The token.
        token: u64,
        /// The newer one that came before it.
        newer: u64,
    },
    /// A lock was taken from a client by a leader that had not seen the lease renewed.
    RevokedAfterRenewal {
        /// The lock.
        lock: u8,
        /// The token of the grant.
        token: u64,
        /// The entry that takes it.
        index: Index,
        /// How often the lease had been renewed, as far as that leader had seen.
        seen: u32,
        /// How often it had been renewed.
        renewals: u32,
    },
}

impl LockSafety {
    fn lock(&self) -> u8 {
        match *self {
            Self::TokenTwice { lock, .. }
            | Self::GrantedTooEarly { lock, .. }
            | Self::HeldTooLong { lock, .. }
            | Self::StaleToken { lock, .. }
            | Self::RevokedAfterRenewal { lock, .. } => lock,
        }
    }
}

impl Rule for LockSafety {
    const ABOUT: &'static str = "by the lock's own clock one client holds a lock at a time; tokens grow; a stale token is refused; who takes a lock has seen its last renewal";
    const SOURCE: &'static str = "Burrows, OSDI 2006, section 2.4; Kleppmann 2016";
}

impl Way for LockSafety {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::RevokedAfterRenewal { lock, .. } => {
                write!(f, "{who} commits for lock l{lock}: ")?
            }
            _ => write!(f, "{who} answered for lock l{}: ", self.lock())?,
        }
        match self {
            Self::TokenTwice {
                token,
                client,
                other,
                ..
            } => write!(
                f,
                "token {token} went to client {client} and to client {other}"
            ),
            Self::GrantedTooEarly {
                client,
                token,
                since_us,
                other,
                other_token,
                other_until_us,
                ..
            } => write!(
                f,
                "client {client} holds it with token {token} from {since_us} us on, though client {other} holds it with token {other_token} until {other_until_us} us"
            ),
            Self::HeldTooLong {
                client,
                token,
                until_us,
                other,
                other_token,
                other_since_us,
                ..
            } => write!(
                f,
                "client {client} holds it with token {token} until {until_us} us, though client {other} holds it with token {other_token} from {other_since_us} us on"
            ),
            Self::StaleToken { token, newer, .. } => write!(
                f,
                "a write with token {token} was taken after one with token {newer}"
            ),
            Self::RevokedAfterRenewal {
                token,
                index,
                seen,
                renewals,
                ..
            } => write!(
                f,
                "entry {index} revokes the grant with token {token}, whose lease has run out by the clock of a node that had seen {seen} of its renewals, of which there are {renewals}"
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::TokenTwice { .. } => {
                "Kleppmann 2016 (a fencing token grows with each grant); Burrows, OSDI 2006, section 2.4"
            }
            Self::GrantedTooEarly { .. } | Self::HeldTooLong { .. } => {
                "Burrows, OSDI 2006, section 2.4 (one client holds a lock at a time); Kleppmann 2016"
            }
            Self::StaleToken { .. } => {
                "Kleppmann 2016 (a stale token is refused); Burrows, OSDI 2006, section 2.4"
            }
            Self::RevokedAfterRenewal { .. } => {
                "etcd-io/etcd#15247 (a leader that stood still revokes what was renewed at its successor)"
            }
        }
    }

    fn mentions(&self) -> Mentions {
        Mentions::default().lock(self.lock())
    }
}

//! What a library promises beyond Raft.

use crate::ids::{NodeId, Role, Term};

/// A promise of a library that it has broken. Raft leaves these rules open; an adapter checks
/// those that its library makes, where it can ask the library by which configuration it decided,
/// and reports it ([`Observation::Broke`](super::Observation::Broke)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokenPromise {
    /// The node stood for election, and does not vote in its configuration. Raft lets such servers
    /// stand, for their configuration may be out of date (dissertation, section 4.2.2); etcd's raft
    /// and raft-rs promise that none does (`promotable`): on a time-out, when its leader tells it
    /// to, when it is asked to, and after a snapshot.
    StoodWithoutVote {
        /// What it is now.
        role: Role,
        /// Its term.
        term: Term,
    },
    /// The leader told a node to stand for election that does not vote in its configuration.
    HandedOverToNoVoter {
        /// The node.
        to: NodeId,
        /// The leader's term.
        term: Term,
    },
}

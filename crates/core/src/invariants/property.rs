//! The properties by name, each with its source.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A property that must hold.
///
/// The numbers go into the digests of runs: a new variant takes a new one, wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// At most one leader a term.
    ElectionSafety = 0,
    /// Entries of equal index and term have equal logs up to them.
    LogMatching = 1,
    /// A leader never changes or cuts off its own log.
    LeaderAppendOnly = 2,
    /// A new leader's log holds every committed entry.
    LeaderCompleteness = 3,
    /// All nodes apply the same entries in the same order, committed ones only.
    StateMachineSafety = 4,
    /// A committed entry is durable on a quorum.
    DurableCommit = 5,
    /// A message leaves only after what it promises is durable.
    AckBeforeDurable = 6,
    /// Term, vote within a term, commit and applied index never go back.
    Monotonic = 7,
    /// Configurations follow one another by allowed steps, one at a time, the same on all nodes.
    Configuration = 8,
    /// Clients see each operation take effect at one instant.
    Linearizability = 9,
    /// A command that was sent again applies once.
    ExactlyOnce = 10,
    /// One client holds a lock at a time, and tokens grow.
    LockSafety = 11,
    /// After the storm the cluster converges.
    Liveness = 12,
    /// The implementation does not panic.
    NoPanic = 13,
}

impl Property {
    /// All properties.
    pub const ALL: [Property; 14] = [
        Property::ElectionSafety,
        Property::LogMatching,
        Property::LeaderAppendOnly,
        Property::LeaderCompleteness,
        Property::StateMachineSafety,
        Property::DurableCommit,
        Property::AckBeforeDurable,
        Property::Monotonic,
        Property::Configuration,
        Property::Linearizability,
        Property::ExactlyOnce,
        Property::LockSafety,
        Property::Liveness,
        Property::NoPanic,
    ];

    /// Its name, as `--json` and messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Property::ElectionSafety => "election-safety",
            Property::LogMatching => "log-matching",
            Property::LeaderAppendOnly => "leader-append-only",
            Property::LeaderCompleteness => "leader-completeness",
            Property::StateMachineSafety => "state-machine-safety",
            Property::DurableCommit => "durable-commit",
            Property::AckBeforeDurable => "ack-before-durable",
            Property::Monotonic => "monotonic",
            Property::Configuration => "configuration",
            Property::Linearizability => "linearizability",
            Property::ExactlyOnce => "exactly-once",
            Property::LockSafety => "lock-safety",
            Property::Liveness => "liveness",
            Property::NoPanic => "no-panic",
        }
    }

    /// What it says, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Property::ElectionSafety => "at most one leader is elected in a term",
            Property::LogMatching => {
                "two entries with the same index and term have the same log up to them, and a log has no hole"
            }
            Property::LeaderAppendOnly => "a leader never overwrites or cuts off its own log",
            Property::LeaderCompleteness => {
                "a new leader's log holds every entry known to be committed"
            }
            Property::StateMachineSafety => {
                "nodes commit and apply the same entry at an index, in order, and reach the same state; nothing uncommitted is applied"
            }
            Property::DurableCommit => {
                "when an entry is first known to be committed, it is durable on a quorum"
            }
            Property::AckBeforeDurable => {
                "a vote, an append reply or any message of a term leaves only after what it promises is durable"
            }
            Property::Monotonic => {
                "term, vote within a term, commit and applied index never go back; a restart misses nothing durable, and a snapshot takes away nothing that follows it"
            }
            Property::Configuration => {
                "configurations follow one another by allowed steps, one change at a time, and are the same on all nodes"
            }
            Property::Linearizability => {
                "what clients see is explained by operations that take effect one at a time, each between its invocation and its answer"
            }
            Property::ExactlyOnce => "a command that a client sent again applies once",
            Property::LockSafety => {
                "by the lock's own clock one client holds a lock at a time; tokens grow; a stale token is refused"
            }
            Property::Liveness => {
                "after the storm there is one leader, fresh commands and reads are served, nothing acknowledged is lost, joint configurations and transfers have ended, and members' logs and states are equal"
            }
            Property::NoPanic => "the implementation does not panic on what its contract allows",
        }
    }

    /// Where it comes from.
    pub fn source(self) -> &'static str {
        match self {
            Property::ElectionSafety => {
                "Raft paper, figure 3 and section 5.2; TLA+ `ElectionSafety`"
            }
            Property::LogMatching => "Raft paper, figure 3 and section 5.3; TLA+ `LogMatching`",
            Property::LeaderAppendOnly => "Raft paper, figure 3 and section 5.3",
            Property::LeaderCompleteness => {
                "Raft paper, figure 3 and section 5.4; TLA+ `LeaderCompleteness`"
            }
            Property::StateMachineSafety => {
                "Raft paper, figure 3 and section 5.4.3; TLA+ `StateMachineSafety`"
            }
            Property::DurableCommit => {
                "Raft paper, sections 5.3 and 5.6; dissertation, section 10.2.1"
            }
            Property::AckBeforeDurable => {
                "Raft paper, figure 2 (\"updated on stable storage before responding to RPCs\"); dissertation, section 3.8"
            }
            Property::Monotonic => "Raft paper, figure 2; dissertation, section 3.8",
            Property::Configuration => {
                "Raft paper, section 6; dissertation, sections 4.1 and 4.3; Ongaro, raft-dev 2015"
            }
            Property::Linearizability => {
                "Herlihy and Wing, TOPLAS 1990; dissertation, sections 6.3 and 6.4"
            }
            Property::ExactlyOnce => "dissertation, section 6.3",
            Property::LockSafety => "Burrows, OSDI 2006, section 2.4; Kleppmann 2016",
            Property::Liveness => "Raft paper, section 5.6; dissertation, chapter 9",
            Property::NoPanic => "common sense",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

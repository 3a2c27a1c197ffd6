//! What a node comes to on its way through the protocol: more apt moments for trouble than any
//! time that is drawn.

use serde::{Deserialize, Serialize};

/// What comes about at a node on its way through the protocol, and a fault can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Milestone {
    /// It stands for election, after a pre-vote where there is one.
    Candidate,
    /// It is elected.
    Leader,
    /// It has put a leader's snapshot in place of its state machine.
    Installed,
    /// It goes by another configuration.
    Configured,
}

impl Milestone {
    /// All of them.
    pub const ALL: [Milestone; 4] = [
        Milestone::Candidate,
        Milestone::Leader,
        Milestone::Installed,
        Milestone::Configured,
    ];

    /// A noun for it.
    pub fn words(self) -> &'static str {
        match self {
            Milestone::Candidate => "candidacy",
            Milestone::Leader => "election",
            Milestone::Installed => "installed snapshot",
            Milestone::Configured => "configuration",
        }
    }
}

//! What the service is about: keys and values.

use std::fmt;

use openraft::impls::leader_id_std;
use serde::{Deserialize, Serialize};

openraft::declare_raft_types!(
    /// The types of the service.
    pub Types:
        D = Set,
        R = Previous,
        LeaderId = leader_id_std::LeaderId<Self::Term, Self::NodeId>,
);

/// A command: puts a value under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Under which key.
    pub key: String,
    /// What.
    pub value: String,
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}

/// Its answer: what the key held before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous(pub Option<String>);

//! Names and numbers that every floor shares. Knows nothing of plans, engines
//! or any Raft library.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of the first client that asks for something fresh after the storm. Each asks once, so
/// that a late answer counts: the harness is as patient as the run is long.
pub(crate) const FIRST_PROBE: u32 = 1 << 31;

/// From this number on clients are the keepers of leases, so many numbers for each node: one for
/// each lock, as a client has one request under way.
pub(crate) const FIRST_KEEPER: u32 = 3 << 30;

/// See [`FIRST_KEEPER`].
pub(crate) const NUMBERS_OF_KEEPER: u32 = 256;

/// A client by its number, in words: `client 3`, or `probing client 1` for the first of those that
/// ask for something fresh after the storm, or `n1's keeper of leases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientName(pub u32);

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FIRST_KEEPER.. => {
                let node = (self.0 - FIRST_KEEPER) / NUMBERS_OF_KEEPER;
                write!(f, "n{node}'s keeper of leases")
            }
            FIRST_PROBE.. => write!(f, "probing client {}", self.0 - FIRST_PROBE + 1),
            number => write!(f, "client {number}"),
        }
    }
}

/// One replica of the cluster, numbered from 1 as Raft libraries do; 0 is "nobody".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeId(pub u8);

impl NodeId {
    /// The id of the node at `position` in a cluster's list of nodes.
    pub fn at(position: usize) -> Self {
        Self(u8::try_from(position + 1).expect("a cluster has at most 255 nodes"))
    }

    /// This node's position in a cluster's list of nodes, counted from 0.
    ///
    /// For the id 0, which is nobody's, it is behind every list.
    #[inline]
    pub fn position(self) -> usize {
        usize::from(self.0).wrapping_sub(1)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// A set of nodes, as a bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<NodeId>", into = "Vec<NodeId>")]
pub struct NodeSet(u32);

impl NodeSet {
    /// The highest id that a set can hold.
    pub const LAST: u8 = 31;

    /// The nodes from 1 to `count`.
    pub fn first(count: u8) -> Self {
        (1..=count).map(NodeId).collect()
    }

    /// Whether `node` is in it.
    #[inline]
    pub fn has(self, node: NodeId) -> bool {
        node.0 <= Self::LAST && self.0 >> node.0 & 1 == 1
    }

    /// Puts `node` into it.
    ///
    /// # Panics
    /// When the id is above [`NodeSet::LAST`].
    pub fn add(&mut self, node: NodeId) {
        assert!(node.0 <= Self::LAST, "{node} is too many for a set");
        self.0 |= 1 << node.0;
    }

    /// Takes `node` out of it.
    pub fn remove(&mut self, node: NodeId) {
        if node.0 <= Self::LAST {
            self.0 &= !(1 << node.0);
        }
    }

    /// How many nodes it holds.
    #[inline]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether it holds none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The nodes of either.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The nodes of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its nodes that `other` does not hold.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether a majority of it is in `present`. Everything is a majority of an empty set.
    #[inline]
    pub fn has_majority_in(self, present: Self) -> bool {
        self.is_empty() || self.and(present).len() > self.len() / 2
    }

    /// Its nodes, in order.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        (0..=Self::LAST)
            .map(NodeId)
            .filter(move |node| self.has(*node))
    }

    /// The set as one word, for hashes.
    pub fn bits(self) -> u64 {
        self.0.into()
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::default();
        nodes.into_iter().for_each(|node| set.add(node));
        set
    }
}

impl TryFrom<Vec<NodeId>> for NodeSet {
    type Error = String;

    fn try_from(nodes: Vec<NodeId>) -> Result<Self, String> {
        match nodes.iter().find(|node| node.0 > Self::LAST) {
            Some(node) => Err(format!(
                "{node} is too many for a set; its nodes are 0 to {}",
                Self::LAST
            )),
            None => Ok(nodes.into_iter().collect()),
        }
    }
}

impl From<NodeSet> for Vec<NodeId> {
    fn from(set: NodeSet) -> Self {
        set.iter().collect()
    }
}

impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<NodeId> = self.iter().collect();
        f.write_str(&node_list(&nodes))
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// Renders a list of nodes as `n1, n3`.
pub fn node_list(nodes: &[NodeId]) -> String {
    let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// Position of an entry in the replicated log; the first entry is 1, and 0 is "before the log".
pub type Index = u64;

/// A Raft term; 0 is "before the first election".
pub type Term = u64;

/// What a replica believes itself to be (Raft paper, section 5.1; pre-candidate: dissertation,
/// section 9.6).
///
/// The numbers go into the digests of runs: a new variant takes a new one, wherever it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Follows a leader, or waits for one.
    #[default]
    Follower = 0,
    /// Asks whether an election could be won, without raising its term.
    PreCandidate = 1,
    /// Stands for election in its term.
    Candidate = 2,
    /// Leads its term.
    Leader = 3,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Follower => "follower",
            Role::PreCandidate => "pre-candidate",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
        })
    }
}

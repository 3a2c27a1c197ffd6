//! When a fault strikes: at a time, or at an ordinal event, which stays put when something else in
//! the plan is changed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;
use crate::plan::{Impossible, MAX_TIME_US, Milestone, Plan, at_most, check};
use crate::replica::MessageKind;
use crate::text::seconds;

/// When a fault strikes: at a time, or at an ordinal event, which stays put
/// when something else in the plan is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum When {
    /// At this time, in microseconds since the start.
    AtUs(u64),
    /// As soon as this node has begun a sync for the `nth` time, counted from 1 over all its
    /// incarnations.
    Sync {
        /// Whose sync.
        node: NodeId,
        /// Its ordinal, from 1.
        nth: u32,
    },
    /// As soon as this node has begun the sync that is to make durable what it wrote over
    /// conflicting entries, for the `nth` time, counted from 1 over all its incarnations.
    Overwrite {
        /// Whose sync.
        node: NodeId,
        /// Its ordinal, from 1.
        nth: u32,
    },
    /// As soon as this has come about at this node for the `nth` time, counted from 1 over all its
    /// incarnations. What the node sends in the same step is on its way then.
    Milestone {
        /// Whose.
        node: NodeId,
        /// The milestone.
        milestone: Milestone,
        /// Its ordinal, from 1.
        nth: u32,
    },
    /// As soon as the `nth` message of this kind, counted from 1, is sent on this link.
    Message {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The kind.
        kind: MessageKind,
        /// Its ordinal, from 1.
        nth: u32,
    },
}

impl When {
    /// Which of several like events it waits for, counted from 1; none for a time.
    pub fn nth(&mut self) -> Option<&mut u32> {
        match self {
            When::AtUs(_) => None,
            When::Sync { nth, .. }
            | When::Overwrite { nth, .. }
            | When::Milestone { nth, .. }
            | When::Message { nth, .. } => Some(nth),
        }
    }

    /// The nodes whose event it waits for.
    pub fn nodes(&mut self) -> Vec<&mut NodeId> {
        match self {
            When::AtUs(_) => Vec::new(),
            When::Sync { node, .. }
            | When::Overwrite { node, .. }
            | When::Milestone { node, .. } => vec![node],
            When::Message { from, to, .. } => vec![from, to],
        }
    }

    /// Fits it to a plan by putting nodes of the plan in place of those that it has not. False
    /// where the plan can have no such event.
    pub fn fit(&mut self, plan: &Plan) -> bool {
        let count = plan.cluster.nodes();
        for node in self.nodes() {
            node.0 = (node.0 - 1) % count + 1;
        }
        match self {
            When::Message { .. } if count == 1 => false,
            When::Message { from, to, .. } if from == to => {
                *to = NodeId(from.0 % count + 1);
                true
            }
            _ => true,
        }
    }

    /// Makes sure that it can come about. `field` names a part of it.
    pub(crate) fn validate(
        &self,
        plan: &Plan,
        field: impl Fn(&str) -> String,
    ) -> Result<(), Impossible> {
        let (name, nodes, nth) = match self {
            When::AtUs(at_us) => return at_most(field("at-us"), *at_us, MAX_TIME_US),
            When::Sync { node, nth } => ("sync", vec![*node], *nth),
            When::Overwrite { node, nth } => ("overwrite", vec![*node], *nth),
            When::Milestone { node, nth, .. } => ("milestone", vec![*node], *nth),
            When::Message { from, to, nth, .. } => ("message", vec![*from, *to], *nth),
        };
        match nodes[..] {
            [from, to] => {
                plan.known_nodes(&field(name), &nodes)?;
                check(
                    from != to,
                    field("message.to"),
                    to.0,
                    "another node than message.from",
                )?;
            }
            _ => plan.known_nodes(&field(&format!("{name}.node")), &nodes)?,
        }
        check(nth >= 1, field(&format!("{name}.nth")), nth, "at least 1")
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::AtUs(at_us) => write!(f, "at {}", seconds(*at_us)),
            When::Sync { node, nth } => write!(f, "at {node}'s sync no. {nth}"),
            When::Overwrite { node, nth } => {
                write!(
                    f,
                    "at {node}'s sync no. {nth} of those that overwrite entries"
                )
            }
            When::Milestone {
                node,
                milestone,
                nth,
            } => write!(f, "at {node}'s {} no. {nth}", milestone.words()),
            When::Message {
                from,
                to,
                kind,
                nth,
            } => {
                write!(f, "at {} no. {nth} from {from} to {to}", kind.words())
            }
        }
    }
}

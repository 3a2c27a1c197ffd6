//! How configurations may come to follow one another as they must not.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::configuration as members;
use crate::ids::{Index, NodeId, Role, Term};

/// How the rules of membership were broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Configuration {
    /// The node went from one configuration to another that must not follow it.
    NoAllowedStep {
        /// The entry that the new one comes with.
        index: Index,
        /// The old one.
        before: members::Configuration,
        /// The new one.
        after: members::Configuration,
    },
    /// The node goes by another configuration after an entry than a second one does.
    Differs {
        /// The entry.
        index: Index,
        /// The node's.
        configuration: members::Configuration,
        /// The second node.
        other: NodeId,
        /// Its configuration.
        others: members::Configuration,
    },
    /// The node, which leads, began a change before the one before it was committed.
    BeganTooEarly {
        /// The entry of the new change.
        index: Index,
        /// The entry of the one before it.
        pending: Index,
        /// The leader's commit index.
        commit: Index,
    },
    /// The node was elected by a configuration that was over, as it could know.
    ElectedByOld {
        /// The term that it leads.
        term: Term,
        /// The configuration that it goes by.
        configuration: members::Configuration,
        /// The entry of the change that it knows to be committed.
        change: Index,
    },
    /// A committed change that fits did not have its effect on the node, or one did that is not
    /// allowed.
    ChangedOtherwise {
        /// The entry of the change.
        index: Index,
        /// The configuration before it.
        before: members::Configuration,
    },
    /// The node stood for election, and its library has it for no voter, though it promises that
    /// only voters stand.
    StoodWithoutVote {
        /// What it is.
        role: Role,
        /// Its term.
        term: Term,
        /// The configuration that it has reported last.
        configuration: members::Configuration,
    },
    /// The leader handed leadership to a node that its library has for no voter, though it promises
    /// that only voters get it.
    HandedOverToNoVoter {
        /// The node.
        to: NodeId,
        /// The leader's term.
        term: Term,
        /// The configuration that the leader has reported last.
        configuration: members::Configuration,
    },
}

impl Rule for Configuration {
    const ABOUT: &'static str = "configurations follow one another by allowed steps, one change at a time, and are the same on all nodes";
    const SOURCE: &'static str =
        "Raft paper, section 6; dissertation, sections 4.1 and 4.3; Ongaro, raft-dev 2015";
}

impl Way for Configuration {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NoAllowedStep {
                index,
                before,
                after,
            } => write!(
                f,
                "{who} went from \"{before}\" to \"{after}\" at entry {index}, which is no allowed step"
            ),
            Self::Differs {
                index,
                configuration,
                other,
                others,
            } => write!(
                f,
                "{who} goes by \"{configuration}\" after entry {index}, and {other} by \"{others}\""
            ),
            Self::BeganTooEarly {
                index,
                pending,
                commit,
            } => write!(
                f,
                "leader {who} began a change of the configuration at entry {index}, though the one at {pending} is not committed (its commit index is {commit})"
            ),
            Self::ElectedByOld {
                term,
                configuration,
                change,
            } => write!(
                f,
                "{who} became leader of term {term} by \"{configuration}\", though it knows that the change in entry {change} is committed"
            ),
            Self::ChangedOtherwise { index, before } => write!(
                f,
                "{who} did not go from \"{before}\" to what the change in entry {index} asks for"
            ),
            Self::StoodWithoutVote {
                role,
                term,
                configuration,
            } => write!(
                f,
                "{who} became a {role} of term {term} without a vote of its own, which its library promises that nobody does; it last reported \"{configuration}\""
            ),
            Self::HandedOverToNoVoter {
                to,
                term,
                configuration,
            } => write!(
                f,
                "leader {who} of term {term} hands leadership to {to}, which has no vote, though its library promises to hand it to voters alone; it last reported \"{configuration}\""
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::NoAllowedStep { .. } => {
                "Raft paper, section 6; dissertation, sections 4.1 (one voter at a time) and 4.3 (joint consensus)"
            }
            Self::Differs { .. } => {
                "Raft paper, section 6 (a configuration comes with an entry of the log)"
            }
            Self::BeganTooEarly { .. } => {
                "dissertation, section 4.1 (one change at a time); Ongaro, raft-dev 2015"
            }
            Self::ElectedByOld { .. } => {
                "Raft paper, section 6; dissertation, section 4.1 (majorities of old and new overlap)"
            }
            Self::ChangedOtherwise { .. } => {
                "Raft paper, section 6; dissertation, sections 4.1 and 4.3"
            }
            Self::StoodWithoutVote { .. } => {
                "a promise of the library beyond Raft (dissertation, section 4.2.2, lets them); raft 0.7.0, Raft::promotable"
            }
            Self::HandedOverToNoVoter { .. } => {
                "a promise of the library; dissertation, section 3.10 (to another server of the cluster)"
            }
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::NoAllowedStep {
                index,
                before,
                after,
            } => Mentions::default()
                .entry(*index)
                .configuration(before)
                .configuration(after),
            Self::Differs {
                index,
                configuration,
                other,
                others,
            } => Mentions::default()
                .entry(*index)
                .configuration(configuration)
                .node(*other)
                .configuration(others),
            Self::BeganTooEarly { index, pending, .. } => {
                Mentions::default().entry(*index).entry(*pending)
            }
            Self::ElectedByOld {
                term,
                configuration,
                change,
            } => Mentions::default()
                .term(*term)
                .configuration(configuration)
                .entry(*change),
            Self::ChangedOtherwise { index, before } => {
                Mentions::default().entry(*index).configuration(before)
            }
            Self::StoodWithoutVote {
                term,
                configuration,
                ..
            } => Mentions::default().term(*term).configuration(configuration),
            Self::HandedOverToNoVoter {
                to,
                term,
                configuration,
            } => Mentions::default()
                .node(*to)
                .term(*term)
                .configuration(configuration),
        }
    }
}

//! How it may come to a leader that was not elected.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Way, Who};
use crate::configuration::Configuration;
use crate::ids::{NodeId, NodeSet, Role, Term};
use crate::replica::MessageKind;

/// How election safety was broken, by a node that says or acts as if it led.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum ElectionSafety {
    /// It became leader of a term that another node has led.
    SecondLeader {
        /// The term.
        term: Term,
        /// Who has led it.
        other: NodeId,
    },
    /// It became leader, and no quorum can have voted for it.
    NotElected {
        /// The term.
        term: Term,
        /// Those who vote in its configuration and can have voted for it.
        voters: NodeSet,
        /// The configuration that it goes by.
        configuration: Configuration,
    },
    /// It sent what only the leader of a term sends, and never led that term.
    SpokeAsLeader {
        /// To whom.
        to: NodeId,
        /// The kind of message that was sent.
        sent: MessageKind,
        /// The term.
        term: Term,
        /// The role that it reported last.
        role: Role,
        /// The term that it reported last.
        reported: Term,
    },
}

impl Rule for ElectionSafety {
    const ABOUT: &'static str = "at most one leader is elected in a term";
    const SOURCE: &'static str = "Raft paper, figure 3 and section 5.2; TLA+ `ElectionSafety`";
}

impl Way for ElectionSafety {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::SecondLeader { term, other } => {
                write!(
                    f,
                    "{who} became leader of term {term}, which {other} has led"
                )
            }
            Self::NotElected {
                term,
                voters,
                configuration,
            } => write!(
                f,
                "{who} became leader of term {term}, in which only {voters} can have voted for it; {configuration}"
            ),
            Self::SpokeAsLeader {
                to,
                sent,
                term,
                role,
                reported,
            } => write!(
                f,
                "{who} sent {to} {} of term {term}, as only that term's leader may; it last reported that it is a {role} of term {reported}",
                sent.with_article()
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::SecondLeader { .. } => {
                "Raft paper, figure 3 and section 5.2; TLA+ `ElectionSafety`"
            }
            Self::NotElected { .. } => {
                "Raft paper, section 5.2 (a majority elects), figure 2 (votes are durable) and section 6 (joint: both majorities)"
            }
            Self::SpokeAsLeader { .. } => {
                "Raft paper, section 5.2 (a leader's messages come from the one of their term)"
            }
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::SecondLeader { term, other } => Mentions::default().term(*term).node(*other),
            Self::NotElected {
                term,
                voters,
                configuration,
            } => Mentions::default()
                .term(*term)
                .nodes(*voters)
                .configuration(configuration),
            Self::SpokeAsLeader { to, term, .. } => Mentions::default().term(*term).node(*to),
        }
    }

    fn ask_first(&self) -> Option<&'static str> {
        match self {
            // Whoever leads has entered the term that it leads.
            Self::SpokeAsLeader { term, reported, .. } if reported < term => Some(
                "does it report Observation::Role after every call of the library that may change it?",
            ),
            _ => None,
        }
    }
}

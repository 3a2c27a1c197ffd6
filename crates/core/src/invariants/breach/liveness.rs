//! How a cluster may come to a standstill.

use std::fmt::{Formatter, Result};

use serde::Serialize;

use super::{Mentions, Rule, Unmet, Way, Who};
use crate::text::seconds;

/// How liveness was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Liveness {
    /// The cluster has not converged by the end of the run.
    NotConverged {
        /// What it lacks; none when the run ended before anyone looked.
        unmet: Option<Unmet>,
    },
    /// Servers have not converged in the time that they had for it.
    ServersNotConverged {
        /// How long that was, in microseconds.
        after_us: u64,
        /// What they lack.
        unmet: Unmet,
    },
    /// The node refuses to start from a disk on which nothing is damaged.
    DoesNotStart {
        /// What it says.
        reason: String,
    },
}

impl Rule for Liveness {
    const ABOUT: &'static str = "after the storm there is one leader, fresh commands and reads are served, nothing acknowledged is lost, joint configurations and transfers have ended, and members' logs and states are equal";
    const SOURCE: &'static str = "Raft paper, section 5.6; dissertation, chapter 9";
}

impl Way for Liveness {
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NotConverged { unmet } => {
                f.write_str("the cluster has not converged by the end of the run: ")?;
                match unmet {
                    Some(unmet) => write!(f, "{unmet}"),
                    None => f.write_str("it was never asked"),
                }
            }
            Self::ServersNotConverged { after_us, unmet } => {
                write!(f, "{} after the storm, {unmet}", seconds(*after_us))
            }
            Self::DoesNotStart { reason } => write!(
                f,
                "{who} does not start from a disk on which nothing is damaged: {reason}"
            ),
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Self::NotConverged { .. } | Self::ServersNotConverged { .. } => {
                "Raft paper, section 5.6; dissertation, chapter 9"
            }
            Self::DoesNotStart { .. } => {
                "Raft paper, figure 2 (persistent state on all servers) and section 5.5 (servers restart)"
            }
        }
    }

    fn ask_first(&self) -> Option<&'static str> {
        match self {
            Self::NotConverged {
                unmet: Some(Unmet::NoLeader { .. }),
            } => Some(
                "does Input::Tick reach the library, do its time-outs differ from node to node, and does it report Observation::Role?",
            ),
            Self::NotConverged {
                unmet: Some(Unmet::CommandUnanswered { .. }),
            } => Some("does it propose what Input::Request asks for, and answer what it applies?"),
            Self::ServersNotConverged {
                unmet: Unmet::ServerBehind { .. },
                ..
            } => Some(
                "does the leader's server tell its library of each snapshot what became of it (report_snapshot), and of each peer that it does not reach (report_unreachable)?",
            ),
            _ => None,
        }
    }

    fn mentions(&self) -> Mentions {
        match self {
            Self::NotConverged { unmet: Some(unmet) } | Self::ServersNotConverged { unmet, .. } => {
                unmet.mentions()
            }
            Self::NotConverged { unmet: None } | Self::DoesNotStart { .. } => Mentions::default(),
        }
    }
}

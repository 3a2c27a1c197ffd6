//! No ack before durable: persistent state is updated on stable storage before
//! responding to RPCs (Raft paper, figure 2; dissertation, section 3.8). A
//! message of a term is sent only when that term is durable; a vote, when the
//! vote is; an append reply, when the entries are.
//!
//! A vote that is promised may be followed on disk by one for the node that was
//! elected in that term (see `monotonic`), but it has to be the first that the
//! node promised in that term: two would be one too many, wherever they end up.

use super::election_safety::ElectionSafety;
use super::{NodeView, Verdict, Violation, breach};
use crate::replica::{Claim, Label};
use crate::stable::{Chain, StableState};
use crate::types::{NodeId, Term};

/// What nodes have promised.
#[derive(Debug, Default)]
pub(super) struct AckBeforeDurable {
    /// The first vote that each node promised in the last term in which it promised one.
    votes: Vec<(Term, NodeId)>,
}

impl AckBeforeDurable {
    /// Returns the chain of the log that it acknowledges, where it says so of the log that it has now.
    #[inline(always)]
    pub(super) fn check(
        &mut self,
        from: NodeId,
        view: &NodeView,
        durable: &StableState,
        label: &Label,
        elected: &ElectionSafety,
    ) -> Verdict<Option<Chain>> {
        let mut acknowledged = None;
        let is_durable = label.term <= durable.hard.term
            && match label.claim {
                Claim::Nothing => true,
                Claim::Voted { candidate } => {
                    self.has_vote(from, durable, label.term, candidate, elected)
                }
                Claim::Appended { index } => {
                    // A reply of an earlier term speaks of a log that may have been overwritten since.
                    view.term > label.term || index <= durable.snapshot_index() || {
                        acknowledged = durable.chain_at(index);
                        acknowledged.is_some() && acknowledged == view.chain_at(index)
                    }
                }
            };
        match is_durable {
            true => Ok(acknowledged),
            false => Err(broken(from, durable, label)),
        }
    }

    /// Whether the disk of `from` keeps it from voting for another than `candidate` in `term`.
    fn has_vote(
        &mut self,
        from: NodeId,
        durable: &StableState,
        term: Term,
        candidate: NodeId,
        elected: &ElectionSafety,
    ) -> bool {
        let position = from.position();
        if self.votes.len() <= position {
            self.votes.resize(position + 1, (0, from));
        }
        let first = &mut self.votes[position];
        if term > first.0 {
            *first = (term, candidate);
        }
        let hard = &durable.hard;
        hard.term > term
            || hard.vote == Some(candidate)
            || (*first == (term, candidate)
                && hard.vote.is_some()
                && hard.vote == elected.leader_of(term))
    }
}

#[cold]
fn broken(from: NodeId, durable: &StableState, label: &Label) -> Box<Violation> {
    let Label {
        to,
        kind: sent,
        term,
        claim,
    } = *label;
    let breach = match claim {
        Claim::Voted { candidate } if term <= durable.hard.term => {
            breach::AckBeforeDurable::VoteNotDurable {
                to,
                sent,
                term,
                candidate,
            }
        }
        Claim::Appended { index } if term <= durable.hard.term => {
            breach::AckBeforeDurable::LogNotDurable {
                to,
                sent,
                term,
                index,
                durable: durable.log.last(),
            }
        }
        _ => breach::AckBeforeDurable::TermNotDurable {
            to,
            sent,
            term,
            durable: durable.hard.term,
        },
    };
    Violation::by(from, breach)
}

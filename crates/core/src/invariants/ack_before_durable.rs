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
use crate::ids::{NodeId, Term};
use crate::replica::{Claim, Label};
use crate::storage::{Chain, StableState};

/// What nodes have promised.
#[derive(Debug, Default)]
pub(super) struct AckBeforeDurable {
    /// The first vote that each node promised in the last term in which it promised one.
    votes: Vec<(Term, NodeId)>,
}

impl AckBeforeDurable {
    /// Returns the chain of the log that it acknowledges, where it says so of the log that it has
    /// now.
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
                    // A reply of an earlier term speaks of a log that may have been overwritten
                    // since.
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

    /// The disk of `id` is lost, and with it the vote that it has promised.
    pub(super) fn forget(&mut self, id: NodeId) {
        if let Some(first) = self.votes.get_mut(id.position()) {
            *first = (0, id);
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
        let hard = &durable.hard;
        // Who has been elected by others gains nothing, nor does anyone lose by it: such a vote may
        // even come after one for another, where both are still to be sent.
        if hard.vote == Some(candidate) && elected.leader_of(term) == hard.vote {
            return true;
        }
        let position = from.position();
        if self.votes.len() <= position {
            self.votes.resize(position + 1, (0, from));
        }
        let first = &mut self.votes[position];
        if term > first.0 {
            *first = (term, candidate);
        }
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

#[cfg(test)]
mod tests {
    use super::breach::{AckBeforeDurable, Breach};
    use super::*;
    use crate::ids::{Index, Role};
    use crate::invariants::by_hand::{ByHand, broken};
    use crate::replica::MessageKind;

    fn voted(candidate: u8) -> Claim {
        let candidate = NodeId(candidate);
        Claim::Voted { candidate }
    }

    fn reply(cluster: &mut ByHand, term: Term, index: Index) -> Verdict {
        let claim = Claim::Appended { index };
        cluster.send(2, 1, MessageKind::AppendReply, term, claim)
    }

    #[test]
    fn a_message_of_a_term_waits_for_the_term() {
        let mut cluster = ByHand::new(3);
        cluster.vote(2, 4, Some(2)).unwrap();
        let ask = |cluster: &mut ByHand| cluster.send(2, 1, MessageKind::Vote, 4, Claim::Nothing);
        let breach = AckBeforeDurable::TermNotDurable {
            to: NodeId(1),
            sent: MessageKind::Vote,
            term: 4,
            durable: 0,
        };
        assert_eq!(broken(ask(&mut cluster)), Breach::from(breach));
        cluster.sync(2);
        assert_eq!(ask(&mut cluster), Ok(()));
    }

    #[test]
    fn a_vote_waits_for_itself() {
        let mut cluster = ByHand::new(3);
        cluster.vote(2, 4, None).unwrap();
        cluster.sync(2);
        cluster.vote(2, 4, Some(1)).unwrap();
        let grant = |cluster: &mut ByHand, candidate| {
            cluster.send(2, 1, MessageKind::VoteReply, 4, voted(candidate))
        };
        let breach = AckBeforeDurable::VoteNotDurable {
            to: NodeId(1),
            sent: MessageKind::VoteReply,
            term: 4,
            candidate: NodeId(1),
        };
        assert_eq!(broken(grant(&mut cluster, 1)), Breach::from(breach));
        cluster.sync(2);
        assert_eq!(grant(&mut cluster, 1), Ok(()));
        assert!(grant(&mut cluster, 3).is_err(), "a second vote in the term");
        cluster.vote(2, 5, None).unwrap();
        cluster.sync(2);
        let late = grant(&mut cluster, 3);
        assert_eq!(late, Ok(()), "of a term in which it can vote no more");
    }

    #[test]
    fn a_vote_promised_may_lie_on_disk_as_one_for_who_was_elected() {
        let mut cluster = ByHand::new(3);
        cluster.vote(2, 4, Some(1)).unwrap();
        cluster.sync(2);
        let grant = |cluster: &mut ByHand, candidate| {
            cluster.send(2, candidate, MessageKind::VoteReply, 4, voted(candidate))
        };
        assert_eq!(grant(&mut cluster, 1), Ok(()));
        for voter in [1, 3] {
            cluster.vote(voter, 4, Some(3)).unwrap();
            cluster.sync(voter);
        }
        cluster.role(3, Role::Leader, 4).unwrap();
        cluster.vote(2, 4, Some(3)).unwrap();
        cluster.sync(2);
        assert_eq!(grant(&mut cluster, 1), Ok(()));
    }

    /// noraft answers in this order when a vote request, an append of the leader and a late vote
    /// request of the leader's come in one batch.
    #[test]
    fn who_has_been_elected_may_be_granted_a_vote_before_the_one_that_was_given_first() {
        let mut cluster = ByHand::new(3);
        for voter in [1, 3] {
            cluster.vote(voter, 4, Some(3)).unwrap();
            cluster.sync(voter);
        }
        cluster.role(3, Role::Leader, 4).unwrap();
        cluster.vote(2, 4, Some(1)).unwrap();
        cluster.vote(2, 4, Some(3)).unwrap();
        cluster.sync(2);
        let grant = |cluster: &mut ByHand, candidate| {
            cluster.send(2, candidate, MessageKind::VoteReply, 4, voted(candidate))
        };
        assert_eq!(grant(&mut cluster, 3), Ok(()));
        assert_eq!(grant(&mut cluster, 1), Ok(()));
        assert!(
            grant(&mut cluster, 2).is_err(),
            "a second one for who was not"
        );
    }

    #[test]
    fn an_acknowledgement_waits_for_the_entries() {
        let mut cluster = ByHand::new(3);
        cluster.elect(1, 1);
        cluster.replicate(&[1, 2], 1, 1);
        cluster.replicate(&[1], 2, 1);
        cluster.append(2, 2, 1).unwrap();
        assert_eq!(reply(&mut cluster, 1, 1), Ok(()));
        let breach = AckBeforeDurable::LogNotDurable {
            to: NodeId(1),
            sent: MessageKind::AppendReply,
            term: 1,
            index: 2,
            durable: 1,
        };
        assert_eq!(broken(reply(&mut cluster, 1, 2)), Breach::from(breach));
        cluster.sync(2);
        assert_eq!(reply(&mut cluster, 1, 2), Ok(()));
        cluster.elect(3, 2);
        cluster.append(2, 2, 2).unwrap();
        cluster.role(2, Role::Follower, 2).unwrap();
        let late = reply(&mut cluster, 1, 2);
        assert_eq!(late, Ok(()), "of a log that has been overwritten since");
    }

    #[test]
    fn what_is_in_a_durable_snapshot_may_be_acknowledged() {
        let mut cluster = ByHand::new(3);
        cluster.vote(2, 1, None).unwrap();
        cluster.snapshot(2, 7, 1).unwrap();
        assert!(reply(&mut cluster, 1, 7).is_err());
        cluster.sync(2);
        assert_eq!(reply(&mut cluster, 1, 7), Ok(()));
    }
}

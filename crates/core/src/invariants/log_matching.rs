//! Log Matching: if two logs contain an entry with the same index and term, then
//! the logs are identical in all entries up through it (Raft paper, figure 3,
//! section 5.3; TLA+ `LogMatching`). And a log has no holes.
//!
//! What a follower acknowledges, its leader has: the leader takes the index for how far the two
//! logs are known to be one (figure 2: `matchIndex`). A leader of that term has only appended since
//! it sent what is answered, so its log can be compared when the answer leaves.
//!
//! An entry that its only writer lost in a crash, unsynced, is in no log any
//! more: a node that is its own majority may write another in its place.

use super::{NodeView, Verdict, Violation, breach};
use crate::ids::{Index, NodeId, NodeSet, Role, Term};
use crate::log_vec::Indexed;
use crate::replica::{Claim, Label};
use crate::storage::Chain;

/// Every (index, term) ever written, with the chain it stood for. Most indices
/// have one term only.
#[derive(Debug)]
pub(super) struct LogMatching {
    seen: Indexed<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    first: Option<Mark>,
    more: Vec<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    term: Term,
    chain: Chain,
    /// Who wrote it first.
    node: NodeId,
    /// Who has it, or had it and did not lose it in a crash.
    writers: NodeSet,
}

impl LogMatching {
    /// For a log that begins after `first`: what a snapshot stood for from the start was written by
    /// nobody, and takes no room.
    pub(super) fn new(first: Index) -> Self {
        Self {
            seen: Indexed::starting_at(first + 1),
        }
    }

    #[inline(always)]
    pub(super) fn appended(
        &mut self,
        id: NodeId,
        index: Index,
        term: Term,
        chain: Chain,
    ) -> Verdict {
        while self.seen.next() <= index {
            self.seen.push(Seen::default());
        }
        let Some(seen) = self.seen.get_mut(index) else {
            return Ok(());
        };
        match seen.of_term(term) {
            Some(known) if known.chain == chain => known.writers.add(id),
            Some(known) => return Err(differs(id, index, term, known.node)),
            None => {
                let mut writers = NodeSet::default();
                writers.add(id);
                let mark = Mark {
                    term,
                    chain,
                    node: id,
                    writers,
                };
                match seen.first {
                    None => seen.first = Some(mark),
                    Some(_) => seen.more.push(mark),
                }
            }
        }
        Ok(())
    }

    /// `id` lost the entry at `index` of `term` in a crash.
    pub(super) fn lost(&mut self, id: NodeId, index: Index, term: Term) {
        let Some(seen) = self.seen.get_mut(index) else {
            return;
        };
        if let Some(mark) = seen.of_term(term) {
            mark.writers.remove(id);
            let nobody = |mark: &Mark| mark.writers.is_empty();
            seen.first.take_if(|mark| nobody(mark));
            seen.more.retain(|mark| !nobody(mark));
        }
    }

    pub(super) fn forget_before(&mut self, index: Index) {
        self.seen.drop_through(index.saturating_sub(1));
    }
}

impl Seen {
    #[inline]
    fn of_term(&mut self, term: Term) -> Option<&mut Mark> {
        match &mut self.first {
            Some(first) if first.term == term => Some(first),
            _ => self.more.iter_mut().find(|mark| mark.term == term),
        }
    }
}

/// `from` sends `label`, by which its log up to there is `chain`, to the node in `leader`, if it is
/// that.
#[inline(always)]
pub(super) fn acknowledged(
    from: NodeId,
    chain: Chain,
    leader: &NodeView,
    label: &Label,
) -> Verdict {
    let is_led = leader.role == Role::Leader && leader.term == label.term;
    match label.claim {
        // What has been compacted there is committed.
        Claim::Appended { index } if is_led && index >= leader.first() => {
            match leader.entry_at(index) {
                Some((_, there)) if there == chain => Ok(()),
                _ => Err(not_the_leaders(from, index, leader, label)),
            }
        }
        _ => Ok(()),
    }
}

#[cold]
fn not_the_leaders(from: NodeId, index: Index, leader: &NodeView, label: &Label) -> Box<Violation> {
    let breach = breach::LogMatching::NotTheLeaders {
        index,
        to: label.to,
        term: label.term,
        ends_at: (index > leader.last()).then(|| leader.last()),
    };
    Violation::by(from, breach)
}

#[cold]
fn differs(id: NodeId, index: Index, term: Term, other: NodeId) -> Box<Violation> {
    Violation::by(id, breach::LogMatching::Differs { index, term, other })
}

/// A write that leaves a hole in the log.
#[cold]
pub(super) fn gap(id: NodeId, index: Index, last: Index) -> Box<Violation> {
    Violation::by(id, breach::LogMatching::Hole { index, last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::view::tests::log_of;
    use crate::replica::MessageKind;

    #[test]
    fn what_is_acknowledged_to_a_leader_is_what_it_has() {
        let leader = log_of(Role::Leader, 3, &[1, 1, 3]);
        let follower = log_of(Role::Follower, 3, &[1, 1, 2, 2]);
        let says = |leader: &NodeView, term, index| {
            let label = Label {
                to: NodeId(1),
                kind: MessageKind::AppendReply,
                term,
                claim: Claim::Appended { index },
            };
            let chain = follower.chain_at(index).unwrap();
            acknowledged(NodeId(2), chain, leader, &label)
        };
        assert_eq!(says(&leader, 3, 2), Ok(()));
        assert!(says(&leader, 3, 3).is_err(), "another entry");
        assert!(says(&leader, 3, 4).is_err(), "beyond the leader's log");
        assert_eq!(says(&leader, 2, 3), Ok(()), "of a term that is over");
        let deposed = log_of(Role::Follower, 3, &[1]);
        assert_eq!(says(&deposed, 3, 3), Ok(()), "to one that leads no more");
    }
}

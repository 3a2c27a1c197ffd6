//! Leader Append-Only: a leader never overwrites or deletes entries in its log;
//! it only appends new entries (Raft paper, figure 3, section 5.3).

use super::{NodeView, Verdict, Violation, breach};
use crate::ids::{Index, NodeId, Role};

/// `id` is about to write at `index` though its log went on to `last`.
#[inline]
pub(super) fn check(id: NodeId, view: &NodeView, index: Index, last: Index) -> Verdict {
    if view.role != Role::Leader {
        return Ok(());
    }
    let term = view.term;
    let breach = breach::LeaderAppendOnly::Overwrote { term, index, last };
    Err(Violation::by(id, breach))
}

#[cfg(test)]
mod tests {
    use super::breach::LeaderAppendOnly;
    use crate::ids::Role;
    use crate::invariants::by_hand::{ByHand, broken};

    #[test]
    fn a_leader_appends_and_a_follower_may_overwrite() {
        let mut cluster = ByHand::new(3);
        cluster.elect(1, 1);
        for index in 1..=3 {
            assert_eq!(cluster.append(1, index, 1), Ok(()));
        }
        cluster.role(1, Role::Follower, 2).unwrap();
        assert_eq!(cluster.append(1, 2, 2), Ok(()));
        cluster.elect(1, 3);
        assert_eq!(cluster.append(1, 3, 3), Ok(()));
        assert_eq!(cluster.append(1, 4, 3), Ok(()));
        let breach = LeaderAppendOnly::Overwrote {
            term: 3,
            index: 3,
            last: 4,
        };
        assert_eq!(broken(cluster.append(1, 3, 4)), breach.into());
    }
}

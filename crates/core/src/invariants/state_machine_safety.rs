//! State Machine Safety: if a server has applied an entry at an index, no other
//! server applies a different entry for that index (Raft paper, figure 3, section
//! 5.4.3; TLA+ `StateMachineSafety`). Entries are applied in order, none is left
//! out, none is applied that is not committed, and all nodes reach one state.

use super::breach::{StateOf, States};
use super::ledger::Ledger;
use super::{NodeView, Verdict, Violation, breach};
use crate::ids::{Index, NodeId};

/// Out of the way, so that what is checked all the time stays small.
#[cold]
#[inline(never)]
fn broken(id: NodeId, breach: breach::StateMachineSafety) -> Verdict {
    Err(Violation::by(id, breach))
}

/// `id` says that its log is committed up to `index`.
#[inline]
pub(super) fn committed(id: NodeId, view: &NodeView, index: Index, ledger: &Ledger) -> Verdict {
    if index > view.last() {
        let last = view.last();
        return broken(
            id,
            breach::StateMachineSafety::CommittedBeyondLog { index, last },
        );
    }
    let shared = index.min(ledger.last());
    let (Some(here), Some(first)) = (view.chain_at(shared), ledger.committed(shared)) else {
        return Ok(());
    };
    if here == first {
        return Ok(());
    }
    let index = shared;
    broken(id, breach::StateMachineSafety::CommittedOther { index })
}

/// A node applied the entry at `index`, and is in the state `here` now; `right` is what the
/// committed log gives, where that is known.
#[inline]
pub(super) fn applied(
    here: StateOf,
    view: &NodeView,
    index: Index,
    ledger: &mut Ledger,
    right: Option<u64>,
) -> Verdict {
    let (id, before) = (here.node, view.applied);
    let committed = view.commit.min(ledger.last());
    if index > committed {
        return broken(
            id,
            breach::StateMachineSafety::AppliedUncommitted { index, committed },
        );
    }
    if index != before + 1 {
        return broken(
            id,
            breach::StateMachineSafety::AppliedOutOfOrder { index, before },
        );
    }
    let first = ledger.state(index, here);
    if first.state != here.state {
        let states = told_apart(here, first, right);
        let breach = breach::StateMachineSafety::OtherState { index, states };
        return broken(states.wrong.node, breach);
    }
    as_the_log_gives(here, index, right)
}

/// Whether a node is in the state that the committed log gives. All nodes may make the same
/// mistake, and then they agree.
#[inline]
fn as_the_log_gives(here: StateOf, index: Index, right: Option<u64>) -> Verdict {
    match right {
        Some(right) if right != here.state => {
            let breach = breach::StateMachineSafety::NotTheLogs { index, here, right };
            broken(here.node, breach)
        }
        _ => Ok(()),
    }
}

/// Whose state is wrong: the committed log says so, where the harness applies it too.
#[cold]
fn told_apart(here: StateOf, first: StateOf, right: Option<u64>) -> States {
    let right = right.filter(|right| [here.state, first.state].contains(right));
    let (wrong, other) = match right == Some(here.state) {
        true => (first, here),
        false => (here, first),
    };
    States {
        wrong,
        other,
        right,
    }
}

/// `id` tells a client that its command was applied at `index`.
pub(super) fn answered(id: NodeId, view: &NodeView, index: Index) -> Verdict {
    if index <= view.applied {
        return Ok(());
    }
    let applied = view.applied;
    broken(
        id,
        breach::StateMachineSafety::AnsweredUnapplied { index, applied },
    )
}

/// A node installed a snapshot of the entries up to `index`, and is in the state `here` now;
/// `right` is what the committed log gives, where that is known.
pub(super) fn installed(
    here: StateOf,
    index: Index,
    ledger: &mut Ledger,
    right: Option<u64>,
) -> Verdict {
    if index > ledger.last() {
        let committed = ledger.last();
        return broken(
            here.node,
            breach::StateMachineSafety::InstalledUncommitted { index, committed },
        );
    }
    let first = ledger.state(index, here);
    if first.state != here.state {
        let states = told_apart(here, first, right);
        let breach = breach::StateMachineSafety::OtherStateBySnapshot { index, states };
        return broken(states.wrong.node, breach);
    }
    as_the_log_gives(here, index, right)
}

#[cfg(test)]
mod tests {
    use super::breach::StateMachineSafety;
    use super::*;
    use crate::invariants::by_hand::{ByHand, broken};
    use crate::replica::{Observation, ReplyOutcome};
    use crate::service::Answer;

    /// Two nodes in different states, of which the log does not say whose is right.
    fn states(wrong: u8, state: u64, other: u8, other_state: u64) -> States {
        let of = |node, state| StateOf {
            node: NodeId(node),
            incarnation: 0,
            state,
        };
        States {
            wrong: of(wrong, state),
            other: of(other, other_state),
            right: None,
        }
    }

    #[test]
    fn all_nodes_may_agree_on_a_state_that_the_log_does_not_give() {
        let mut cluster = ByHand::with_the_service(3);
        cluster.elect(1, 1);
        cluster.replicate(&[1, 2], 1, 1);
        cluster.commit(1, 1).unwrap();
        let mut service = crate::service::Service::default();
        service.apply(b"");
        let right = service.state();
        assert_eq!(cluster.apply(1, 1, right), Ok(()));
        cluster.commit(2, 1).unwrap();
        let states = States {
            right: Some(right),
            ..states(2, 11, 1, right)
        };
        let other = StateMachineSafety::OtherState { index: 1, states };
        assert_eq!(broken(cluster.apply(2, 1, 11)), other.into());

        let mut cluster = ByHand::with_the_service(3);
        cluster.elect(1, 1);
        cluster.replicate(&[1, 2], 1, 1);
        cluster.commit(1, 1).unwrap();
        let here = StateOf {
            node: NodeId(1),
            incarnation: 0,
            state: 11,
        };
        let index = 1;
        let alone = StateMachineSafety::NotTheLogs { index, here, right };
        assert_eq!(broken(cluster.apply(1, 1, 11)), alone.into());
    }

    /// n1 leads term 1, has three entries, and knows two committed.
    fn cluster() -> ByHand {
        let mut cluster = ByHand::new(3);
        cluster.elect(1, 1);
        for index in 1..=3 {
            cluster.replicate(&[1, 2], index, 1);
        }
        cluster.commit(1, 2).unwrap();
        cluster
    }

    #[test]
    fn what_is_committed_is_applied_in_order_to_one_state() {
        let mut cluster = cluster();
        cluster.commit(2, 2).unwrap();
        for (index, state) in [(1, 10), (2, 20)] {
            assert_eq!(cluster.apply(1, index, state), Ok(()));
            assert_eq!(cluster.apply(2, index, state), Ok(()));
        }
        cluster.commit(1, 3).unwrap();
        assert_eq!(cluster.apply(1, 3, 30), Ok(()));
    }

    #[test]
    fn what_is_not_committed_is_not_applied() {
        let mut cluster = cluster();
        cluster.apply(1, 1, 10).unwrap();
        cluster.apply(1, 2, 20).unwrap();
        let breach = StateMachineSafety::AppliedUncommitted {
            index: 3,
            committed: 2,
        };
        assert_eq!(broken(cluster.apply(1, 3, 30)), breach.into());
    }

    #[test]
    fn no_entry_is_left_out_and_none_applied_twice() {
        let mut cluster = cluster();
        let left_out = StateMachineSafety::AppliedOutOfOrder {
            index: 2,
            before: 0,
        };
        assert_eq!(broken(cluster.apply(1, 2, 20)), left_out.into());
        cluster.apply(1, 1, 10).unwrap();
        let twice = StateMachineSafety::AppliedOutOfOrder {
            index: 1,
            before: 1,
        };
        assert_eq!(broken(cluster.apply(1, 1, 10)), twice.into());
    }

    #[test]
    fn nodes_reach_one_state() {
        let mut cluster = cluster();
        cluster.commit(2, 2).unwrap();
        cluster.apply(1, 1, 10).unwrap();
        let states = states(2, 11, 1, 10);
        let breach = StateMachineSafety::OtherState { index: 1, states };
        assert_eq!(broken(cluster.apply(2, 1, 11)), breach.into());
    }

    #[test]
    fn nodes_commit_one_log_and_no_more_than_they_have() {
        let mut cluster = cluster();
        let breach = StateMachineSafety::CommittedBeyondLog { index: 4, last: 3 };
        assert_eq!(broken(cluster.commit(1, 4)), breach.into());
        cluster.append(3, 1, 0).unwrap();
        let breach = StateMachineSafety::CommittedOther { index: 1 };
        assert_eq!(broken(cluster.commit(3, 1)), breach.into());
    }

    #[test]
    fn clients_are_told_of_what_is_applied() {
        let mut cluster = cluster();
        cluster.apply(1, 1, 10).unwrap();
        let tell = |index| {
            let answer = Answer::Done { version: 1 };
            let outcome = ReplyOutcome::Applied { index, answer };
            let checks = &cluster.checks;
            checks.replied(&cluster.nodes[0], NodeId(1), &outcome)
        };
        assert_eq!(tell(1), Ok(()));
        let breach = StateMachineSafety::AnsweredUnapplied {
            index: 2,
            applied: 1,
        };
        assert_eq!(broken(tell(2)), breach.into());
    }

    #[test]
    fn a_snapshot_is_of_what_is_committed_and_brings_that_state() {
        let mut cluster = cluster();
        cluster.apply(1, 1, 10).unwrap();
        cluster.apply(1, 2, 20).unwrap();
        let mut install = |index, state| {
            let installed = Observation::Installed { index, state };
            cluster.observe(3, installed)
        };
        let more = StateMachineSafety::InstalledUncommitted {
            index: 3,
            committed: 2,
        };
        assert_eq!(broken(install(3, 30)), more.into());
        let states = states(3, 21, 1, 20);
        let other = StateMachineSafety::OtherStateBySnapshot { index: 2, states };
        assert_eq!(broken(install(2, 21)), other.into());
        assert_eq!(install(2, 20), Ok(()));
    }
}

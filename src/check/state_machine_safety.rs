//! State Machine Safety: if a server has applied an entry at an index, no other
//! server applies a different entry for that index (Raft paper, figure 3, section
//! 5.4.3; TLA+ `StateMachineSafety`). Entries are applied in order, none is left
//! out, none is applied that is not committed, and all nodes reach one state.

use super::ledger::Ledger;
use super::{NodeView, Verdict, Violation, breach};
use crate::types::{Index, NodeId};

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

/// `id` applied the entry at `index`, and is in `state` now.
#[inline]
pub(super) fn applied(
    id: NodeId,
    view: &NodeView,
    index: Index,
    state: u64,
    ledger: &mut Ledger,
) -> Verdict {
    let before = view.applied;
    let committed = view.commit.min(ledger.last());
    if index > committed {
        broken(
            id,
            breach::StateMachineSafety::AppliedUncommitted { index, committed },
        )
    } else if index != before + 1 {
        broken(
            id,
            breach::StateMachineSafety::AppliedOutOfOrder { index, before },
        )
    } else if ledger.state(index, state) != state {
        broken(id, breach::StateMachineSafety::OtherState { index })
    } else {
        Ok(())
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

/// `id` installed a snapshot of the entries up to `index`, and is in `state` now.
pub(super) fn installed(id: NodeId, index: Index, state: u64, ledger: &mut Ledger) -> Verdict {
    if index > ledger.last() {
        let committed = ledger.last();
        broken(
            id,
            breach::StateMachineSafety::InstalledUncommitted { index, committed },
        )
    } else if ledger.state(index, state) != state {
        broken(
            id,
            breach::StateMachineSafety::OtherStateBySnapshot { index },
        )
    } else {
        Ok(())
    }
}

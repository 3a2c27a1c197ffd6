//! State Machine Safety: if a server has applied an entry at an index, no other
//! server applies a different entry for that index (Raft paper, figure 3, section
//! 5.4.3; TLA+ `StateMachineSafety`). Entries are applied in order, none is left
//! out, none is applied that is not committed, and all nodes reach one state.

use std::fmt::Arguments;

use super::ledger::Ledger;
use super::{NodeView, Property, Verdict, Violation};
use crate::ids::{Index, NodeId};

/// Out of the way, so that what is checked all the time stays small.
#[cold]
fn broken(id: NodeId, message: Arguments<'_>) -> Verdict {
    Err(Violation::by(
        id,
        Property::StateMachineSafety,
        message.to_string(),
    ))
}

/// `id` says that its log is committed up to `index`.
#[inline]
pub(super) fn committed(id: NodeId, view: &NodeView, index: Index, ledger: &Ledger) -> Verdict {
    if index > view.last() {
        return broken(
            id,
            format_args!(
                "{id} holds {index} entries committed, but its log ends at {}",
                view.last()
            ),
        );
    }
    let shared = index.min(ledger.last());
    let (Some(here), Some(first)) = (view.chain_at(shared), ledger.committed(shared)) else {
        return Ok(());
    };
    if here == first {
        return Ok(());
    }
    broken(
        id,
        format_args!(
            "{id} committed an entry {shared} that differs from the one committed there before"
        ),
    )
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
        let known =
            format_args!("{id} applied entry {index}, but it knows only {committed} committed");
        broken(id, known)
    } else if index != before + 1 {
        broken(
            id,
            format_args!("{id} applied entry {index} right after entry {before}"),
        )
    } else if ledger.state(index, state) != state {
        broken(
            id,
            format_args!(
                "{id} is in another state after entry {index} than the node that applied it first"
            ),
        )
    } else {
        Ok(())
    }
}

/// `id` tells a client that its command was applied at `index`.
pub(super) fn answered(id: NodeId, view: &NodeView, index: Index) -> Verdict {
    if index <= view.applied {
        return Ok(());
    }
    let message = format!(
        "{id} answered a client that entry {index} is applied, but has applied only {}",
        view.applied
    );
    Err(Violation::by(id, Property::StateMachineSafety, message))
}

/// `id` installed a snapshot of the entries up to `index`, and is in `state` now.
pub(super) fn installed(id: NodeId, index: Index, state: u64, ledger: &mut Ledger) -> Verdict {
    let broken = if index > ledger.last() {
        format!(
            "{id} installed a snapshot of {index} entries, but only {} are committed",
            ledger.last()
        )
    } else if ledger.state(index, state) != state {
        format!(
            "{id} is in another state after the snapshot at {index} than the node that applied that entry first"
        )
    } else {
        return Ok(());
    };
    Err(Violation::by(id, Property::StateMachineSafety, broken))
}

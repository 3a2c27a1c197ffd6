//! Leader Append-Only: a leader never overwrites or deletes entries in its log;
//! it only appends new entries (Raft paper, figure 3, section 5.3).

use super::{NodeView, Verdict, Violation, breach};
use crate::types::{Index, NodeId, Role};

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

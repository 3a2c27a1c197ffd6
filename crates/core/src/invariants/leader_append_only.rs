//! Leader Append-Only: a leader never overwrites or deletes entries in its log;
//! it only appends new entries (Raft paper, figure 3, section 5.3).

use super::{NodeView, Property, Verdict, Violation};
use crate::ids::{Index, NodeId, Role};

/// `id` is about to write at `index` though its log went on to `last`.
#[inline]
pub(super) fn check(id: NodeId, view: &NodeView, index: Index, last: Index) -> Verdict {
    if view.role != Role::Leader {
        return Ok(());
    }
    let message = format!(
        "{id}, leader of term {}, overwrote its log from index {index}; it went on to {last}",
        view.term
    );
    Err(Violation::by(id, Property::LeaderAppendOnly, message))
}

//! No ack before durable: persistent state is updated on stable storage before
//! responding to RPCs (Raft paper, figure 2; dissertation, section 3.8). A
//! message of a term is sent only when that term is durable; a vote, when the
//! vote is; an append reply, when the entries are.

use super::{NodeView, Property, Violation};
use crate::replica::{Claim, Label};
use crate::stable::StableState;
use crate::types::NodeId;

#[inline]
pub(super) fn check(
    from: NodeId,
    to: NodeId,
    view: &NodeView,
    durable: &StableState,
    label: &Label,
) -> Result<(), Violation> {
    let hard = &durable.hard;
    let broken = if label.term > hard.term {
        format!("its term {} (durable: term {})", label.term, hard.term)
    } else {
        match label.claim {
            Claim::Nothing => return Ok(()),
            Claim::Voted { candidate } => {
                if hard.term > label.term || hard.vote == Some(candidate) {
                    return Ok(());
                }
                format!("its vote for {candidate} in term {}", label.term)
            }
            Claim::Appended { index } => {
                // A reply of an earlier term speaks of a log that may have been overwritten since.
                if view.term > label.term || index <= durable.snapshot_index() {
                    return Ok(());
                }
                let written = view.chain_at(index);
                if durable.chain_at(index).is_some() && durable.chain_at(index) == written {
                    return Ok(());
                }
                format!(
                    "its log up to {index} (durable: up to {})",
                    durable.log.last()
                )
            }
        }
    };
    let words = label.kind.words();
    let article = if words.starts_with('a') { "an" } else { "a" };
    let message =
        format!("{from} sent {to} {article} {words} that promises {broken}, which is not durable");
    Err(Violation::by(from, Property::AckBeforeDurable, message))
}

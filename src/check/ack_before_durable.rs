//! No ack before durable: persistent state is updated on stable storage before
//! responding to RPCs (Raft paper, figure 2; dissertation, section 3.8). A
//! message of a term is sent only when that term is durable; a vote, when the
//! vote is; an append reply, when the entries are.

use super::{NodeView, Property, Violation};
use crate::replica::{Claim, Label};
use crate::stable::StableState;
use crate::types::NodeId;

#[inline(always)]
pub(super) fn check(
    from: NodeId,
    view: &NodeView,
    durable: &StableState,
    label: &Label,
) -> Result<(), Violation> {
    let hard = &durable.hard;
    let is_durable = label.term <= hard.term
        && match label.claim {
            Claim::Nothing => true,
            Claim::Voted { candidate } => hard.term > label.term || hard.vote == Some(candidate),
            Claim::Appended { index } => {
                // A reply of an earlier term speaks of a log that may have been overwritten since.
                view.term > label.term || index <= durable.snapshot_index() || {
                    let kept = durable.chain_at(index);
                    kept.is_some() && kept == view.chain_at(index)
                }
            }
        };
    match is_durable {
        true => Ok(()),
        false => Err(broken(from, durable, label)),
    }
}

#[cold]
fn broken(from: NodeId, durable: &StableState, label: &Label) -> Violation {
    let hard = &durable.hard;
    let promise = match label.claim {
        _ if label.term > hard.term => {
            format!("its term {} (durable: term {})", label.term, hard.term)
        }
        Claim::Nothing => "nothing".to_owned(),
        Claim::Voted { candidate } => format!("its vote for {candidate} in term {}", label.term),
        Claim::Appended { index } => format!(
            "its log up to {index} (durable: up to {})",
            durable.log.last()
        ),
    };
    let words = label.kind.words();
    let article = if words.starts_with('a') { "an" } else { "a" };
    let message = format!(
        "{from} sent {} {article} {words} that promises {promise}, which is not durable",
        label.to
    );
    Violation::by(from, Property::AckBeforeDurable, message)
}

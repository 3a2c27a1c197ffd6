//! Leader Completeness: if an entry is committed in a given term, it is present
//! in the logs of the leaders of all higher terms (Raft paper, figure 3, section
//! 5.4; TLA+ `LeaderCompleteness`). Logs that agree at the highest committed
//! index agree before it, so one comparison an election is enough.

use super::ledger::Ledger;
use super::{NodeView, Property, Verdict, Violation};
use crate::types::NodeId;

pub(super) fn check(id: NodeId, view: &NodeView, ledger: &Ledger) -> Verdict {
    // News of an election may come late, when a later leader has committed more.
    let committed = ledger.committed_before(view.term);
    if view.snapshot.0 > committed || view.chain_at(committed) == ledger.committed(committed) {
        return Ok(());
    }
    let lacks = match view.chain_at(committed) {
        None => format!("its log ends at {}", view.last()),
        Some(_) => "its log differs there".to_owned(),
    };
    let message = format!(
        "{id} became leader of term {} without the committed entry {committed}: {lacks}",
        view.term
    );
    Err(Violation::by(id, Property::LeaderCompleteness, message))
}

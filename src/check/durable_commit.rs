//! Durable commit: when an entry is first known to be committed, it is durable on
//! a majority of its configuration, of both while that is joint (Raft paper, sections 5.3 and 5.6). The leader's own
//! disk counts like any other and may be the one that is behind (dissertation,
//! section 10.2.1). Nodes that are down count through their disks. What is
//! durable is read off the disks, so this finds a missing fsync without a crash.

use super::ledger::Ledger;
use super::{Scene, Verdict, Violation, breach};
use crate::sometimes::{Counters, Event};
use crate::types::{Index, NodeId, NodeSet, Role};

/// `id` says that its log is committed up to `index`; enters what is new into the ledger.
#[inline]
pub(super) fn committed(
    scene: Scene<'_>,
    id: NodeId,
    index: Index,
    ledger: &mut Ledger,
    counters: &mut Counters,
) -> Verdict {
    match index > ledger.last() {
        true => committed_first(scene, id, index, ledger, counters),
        false => Ok(()),
    }
}

fn committed_first(
    scene: Scene<'_>,
    id: NodeId,
    index: Index,
    ledger: &mut Ledger,
    counters: &mut Counters,
) -> Verdict {
    let view = scene.node(id);
    let Some(chain) = view.chain_at(index) else {
        return Err(Violation::by(id, breach::DurableCommit::NotInLog { index }));
    };
    let holders: NodeSet = scene
        .disks
        .iter()
        .enumerate()
        .filter(|(_, disk)| disk.durable().holds(index, chain))
        .map(|(position, _)| NodeId::at(position))
        .collect();
    let (_, configuration) = view.configuration;
    if !configuration.has_quorum_in(holders) {
        let breach = breach::DurableCommit::NoQuorum {
            index,
            holders,
            configuration,
        };
        return Err(Violation::by(id, breach));
    }
    if !scene.durable(id).holds(index, chain) {
        counters.hit(Event::CommittedWithoutLeaderDisk);
    }
    // A leader commits by counting only entries of its own term (paper, section
    // 5.4.2), and it is the first to know: so the last of them tells its term, unless what is committed up to the change
    // that it goes by is reported by itself, before what comes after it.
    let in_part = view.role == Role::Leader && index <= view.configuration.0;
    let last = view.term_at(index).filter(|_| !in_part);
    let by = last.unwrap_or(view.term);
    for new in ledger.last() + 1..=index {
        let chain = view.chain_at(new).unwrap_or_default();
        ledger.commit(chain, by);
        counters.hit(Event::EntryCommitted);
        if view.term_at(new).is_some_and(|term| term < view.term) {
            counters.hit(Event::CommittedAcrossTerms);
        }
    }
    Ok(())
}

/// `id` says that the entry at `index` is committed, and no disk holds it as an entry.
#[cold]
pub(super) fn no_entry(id: NodeId, index: Index) -> Box<Violation> {
    Violation::by(id, breach::DurableCommit::NoEntry { index })
}

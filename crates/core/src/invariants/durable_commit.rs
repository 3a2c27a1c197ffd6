//! Durable commit: when an entry is first known to be committed, it is durable on
//! a majority of its configuration, of both while that is joint (Raft paper, sections 5.3 and 5.6).
//! The leader's own disk counts like any other and may be the one that is behind (dissertation,
//! section 10.2.1). Nodes that are down count through their disks. What is
//! durable is read off the disks, so this finds a missing fsync without a crash.
//!
//! From then on nobody who has the entry writes another in its place that a leader of the term in
//! which it was committed, or of a later one, has made (sections 5.3 and 5.4.3).

use super::ledger::Ledger;
use super::{ClusterView, NodeView, Verdict, Violation, breach};
use crate::counters::{Counter, Counters};
use crate::ids::{Index, NodeId, NodeSet, Role, Term};
use crate::storage::Entry;

/// `id` is about to write `entry` at `index`, where its log has one. The leader of the term in
/// which that one was committed has it, and so has every later one, so none of them makes another
/// in its place. A leader of an earlier term may have: a node that has not heard of the later term
/// follows it still, and may write what it has taken in after it has.
#[cold]
pub(super) fn written_over(
    id: NodeId,
    view: &NodeView,
    index: Index,
    entry: &Entry,
    ledger: &Ledger,
) -> Verdict {
    // Of a leader Leader Append-Only tells more.
    if view.role == Role::Leader {
        return Ok(());
    }
    let here = view.entry_at(index).map(|(_, chain)| chain);
    let before = view.chain_at(index - 1);
    let before = before.or_else(|| ledger.committed(index - 1));
    let (Some(here), Some(before)) = (here, before) else {
        return Ok(());
    };
    let is_later = |by: Term| entry.term >= by;
    let is_same = entry.chained_to(before) == here;
    if is_same
        || ledger.committed(index) != Some(here)
        || !ledger.committed_by(index).is_some_and(is_later)
    {
        return Ok(());
    }
    let term = entry.term;
    let breach = breach::DurableCommit::WrittenOver { index, term };
    Err(Violation::by(id, breach))
}

/// `id` says that its log is committed up to `index`; enters what is new into the ledger.
#[inline]
pub(super) fn committed(
    cluster_view: ClusterView<'_>,
    id: NodeId,
    index: Index,
    ledger: &mut Ledger,
    counters: &mut Counters,
) -> Verdict {
    match index > ledger.last() {
        true => committed_first(cluster_view, id, index, ledger, counters),
        false => Ok(()),
    }
}

fn committed_first(
    cluster_view: ClusterView<'_>,
    id: NodeId,
    index: Index,
    ledger: &mut Ledger,
    counters: &mut Counters,
) -> Verdict {
    let view = cluster_view.node(id);
    let Some(chain) = view.chain_at(index) else {
        return Err(Violation::by(id, breach::DurableCommit::NotInLog { index }));
    };
    let holders: NodeSet = cluster_view
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
    if !cluster_view.durable(id).holds(index, chain) {
        counters.hit(Counter::CommittedWithoutLeaderDisk);
    }
    // A leader commits by counting only entries of its own term (paper, section
    // 5.4.2), and it is the first to know: so the last of them tells its term, unless what is
    // committed up to the change that it goes by is reported by itself, before what comes after
    // it.
    let in_part = view.role == Role::Leader && index <= view.configuration.0;
    let last = view.term_at(index).filter(|_| !in_part);
    let by = last.unwrap_or(view.term);
    for new in ledger.last() + 1..=index {
        let chain = view.chain_at(new).unwrap_or_default();
        ledger.commit(chain, by);
        counters.hit(Counter::EntryCommitted);
        if view.term_at(new).is_some_and(|term| term < view.term) {
            counters.hit(Counter::CommittedAcrossTerms);
        }
    }
    Ok(())
}

/// `id` says that the entry at `index` is committed, and no disk holds it as an entry.
#[cold]
pub(super) fn no_entry(id: NodeId, index: Index) -> Box<Violation> {
    Violation::by(id, breach::DurableCommit::NoEntry { index })
}

#[cfg(test)]
mod tests {
    use super::breach::{Breach, DurableCommit};
    use crate::configuration::Configuration;
    use crate::counters::Counter;
    use crate::ids::{Index, NodeSet};
    use crate::invariants::by_hand::{ByHand, broken, voters};
    use crate::replica::Observation;
    use crate::storage::Record;

    fn led(nodes: u8) -> ByHand {
        let mut cluster = ByHand::new(nodes);
        cluster.elect(1, 1);
        cluster
    }

    fn no_quorum(index: Index, holders: &[u8], configuration: Configuration) -> Breach {
        Breach::from(DurableCommit::NoQuorum {
            index,
            holders: voters(holders).voters,
            configuration,
        })
    }

    #[test]
    fn what_is_durable_on_a_majority_may_be_committed() {
        let mut cluster = led(3);
        cluster.replicate(&[1, 2], 1, 1);
        assert_eq!(cluster.commit(1, 1), Ok(()));
        assert_eq!(cluster.checks.committed(), 1);
        cluster.append(1, 2, 1).unwrap();
        cluster.replicate(&[2], 2, 1);
        cluster.replicate(&[3], 1, 1);
        cluster.replicate(&[3], 2, 1);
        assert_eq!(cluster.commit(1, 2), Ok(()), "its own disk is behind");
        let hits = cluster.counters.get(Counter::CommittedWithoutLeaderDisk);
        assert_eq!(hits, 1);
    }

    #[test]
    fn what_is_durable_on_fewer_is_not_committed() {
        let mut cluster = led(3);
        cluster.append(1, 1, 1).unwrap();
        cluster.append(2, 1, 1).unwrap();
        let everyone = voters(&[1, 2, 3]);
        assert_eq!(broken(cluster.commit(1, 1)), no_quorum(1, &[], everyone));
        cluster.sync(2);
        assert_eq!(broken(cluster.commit(1, 1)), no_quorum(1, &[2], everyone));
        cluster.sync(1);
        assert_eq!(cluster.commit(1, 1), Ok(()));
    }

    #[test]
    fn what_is_committed_is_written_over_by_nothing_else() {
        let mut cluster = led(3);
        cluster.replicate(&[1, 2, 3], 1, 1);
        cluster.replicate(&[1, 2, 3], 2, 1);
        cluster.commit(1, 1).unwrap();
        assert_eq!(cluster.append(2, 1, 1), Ok(()), "the same once more");
        cluster.append(2, 2, 1).unwrap();
        assert_eq!(cluster.append(2, 2, 2), Ok(()), "it is not committed");
        let breach = DurableCommit::WrittenOver { index: 1, term: 2 };
        assert_eq!(broken(cluster.append(3, 1, 2)), breach.into());
    }

    /// It was made by a leader of term 2, which a node may follow that has not heard of term 3.
    #[test]
    fn what_a_later_leader_commits_may_be_written_over_by_what_came_before_it() {
        let mut cluster = led(3);
        cluster.replicate(&[1, 2, 3], 1, 1);
        cluster.elect(1, 3);
        cluster.replicate(&[1, 2], 2, 3);
        cluster.commit(1, 2).unwrap();
        assert_eq!(cluster.append(3, 1, 2), Ok(()));
        let breach = DurableCommit::WrittenOver { index: 1, term: 3 };
        assert_eq!(broken(cluster.append(2, 1, 3)), breach.into());
    }

    #[test]
    fn a_joint_configuration_needs_both_majorities() {
        let mut cluster = led(5);
        let everyone: Vec<u8> = (1..=5).collect();
        for node in &everyone {
            cluster.change(*node, 1, 1).unwrap();
            cluster.sync(*node);
        }
        cluster.commit(1, 1).unwrap();
        let configuration = Configuration {
            outgoing: NodeSet::first(5),
            ..voters(&[1, 2, 3])
        };
        let index = 1;
        let joint = Observation::Configured {
            index,
            configuration,
        };
        cluster.observe(1, joint).unwrap();
        cluster.replicate(&[1, 2], 2, 1);
        let verdict = cluster.commit(1, 2);
        assert_eq!(broken(verdict), no_quorum(2, &[1, 2], configuration));
        cluster.replicate(&[4], 2, 1);
        assert_eq!(cluster.commit(1, 2), Ok(()));
    }

    #[test]
    fn what_is_committed_is_in_the_log_and_on_a_disk_as_an_entry() {
        let mut cluster = led(3);
        cluster.write(1, Record::LogReset { next: 5 }).unwrap();
        let nowhere = DurableCommit::NotInLog { index: 3 };
        assert_eq!(broken(cluster.commit(1, 3)), nowhere.into());

        let mut cluster = led(3);
        for node in [1, 2] {
            cluster.replicate(&[node], 1, 1);
            cluster.snapshot(node, 1, 1).unwrap();
            let compact = Record::LogCompact { through: 1 };
            cluster.write(node, compact).unwrap();
            cluster.sync(node);
        }
        let no_entry = DurableCommit::NoEntry { index: 1 };
        assert_eq!(broken(cluster.commit(1, 1)), no_entry.into());
    }
}

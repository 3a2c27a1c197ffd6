//! With group commit, what a leader commits is held in two groups, where its voters are in two. Our
//! nodes are in two: `assign_groups` puts them there.

use raft::Raft;

use crate::store::Backend;

/// `raft`, which leads, has just committed by what its voters told it, of one configuration or, in
/// a joint one, of two.
///
/// # Panics
/// When only one group has what is committed.
pub(super) fn committed<S: Backend>(raft: &Raft<S>) {
    let commit = raft.raft_log.committed;
    let holds = |id: u64| {
        let progress = raft.prs().get(id);
        progress.is_some_and(|progress| progress.matched >= commit)
    };
    let configuration = &raft.store().held().conf;
    for half in [&configuration.voters, &configuration.voters_outgoing] {
        for parity in [0, 1] {
            let mut group = half.iter().filter(|id| *id % 2 == parity).peekable();
            let is_there = group.peek().is_some();
            assert!(
                !is_there || group.any(|id| holds(*id)),
                "with group commit, what is committed is in both groups"
            );
        }
    }
}

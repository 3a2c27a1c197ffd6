//! What the library says of itself when it is asked, held against what is known: users decide by
//! it.

use raft::{Raft, StateRole, Storage};

use super::Contract;

/// # Panics
/// When `raft` says something of itself that does not fit.
#[inline]
pub(super) fn fits<S: Storage>(contract: &Contract, raft: &Raft<S>) {
    let leads = raft.state == StateRole::Leader;
    let lease = leads && contract.check_quorum;
    let term_at = |index| raft.raft_log.term(index).ok();
    let fits = raft.in_lease() == lease
        && raft.group_commit() == contract.group_commit
        && raft.election_timeout() == contract.election_ticks
        && raft.heartbeat_timeout() == contract.heartbeat_ticks
        && (!leads || raft.heartbeat_elapsed() < contract.heartbeat_ticks)
        && raft.ready_read_count() == raft.read_states.len()
        && raft.commit_to_current_term() == (term_at(raft.raft_log.committed) == Some(raft.term));
    assert!(
        fits,
        "what the library says of itself fits its settings and its log"
    );
}

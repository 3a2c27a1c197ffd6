//! What never goes back: the term; the vote within a term; the commit index and
//! the applied index of a running node. And across a restart, nothing that was
//! durable is missing (Raft paper, figure 2; dissertation, section 3.8). A snapshot takes the
//! place of what it stands for, and of nothing that follows (figure 13, step 6). The
//! commit index is volatile in Raft: a restart may forget what was not stored.
//!
//! A vote may give way to one for the node that has been elected in that term: it
//! promises no less, for it helps nobody else to the office.

use super::election_safety::ElectionSafety;
use super::{NodeView, Verdict, Violation, breach};
use crate::replica::Observation;
use crate::stable::{Chain, HardState, StableState};
use crate::types::{Index, NodeId, Term};

#[cold]
#[inline(never)]
fn broken<T>(id: NodeId, breach: breach::Monotonic) -> Verdict<T> {
    Err(Violation::by(id, breach))
}

#[inline]
pub(super) fn term(id: NodeId, before: Term, after: Term) -> Verdict {
    match after >= before {
        true => Ok(()),
        false => broken(id, breach::Monotonic::TermWentBack { before, after }),
    }
}

#[inline]
pub(super) fn commit(id: NodeId, before: Index, after: Index) -> Verdict {
    match after >= before {
        true => Ok(()),
        false => broken(id, breach::Monotonic::CommitWentBack { before, after }),
    }
}

#[inline]
pub(super) fn applied(id: NodeId, before: Index, after: Index) -> Verdict {
    match after >= before {
        true => Ok(()),
        false => broken(id, breach::Monotonic::AppliedWentBack { before, after }),
    }
}

/// `id` writes a hard state over the one in `view`.
#[inline]
pub(super) fn hard_state(
    id: NodeId,
    view: &NodeView,
    after: &HardState,
    elected: &ElectionSafety,
) -> Verdict {
    let before = &view.hard;
    if after.term < before.term {
        let (before, after) = (before.term, after.term);
        return broken(id, breach::Monotonic::WrittenTermWentBack { before, after });
    }
    match before.vote {
        Some(vote) if before.term == after.term && after.vote != before.vote => {
            if after.vote.is_some() && after.vote == elected.leader_of(after.term) {
                return Ok(());
            }
            let breach = breach::Monotonic::VoteChanged {
                term: after.term,
                before: vote,
                after: after.vote,
            };
            broken(id, breach)
        }
        _ => Ok(()),
    }
}

/// `id` gives its log up for a snapshot whose log up to it has this chain, and goes on at `next`. Entries that
/// follow the snapshot's last one stay (Raft paper, figure 13, step 6): they may have been acknowledged.
pub(super) fn log_reset(
    id: NodeId,
    view: &NodeView,
    next: Index,
    snapshot: Option<Chain>,
) -> Verdict {
    let end = view.log_end();
    if end < next || snapshot.is_none() || view.log_chain_at(next - 1) != snapshot {
        return Ok(());
    }
    let breach = breach::Monotonic::DroppedEntries {
        snapshot: next - 1,
        first: next,
        last: end,
    };
    broken(id, breach)
}

/// `id` has started with what `started` says, on a disk that kept `durable`.
pub(super) fn across_restart(id: NodeId, started: &Observation, durable: &StableState) -> Verdict {
    let Observation::Started {
        term,
        vote,
        last,
        commit,
        applied,
        ..
    } = *started
    else {
        return Ok(());
    };
    let hard = &durable.hard;
    let end = durable.usable_last();
    let snapshot = durable.snapshot_index();
    if term < hard.term {
        let durable = hard.term;
        return broken(id, breach::Monotonic::RestartedWithTerm { term, durable });
    }
    if last < end {
        let durable = end;
        return broken(id, breach::Monotonic::RestartedWithLog { last, durable });
    }
    let durable = durable.commit.min(end).max(snapshot);
    if commit < durable {
        return broken(
            id,
            breach::Monotonic::RestartedWithCommit { commit, durable },
        );
    }
    if applied < snapshot {
        let durable = snapshot;
        return broken(
            id,
            breach::Monotonic::RestartedWithApplied { applied, durable },
        );
    }
    match hard.vote {
        Some(durable) if term == hard.term && vote != hard.vote => {
            let breach = breach::Monotonic::RestartedWithVote {
                term,
                vote,
                durable,
            };
            broken(id, breach)
        }
        _ => Ok(()),
    }
}

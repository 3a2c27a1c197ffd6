//! What never goes back: the term; the vote within a term; the commit index and
//! the applied index of a running node. And across a restart, nothing that was
//! durable is missing (Raft paper, figure 2; dissertation, section 3.8). A snapshot takes the
//! place of what it stands for, and of nothing that follows (figure 13, step 6). The
//! commit index is volatile in Raft: a restart may forget what was not stored.
//!
//! A vote may give way to one for the node that has been elected in that term: it
//! promises no less, for it helps nobody else to the office.

use super::election_safety::ElectionSafety;
use super::{NodeView, Property, Verdict, Violation};
use crate::ids::{Index, NodeId, Term};
use crate::replica::Observation;
use crate::storage::{Chain, HardState, StableState};

#[cold]
#[inline(never)]
fn broken<T>(id: NodeId, message: String) -> Verdict<T> {
    Err(Violation::by(id, Property::Monotonic, message))
}

#[inline]
fn rising(id: NodeId, what: &str, before: u64, after: u64) -> Verdict {
    if after >= before {
        return Ok(());
    }
    broken(
        id,
        format!("{id}'s {what} went back from {before} to {after}"),
    )
}

#[inline]
pub(super) fn term(id: NodeId, before: Term, after: Term) -> Verdict {
    rising(id, "term", before, after)
}

#[inline]
pub(super) fn commit(id: NodeId, before: Index, after: Index) -> Verdict {
    rising(id, "commit index", before, after)
}

#[inline]
pub(super) fn applied(id: NodeId, before: Index, after: Index) -> Verdict {
    rising(id, "applied index", before, after)
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
    rising(id, "written term", before.term, after.term)?;
    match before.vote {
        Some(vote) if before.term == after.term && after.vote != before.vote => {
            if after.vote.is_some() && after.vote == elected.leader_of(after.term) {
                return Ok(());
            }
            let now = after
                .vote
                .map_or("nobody".to_owned(), |vote| vote.to_string());
            broken(
                id,
                format!(
                    "{id}'s vote in term {} changed from {vote} to {now}",
                    after.term
                ),
            )
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
    broken(
        id,
        format!(
            "{id} drops its entries from {next} to {end}, which follow the snapshot at {} that it installs",
            next - 1
        ),
    )
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
    for (what, kept, shown) in [
        ("term", hard.term, term),
        ("a log up to", end, last),
        (
            "commit index",
            durable.commit.min(end).max(snapshot),
            commit,
        ),
        ("applied index", snapshot, applied),
    ] {
        if shown < kept {
            return broken(
                id,
                format!("{id} restarted with {what} {shown}, though {kept} is on its disk"),
            );
        }
    }
    match hard.vote {
        Some(kept) if term == hard.term && vote != hard.vote => {
            let shown = vote.map_or("none".to_owned(), |vote| format!("one for {vote}"));
            broken(
                id,
                format!(
                    "{id} restarted with {shown} as its vote in term {term}, though one for {kept} is on its disk"
                ),
            )
        }
        _ => Ok(()),
    }
}

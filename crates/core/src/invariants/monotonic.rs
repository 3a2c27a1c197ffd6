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
use crate::ids::{Index, NodeId, Term};
use crate::replica::Observation;
use crate::storage::{Chain, HardState, StableState};

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

/// `id` gives its log up for a snapshot whose log up to it has this chain, and goes on at `next`.
/// Entries that follow the snapshot's last one stay (Raft paper, figure 13, step 6): they may have
/// been acknowledged.
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

#[cfg(test)]
mod tests {
    use super::breach::Monotonic;
    use super::*;
    use crate::ids::Role;
    use crate::invariants::by_hand::{ByHand, broken};
    use crate::storage::Record;

    /// n1 leads term 2, and has applied two entries.
    fn cluster() -> ByHand {
        let mut cluster = ByHand::new(3);
        cluster.elect(1, 2);
        for index in 1..=2 {
            cluster.replicate(&[1, 2], index, 2);
            cluster.commit(1, index).unwrap();
            cluster.apply(1, index, index).unwrap();
        }
        cluster
    }

    #[test]
    fn terms_and_indices_do_not_go_back() {
        let mut cluster = cluster();
        assert_eq!(cluster.role(2, Role::Follower, 2), Ok(()));
        let term = Monotonic::TermWentBack {
            before: 2,
            after: 1,
        };
        let verdict = cluster.role(2, Role::Follower, 1);
        assert_eq!(broken(verdict), term.into());
        assert_eq!(cluster.commit(1, 2), Ok(()));
        let commit = Monotonic::CommitWentBack {
            before: 2,
            after: 1,
        };
        assert_eq!(broken(cluster.commit(1, 1)), commit.into());
        let installs = Observation::Installed { index: 1, state: 1 };
        for verdict in [cluster.apply(1, 1, 1), cluster.observe(1, installs)] {
            let applied = Monotonic::AppliedWentBack {
                before: 2,
                after: 1,
            };
            assert_eq!(broken(verdict), applied.into());
        }
    }

    #[test]
    fn what_is_written_keeps_term_and_vote() {
        let mut cluster = cluster();
        let term = Monotonic::WrittenTermWentBack {
            before: 2,
            after: 1,
        };
        assert_eq!(broken(cluster.vote(2, 1, None)), term.into());
        assert_eq!(cluster.vote(2, 3, Some(2)), Ok(()), "of a later term");
        let changed = |after| Monotonic::VoteChanged {
            term: 3,
            before: NodeId(2),
            after,
        };
        let verdict = cluster.vote(2, 3, Some(3));
        assert_eq!(broken(verdict), changed(Some(NodeId(3))).into());
        assert_eq!(broken(cluster.vote(2, 3, None)), changed(None).into());
        cluster.replicate(&[3], 1, 2);
        cluster.replicate(&[3], 2, 2);
        for voter in [1, 3] {
            cluster.vote(voter, 3, Some(3)).unwrap();
            cluster.sync(voter);
        }
        cluster.role(3, Role::Leader, 3).unwrap();
        assert_eq!(cluster.vote(2, 3, Some(3)), Ok(()), "for who was elected");
    }

    #[test]
    fn a_snapshot_takes_the_place_of_what_it_stands_for() {
        let mut cluster = cluster();
        cluster.replicate(&[2], 3, 2);
        let reset = |next| Record::LogReset { next };
        let dropped = Monotonic::DroppedEntries {
            snapshot: 2,
            first: 3,
            last: 3,
        };
        assert_eq!(broken(cluster.write(2, reset(3))), dropped.into());
        assert_eq!(cluster.write(1, reset(3)), Ok(()), "nothing follows");
        assert_eq!(cluster.append(3, 1, 1), Ok(()));
        assert_eq!(cluster.append(3, 2, 1), Ok(()));
        assert_eq!(cluster.append(3, 3, 1), Ok(()));
        assert_eq!(cluster.write(3, reset(3)), Ok(()), "its log is another");
    }

    /// n2 restarts with a mistake in what it reads.
    fn restart(mistake: impl FnOnce(&mut Observation)) -> Verdict {
        let mut cluster = cluster();
        cluster.snapshot(2, 1, 2).unwrap();
        cluster.write(2, Record::Commit { index: 2 }).unwrap();
        cluster.sync(2);
        cluster.append(2, 3, 2).unwrap();
        cluster.start(2, mistake)
    }

    #[test]
    fn a_restart_shows_what_is_durable_and_may_show_no_more() {
        assert_eq!(restart(|_| {}), Ok(()));
    }

    #[test]
    fn a_restart_misses_nothing_durable() {
        let with = |change: fn(&mut Term, &mut Option<NodeId>, [&mut Index; 3])| {
            restart(|started| {
                let Observation::Started {
                    term,
                    vote,
                    last,
                    commit,
                    applied,
                    ..
                } = started
                else {
                    unreachable!("a node starts with that")
                };
                change(term, vote, [last, commit, applied]);
            })
        };
        let cases = [
            (
                with(|term, _, _| *term = 1),
                Monotonic::RestartedWithTerm {
                    term: 1,
                    durable: 2,
                },
            ),
            (
                with(|_, _, [last, ..]| *last = 1),
                Monotonic::RestartedWithLog {
                    last: 1,
                    durable: 2,
                },
            ),
            (
                with(|_, _, [_, commit, _]| *commit = 1),
                Monotonic::RestartedWithCommit {
                    commit: 1,
                    durable: 2,
                },
            ),
            (
                with(|_, _, [.., applied]| *applied = 0),
                Monotonic::RestartedWithApplied {
                    applied: 0,
                    durable: 1,
                },
            ),
            (
                with(|_, vote, _| *vote = None),
                Monotonic::RestartedWithVote {
                    term: 2,
                    vote: None,
                    durable: NodeId(1),
                },
            ),
            (
                with(|_, vote, _| *vote = Some(NodeId(2))),
                Monotonic::RestartedWithVote {
                    term: 2,
                    vote: Some(NodeId(2)),
                    durable: NodeId(1),
                },
            ),
        ];
        for (verdict, breach) in cases {
            assert_eq!(broken(verdict), breach.into());
        }
        assert_eq!(with(|term, vote, _| (*term, *vote) = (3, None)), Ok(()));
    }
}

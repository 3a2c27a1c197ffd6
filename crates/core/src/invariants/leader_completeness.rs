//! Leader Completeness: if an entry is committed in a given term, it is present
//! in the logs of the leaders of all higher terms (Raft paper, figure 3, section
//! 5.4; TLA+ `LeaderCompleteness`). Logs that agree at the highest committed
//! index agree before it, so one comparison an election is enough.
//!
//! It rests on a rule of its own (section 5.4.2, figure 8): a leader commits by counting copies
//! only what is of its own term. Entries of earlier terms on a majority may still be overwritten by
//! a leader that is elected without them, which takes a rare schedule to see; that the rule is
//! broken shows at once.

use super::ledger::Ledger;
use super::{NodeView, Verdict, Violation, breach};
use crate::ids::{Index, NodeId, Role};

pub(super) fn check(id: NodeId, view: &NodeView, ledger: &Ledger) -> Verdict {
    // News of an election may come late, when a later leader has committed more.
    let committed = ledger.committed_before(view.term);
    if view.snapshot.0 > committed || view.chain_at(committed) == ledger.committed(committed) {
        return Ok(());
    }
    let breach = breach::LeaderCompleteness::Lacks {
        term: view.term,
        index: committed,
        ends_at: match view.chain_at(committed) {
            None => Some(view.last()),
            Some(_) => None,
        },
    };
    Err(Violation::by(id, breach))
}

/// `id` is the first to know that its log is committed up to `index`. If it leads, it has counted.
/// A leader that is its own majority may be elected anew within the step in which it counted, so it
/// is spared; and so is what is committed up to the change that a node goes by, for it may be
/// reported by itself, before what comes after it.
pub(super) fn counted(id: NodeId, view: &NodeView, index: Index) -> Verdict {
    let (since, configuration) = view.configuration;
    let counts = view.role == Role::Leader && configuration.electors().len() > 1 && index > since;
    let earlier = view.term_at(index).filter(|term| *term < view.term);
    match earlier {
        Some(entry_term) if counts => {
            let breach = breach::LeaderCompleteness::CountedCopies {
                term: view.term,
                index,
                entry_term,
            };
            Err(Violation::by(id, breach))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Configuration;
    use crate::ids::{NodeSet, Term};
    use crate::invariants::view::tests::log_of;

    fn leader_of(term: Term, voters: u8, entries: &[Term]) -> NodeView {
        let mut view = log_of(Role::Leader, term, entries);
        view.configuration = (0, Configuration::of(NodeSet::first(voters)));
        view
    }

    #[test]
    fn a_leader_counts_copies_of_entries_of_its_own_term() {
        let id = NodeId(1);
        let view = leader_of(4, 3, &[2, 2, 4]);
        assert!(counted(id, &view, 2).is_err(), "figure 8");
        assert_eq!(counted(id, &view, 3), Ok(()));
        assert_eq!(counted(id, &leader_of(4, 1, &[2, 2]), 2), Ok(()), "alone");
        let mut follower = view;
        follower.role = Role::Follower;
        assert_eq!(counted(id, &follower, 2), Ok(()), "it was told");
    }
}

//! Configuration: members agree on which configuration follows which entry; one
//! follows from the one before it by a step that is allowed; a joint one is entered
//! and left in order; a change that fits is carried out as it was asked for; and a leader begins no change while an earlier one is not
//! committed (Raft paper, section 6; dissertation, sections 4.1 and 4.3; Ongaro,
//! "bug in single-server membership changes", raft-dev 2015).

use std::collections::BTreeMap;

use super::{NodeView, Verdict, Violation, breach};
use crate::configuration::Configuration;
use crate::stable::Chain;
use crate::types::{Index, NodeId, NodeSet};

/// Which configuration each log gives, by index and chain.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    known: BTreeMap<Index, Vec<Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    chain: Chain,
    node: NodeId,
    configuration: Configuration,
}

impl Configurations {
    /// `id` goes by `configuration` because of the log up to `index`.
    pub(super) fn entered(
        &mut self,
        id: NodeId,
        view: &NodeView,
        index: Index,
        configuration: Configuration,
    ) -> Verdict {
        let (before_index, before) = view.configuration;
        let follows = index > before_index && !before.is_empty();
        if follows && view.applied + 1 == index && !may_follow(&before, &configuration) {
            let breach = breach::Configuration::NoAllowedStep {
                index,
                before,
                after: configuration,
            };
            return broken(id, breach);
        }
        let Some(chain) = view.chain_at(index) else {
            return Ok(());
        };
        let known = self.known.entry(index).or_default();
        match known.iter().find(|known| known.chain == chain) {
            Some(known) if known.configuration != configuration => broken(
                id,
                breach::Configuration::Differs {
                    index,
                    configuration,
                    other: known.node,
                    others: known.configuration,
                },
            ),
            Some(_) => Ok(()),
            None => {
                known.push(Known {
                    chain,
                    node: id,
                    configuration,
                });
                Ok(())
            }
        }
    }

    pub(super) fn forget_before(&mut self, index: Index) {
        self.known = self.known.split_off(&index);
    }
}

/// Whether one configuration may follow the other: by one voter, into a joint one, or out of one.
fn may_follow(before: &Configuration, after: &Configuration) -> bool {
    let moved = |one: NodeSet, other: NodeSet| one.without(other).with(other.without(one));
    match (before.is_joint(), after.is_joint()) {
        (false, false) => moved(before.voters, after.voters).len() <= 1,
        (false, true) => after.outgoing == before.voters,
        (true, false) => after.voters == before.voters,
        (true, true) => before == after,
    }
}

/// A leader writes a change of the configuration of its own at `index`.
pub(super) fn proposed(id: NodeId, view: &NodeView, index: Index) -> Verdict {
    match view.last_change_before(index) {
        Some(pending) if pending > view.commit => broken(
            id,
            breach::Configuration::BeganTooEarly {
                index,
                pending,
                commit: view.commit,
            },
        ),
        _ => Ok(()),
    }
}

/// `id` leads. It was elected by the configuration that it goes by, so every change that it knows to be
/// committed has taken effect: another majority may already go by it.
pub(super) fn elected(id: NodeId, view: &NodeView) -> Verdict {
    let (since, configuration) = view.configuration;
    let overlooked = view.last_change_before(view.commit + 1);
    match overlooked {
        Some(change) if change > since.max(view.applied) => broken(
            id,
            breach::Configuration::ElectedByOld {
                term: view.term,
                configuration,
                change,
            },
        ),
        _ => Ok(()),
    }
}

/// A change that was committed and fits does not have the effect that it was asked for, or one was begun
/// that a joint configuration forbids, or that only one allows.
#[cold]
pub(super) fn changed_otherwise(id: NodeId, view: &NodeView) -> Verdict {
    let (_, before) = view.configuration;
    let index = view.applied + 1;
    broken(
        id,
        breach::Configuration::ChangedOtherwise { index, before },
    )
}

#[cold]
fn broken(id: NodeId, breach: breach::Configuration) -> Verdict {
    Err(Violation::by(id, breach))
}

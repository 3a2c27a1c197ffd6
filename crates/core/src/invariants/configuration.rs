//! Configuration: members agree on which configuration follows which entry; one
//! follows from the one before it by a step that is allowed; a joint one is entered
//! and left in order; a change that fits is carried out as it was asked for; and a leader begins no
//! change while an earlier one is not committed (Raft paper, section 6; dissertation, sections 4.1
//! and 4.3; Ongaro, "bug in single-server membership changes", raft-dev 2015).

use std::collections::BTreeMap;

use super::{NodeView, Verdict, Violation, breach};
use crate::configuration::Configuration;
use crate::ids::{Index, NodeId, NodeSet};
use crate::replica::BrokenPromise;
use crate::storage::Chain;

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

/// `id` leads. It was elected by the configuration that it goes by, so every change that it knows
/// to be committed has taken effect: another majority may already go by it.
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

/// The library of `id` did what it promises never to do.
#[cold]
pub(super) fn promised(id: NodeId, view: &NodeView, promise: BrokenPromise) -> Verdict {
    let (_, configuration) = view.configuration;
    let breach = match promise {
        BrokenPromise::StoodWithoutVote { role, term } => breach::Configuration::StoodWithoutVote {
            role,
            term,
            configuration,
        },
        BrokenPromise::HandedOverToNoVoter { to, term } => {
            breach::Configuration::HandedOverToNoVoter {
                to,
                term,
                configuration,
            }
        }
    };
    broken(id, breach)
}

/// A change that was committed and fits does not have the effect that it was asked for, or one was
/// begun that a joint configuration forbids, or that only one allows.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Role;
    use crate::invariants::by_hand::{ByHand, broken, voters};
    use crate::replica::{LibraryEvent, Observation};

    /// n1 leads, and these changes in its log, by index, are committed.
    fn committed(nodes: u8, changes: &[Index]) -> ByHand {
        let mut cluster = ByHand::new(nodes);
        cluster.elect(1, 1);
        let everyone: Vec<u8> = (1..=nodes).collect();
        for index in changes {
            for node in &everyone {
                cluster.change(*node, *index, 1).unwrap();
                cluster.sync(*node);
            }
            cluster.commit(1, *index).unwrap();
        }
        cluster
    }

    fn goes_by(
        cluster: &mut ByHand,
        node: u8,
        index: Index,
        configuration: Configuration,
    ) -> Verdict {
        let configured = Observation::Configured {
            index,
            configuration,
        };
        cluster.observe(node, configured)?;
        cluster.apply(node, index, index)
    }

    fn joint(incoming: &[u8], outgoing: &[u8]) -> Configuration {
        Configuration {
            outgoing: voters(outgoing).voters,
            ..voters(incoming)
        }
    }

    #[test]
    fn configurations_follow_one_another_by_one_voter_or_through_a_joint_one() {
        let mut cluster = committed(4, &[1, 2, 3]);
        assert_eq!(goes_by(&mut cluster, 1, 1, voters(&[1, 2, 3])), Ok(()));
        let enter = joint(&[1, 4], &[1, 2, 3]);
        assert_eq!(goes_by(&mut cluster, 1, 2, enter), Ok(()));
        assert_eq!(goes_by(&mut cluster, 1, 3, voters(&[1, 4])), Ok(()));

        let steps = [
            (voters(&[1, 2]), "two voters at once"),
            (joint(&[1, 4], &[1, 2, 3]), "out of another one than before"),
        ];
        for (after, what) in steps {
            let mut cluster = committed(4, &[1]);
            let breach = breach::Configuration::NoAllowedStep {
                index: 1,
                before: voters(&[1, 2, 3, 4]),
                after,
            };
            let verdict = goes_by(&mut cluster, 1, 1, after);
            assert_eq!(broken(verdict), breach.into(), "{what}");
        }
    }

    #[test]
    fn a_joint_configuration_is_left_for_the_one_that_it_leads_to() {
        let mut cluster = committed(3, &[1, 2]);
        let before = joint(&[1, 2], &[1, 2, 3]);
        goes_by(&mut cluster, 1, 1, before).unwrap();
        let after = voters(&[1, 2, 3]);
        let breach = breach::Configuration::NoAllowedStep {
            index: 2,
            before,
            after,
        };
        assert_eq!(broken(goes_by(&mut cluster, 1, 2, after)), breach.into());
    }

    #[test]
    fn nodes_go_by_one_configuration_after_an_entry() {
        let mut cluster = committed(3, &[1]);
        goes_by(&mut cluster, 1, 1, voters(&[1, 2])).unwrap();
        cluster.commit(2, 1).unwrap();
        cluster.commit(3, 1).unwrap();
        assert_eq!(goes_by(&mut cluster, 2, 1, voters(&[1, 2])), Ok(()));
        let breach = breach::Configuration::Differs {
            index: 1,
            configuration: voters(&[1, 3]),
            other: NodeId(1),
            others: voters(&[1, 2]),
        };
        let verdict = goes_by(&mut cluster, 3, 1, voters(&[1, 3]));
        assert_eq!(broken(verdict), breach.into());
    }

    #[test]
    fn a_leader_begins_one_change_at_a_time() {
        let mut cluster = committed(3, &[1]);
        assert_eq!(cluster.change(1, 2, 1), Ok(()), "the first is committed");
        let breach = breach::Configuration::BeganTooEarly {
            index: 3,
            pending: 2,
            commit: 1,
        };
        assert_eq!(broken(cluster.change(1, 3, 1)), breach.into());
        let mut follower = ByHand::new(3);
        follower.change(2, 1, 1).unwrap();
        assert_eq!(follower.change(2, 2, 1), Ok(()), "it takes what it gets");
    }

    #[test]
    fn who_is_elected_goes_by_what_it_knows_to_be_committed() {
        let stand = |applies: bool| {
            let mut cluster = committed(3, &[1]);
            cluster.commit(2, 1).unwrap();
            if applies {
                goes_by(&mut cluster, 2, 1, voters(&[1, 2])).unwrap();
            }
            for voter in [1, 2] {
                cluster.vote(voter, 2, Some(2)).unwrap();
                cluster.sync(voter);
            }
            cluster.role(2, Role::Leader, 2)
        };
        assert_eq!(stand(true), Ok(()));
        let breach = breach::Configuration::ElectedByOld {
            term: 2,
            configuration: voters(&[1, 2, 3]),
            change: 1,
        };
        assert_eq!(broken(stand(false)), breach.into());
    }

    #[test]
    fn a_change_has_the_effect_that_it_was_asked_for() {
        let mut cluster = committed(3, &[1]);
        let breach = breach::Configuration::ChangedOtherwise {
            index: 1,
            before: voters(&[1, 2, 3]),
        };
        let did = Observation::Did(LibraryEvent::ChangedOtherwise);
        assert_eq!(broken(cluster.observe(1, did)), breach.into());
    }

    #[test]
    fn a_promise_that_a_library_breaks_is_a_violation() {
        let mut cluster = committed(3, &[1]);
        let (to, term) = (NodeId(2), 1);
        let breach = breach::Configuration::HandedOverToNoVoter {
            to,
            term,
            configuration: voters(&[1, 2, 3]),
        };
        let broke = Observation::Broke(BrokenPromise::HandedOverToNoVoter { to, term });
        assert_eq!(broken(cluster.observe(1, broke)), breach.into());
    }
}

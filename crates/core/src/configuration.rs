//! Cluster membership: who votes, who learns, and how one configuration follows
//! another (dissertation, chapter 4; joint consensus: Raft paper, section 6).
//! Knows no Raft library.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, NodeSet};
use squall_world::hash::mix;

/// One configuration of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Who votes.
    pub voters: NodeSet,
    /// Who voted before, while a joint configuration lasts: then a majority of each is needed.
    /// Empty otherwise.
    pub outgoing: NodeSet,
    /// Who gets the log and does not vote.
    pub learners: NodeSet,
    /// Outgoing voters that become learners when the joint configuration is left.
    pub learners_next: NodeSet,
    /// The leader leaves the joint configuration of its own accord.
    pub auto_leave: bool,
}

impl Configuration {
    /// One in which these vote and nobody learns.
    pub fn of(voters: NodeSet) -> Self {
        Self {
            voters,
            ..Self::default()
        }
    }

    /// Whether two majorities are needed.
    #[inline]
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Everyone in it.
    #[inline]
    pub fn members(&self) -> NodeSet {
        self.voters.with(self.outgoing).with(self.learners)
    }

    /// Everyone who votes in it.
    #[inline]
    pub fn electors(&self) -> NodeSet {
        self.voters.with(self.outgoing)
    }

    /// Whether `present` is enough to elect and to commit.
    #[inline]
    pub fn has_quorum_in(&self, present: NodeSet) -> bool {
        self.voters.has_majority_in(present) && self.outgoing.has_majority_in(present)
    }

    /// The voters, incoming or outgoing, of whom `present` are no majority: more of these are
    /// needed to elect and to commit.
    pub fn halves_without_majority_in(&self, present: NodeSet) -> NodeSet {
        let halves = [self.voters, self.outgoing].into_iter();
        let lacking = halves.filter(|half| !half.has_majority_in(present));
        lacking.fold(NodeSet::default(), NodeSet::with)
    }

    /// Whether nobody is in it, as on a node that is yet to be told.
    pub fn is_empty(&self) -> bool {
        self.voters.is_empty()
    }

    /// A hash of it.
    pub fn hash(&self) -> u64 {
        let sets = [
            self.voters,
            self.outgoing,
            self.learners,
            self.learners_next,
        ];
        let hash = mix(0, self.auto_leave.into());
        sets.iter().fold(hash, |hash, set| mix(hash, set.bits()))
    }

    /// What it becomes by `change`.
    ///
    /// # Errors
    /// [`Refused`] when `change` does not fit it.
    pub fn after(&self, change: &Change) -> Result<Self, Refused> {
        match change.transition {
            Transition::Leave if change.steps.is_empty() => self.left(),
            Transition::Leave => Err(Refused::Steps),
            _ if self.is_joint() => Err(Refused::Joint),
            Transition::Simple => {
                let next = self.stepped(&change.steps)?;
                let old = self.voters;
                let moved = old.without(next.voters).with(next.voters.without(old));
                match moved.len() {
                    0 | 1 => Ok(Self {
                        learners_next: NodeSet::default(),
                        ..next
                    }),
                    _ => Err(Refused::TooMany),
                }
            }
            Transition::Joint | Transition::JointExplicit => {
                let joint = Self {
                    outgoing: self.voters,
                    ..*self
                };
                Ok(Self {
                    auto_leave: change.transition == Transition::Joint,
                    ..joint.stepped(&change.steps)?
                })
            }
        }
    }

    fn stepped(mut self, steps: &[Step]) -> Result<Self, Refused> {
        for step in steps {
            let Step { node, becomes } = *step;
            self.learners_next.remove(node);
            self.learners.remove(node);
            self.voters.remove(node);
            match becomes {
                Member::Voter => self.voters.add(node),
                // A voter still needed by the outgoing majority learns later.
                Member::Learner if self.outgoing.has(node) => self.learners_next.add(node),
                Member::Learner => self.learners.add(node),
                Member::Nobody => {}
            }
        }
        match self.voters.is_empty() {
            true => Err(Refused::NoVoters),
            false => Ok(self),
        }
    }

    fn left(self) -> Result<Self, Refused> {
        match self.is_joint() {
            true => Ok(Self {
                outgoing: NodeSet::default(),
                learners: self.learners.with(self.learners_next),
                learners_next: NodeSet::default(),
                auto_leave: false,
                ..self
            }),
            false => Err(Refused::NotJoint),
        }
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.voters.is_empty() {
            true => f.write_str("no voters")?,
            false => write!(f, "voters {}", self.voters)?,
        }
        let parts = [
            ("outgoing", self.outgoing),
            ("learners", self.learners),
            ("to be learners", self.learners_next),
        ];
        for (what, set) in parts.iter().filter(|(_, set)| !set.is_empty()) {
            write!(f, "; {what} {set}")?;
        }
        Ok(())
    }
}

/// A change of the configuration, as an operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What becomes of whom.
    pub steps: Vec<Step>,
    /// How.
    pub transition: Transition,
}

impl Change {
    /// A simple one, of one node.
    pub fn of(step: Step) -> Self {
        Self {
            steps: vec![step],
            transition: Transition::Simple,
        }
    }
}

/// What becomes of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Which node.
    pub node: NodeId,
    /// What it becomes.
    pub becomes: Member,
}

/// A node's part in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Member {
    /// It votes.
    Voter,
    /// It gets the log only.
    Learner,
    /// It has none.
    Nobody,
}

/// How a configuration changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// At once; at most one voter comes or goes (dissertation, section 4.1).
    Simple,
    /// Through a joint configuration that the leader leaves of its own accord (section 4.3).
    Joint,
    /// Through a joint configuration that lasts until it is left by [`Transition::Leave`].
    JointExplicit,
    /// Out of a joint configuration; with no steps.
    Leave,
}

/// Why a change does not fit a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// More than one voter would come or go at once.
    #[error("it moves more than one voter at once")]
    TooMany,
    /// Nobody would vote.
    #[error("it leaves nobody to vote")]
    NoVoters,
    /// The configuration is joint.
    #[error("the configuration is joint")]
    Joint,
    /// The configuration is not joint.
    #[error("the configuration is not joint")]
    NotJoint,
    /// A joint configuration is left without further steps.
    #[error("a joint configuration is left without further steps")]
    Steps,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|Step { node, becomes }| match becomes {
                Member::Voter => format!("{node} to be a voter"),
                Member::Learner => format!("{node} to be a learner"),
                Member::Nobody => format!("{node} to leave"),
            })
            .collect();
        let how = match self.transition {
            Transition::Simple => "",
            Transition::Joint => ", by joint consensus",
            Transition::JointExplicit => ", by joint consensus, to be left explicitly",
            Transition::Leave => "the joint configuration to be left",
        };
        write!(f, "{}{how}", steps.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nodes: &[u8]) -> NodeSet {
        nodes.iter().copied().map(NodeId).collect()
    }

    fn change(transition: Transition, steps: &[(u8, Member)]) -> Change {
        let step = |(node, becomes): &(u8, Member)| Step {
            node: NodeId(*node),
            becomes: *becomes,
        };
        Change {
            steps: steps.iter().map(step).collect(),
            transition,
        }
    }

    #[test]
    fn a_joint_configuration_is_entered_and_left() {
        let before = Configuration::of(set(&[1, 2, 3]));
        let enter = change(
            Transition::JointExplicit,
            &[
                (4, Member::Voter),
                (1, Member::Learner),
                (2, Member::Nobody),
            ],
        );
        let joint = before.after(&enter).unwrap();
        assert_eq!(joint.voters, set(&[3, 4]));
        assert_eq!(joint.outgoing, set(&[1, 2, 3]));
        assert_eq!(joint.learners_next, set(&[1]));
        assert!(
            !joint.has_quorum_in(set(&[3, 4])),
            "one of three is no majority"
        );
        assert!(joint.has_quorum_in(set(&[2, 3, 4])));
        assert_eq!(joint.after(&enter), Err(Refused::Joint));
        let left = joint.after(&change(Transition::Leave, &[])).unwrap();
        assert_eq!(left.voters, set(&[3, 4]));
        assert_eq!(left.learners, set(&[1]));
        assert_eq!(
            left.after(&change(Transition::Leave, &[])),
            Err(Refused::NotJoint)
        );
    }

    #[test]
    fn a_simple_change_moves_one_voter() {
        let before = Configuration::of(set(&[1, 2]));
        let two = change(
            Transition::Simple,
            &[(1, Member::Nobody), (3, Member::Voter)],
        );
        assert_eq!(before.after(&two), Err(Refused::TooMany));
        let all = change(
            Transition::Joint,
            &[(1, Member::Nobody), (2, Member::Nobody)],
        );
        assert_eq!(before.after(&all), Err(Refused::NoVoters));
        let demote = change(
            Transition::Simple,
            &[(1, Member::Learner), (5, Member::Learner)],
        );
        let after = before.after(&demote).unwrap();
        assert_eq!((after.voters, after.learners), (set(&[2]), set(&[1, 5])));
    }
}

//! After the storm: which nodes suffice for the cluster to go on. Where the membership changes, a
//! bare majority is one of every configuration that those who are left may come to go by, and which
//! ones these are is read from their logs. Knows no Raft library.

use std::borrow::Cow;

use super::world::World;
use crate::configuration::{Change, Configuration, Transition};
use crate::counters::Counter;
use crate::ids::{Index, NodeId, NodeSet};
use crate::invariants::NodeView;
use crate::replica::Subject;

/// With more changes asked for than these, what they may lead to is not worked out, and everyone is
/// taken to be needed.
const MOST_CHANGES: usize = 256;

/// What is left of a node after the storm.
struct Remaining<'a> {
    id: NodeId,
    view: Cow<'a, NodeView>,
    /// The highest index that it knows to be committed.
    commit: Index,
}

impl<S: Subject> World<'_, '_, S> {
    /// Who takes part after the storm: everyone who can, or where only a bare majority is `wanted`,
    /// those, and as many others as they need to elect a leader and to go on.
    pub(super) fn participants(&mut self, wanted: Option<&[NodeId]>) -> Vec<NodeId> {
        let all = self.nodes.iter().copied();
        let all: Vec<NodeId> = all.filter(|id| self.has_a_disk_to_lose(*id)).collect();
        let Some(wanted) = wanted else {
            self.counters.hit(Counter::HealedEveryone);
            return all;
        };
        let (_, newest) = self.configuration;
        let is_wanted = |id: &NodeId| wanted.contains(id) && newest.members().has(*id);
        let (chosen, mut others): (Vec<NodeId>, Vec<NodeId>) =
            all.iter().copied().partition(is_wanted);
        let mut chosen: NodeSet = chosen.into_iter().collect();
        while let Some(short) = self.without_majority(chosen) {
            others.retain(|id| !chosen.has(*id));
            let missing = short.halves_without_majority_in(chosen);
            let votes = |id: &NodeId| missing.has(*id);
            let voters: Vec<NodeId> = others.iter().copied().filter(votes).collect();
            match [&voters, &others].into_iter().find(|some| !some.is_empty()) {
                Some(some) => chosen.add(*self.operator_choices.pick(some)),
                None => break,
            }
        }
        self.is_short_handed = chosen.len() < all.len();
        self.counters.hit(match self.is_short_handed {
            true => Counter::HealedQuorum,
            false => Counter::HealedEveryone,
        });
        if self.is_short_handed && self.is_changing(chosen) {
            self.counters.hit(Counter::HealedQuorumInChange);
        }
        chosen.iter().collect()
    }

    /// Whether those who take part can elect a leader and go on, by what their logs have come to
    /// hold since: a change that was under way when the storm ended may need one who was left out.
    pub(super) fn participants_suffice(&self) -> bool {
        if !self.is_short_handed {
            return true;
        }
        let gone = |id: &NodeId| self.views[id.position()].gone;
        let left = self.participants.iter().copied();
        self.without_majority(left.filter(|id| !gone(id)).collect())
            .is_none()
    }

    /// A configuration for which `left` are too few, if nobody else comes back: one that any of
    /// them may have to go by, and of which they are no majority, or one in which none of them can
    /// be elected.
    ///
    /// To be elected takes a log that holds what is committed. Its node goes by the last change
    /// that a voter of `left` knows to be committed, for requests for votes tell, or a log is gone
    /// by as it is; or by a later one in that log, be it committed or not, or in another's, whose
    /// messages may be under way. Where none of `left` knows the newest committed one to be so,
    /// a leader is first elected by an older one.
    fn without_majority(&self, left: NodeSet) -> Option<Configuration> {
        if self.asked.len() > MOST_CHANGES {
            let lacks = |id: &NodeId| self.has_a_disk_to_lose(*id) && !left.has(*id);
            return self.nodes.iter().any(lacks).then_some(self.configuration.1);
        }
        let ever_up = |id: &NodeId| self.slots[id.position()].incarnations > 0;
        let all = self.nodes.iter().copied().filter(ever_up);
        let all: Vec<Remaining<'_>> = all.map(|id| self.remaining(id)).collect();
        let stays = |node: &&Remaining<'_>| left.has(node.id);
        let (newest, configuration) = self.configuration;
        let told = |node: &&Remaining<'_>| stays(node) && configuration.electors().has(node.id);
        let known = all.iter().filter(told).map(|node| node.commit).max();
        let outlived = |(index, _): &&(Index, Configuration)| Some(*index) <= known;
        let since = self.past.iter().skip(1).take_while(outlived).count();
        let mut needed: Vec<Configuration> =
            self.past[since..].iter().map(|(_, past)| *past).collect();
        let holds = |node: &&Remaining<'_>| self.has_committed(&node.view, newest);
        for node in all.iter().filter(holds) {
            needed.extend(self.ends_of(&node.view));
        }
        if let Some(short) = needed.iter().find(|one| !one.has_quorum_in(left)) {
            return Some(*short);
        }
        let can_lead = |node: &Remaining<'_>| {
            let ahead = |other: &&Remaining<'_>| self.is_ahead(&other.view, &node.view);
            let ahead = all.iter().filter(stays).filter(ahead).map(|other| other.id);
            let votes = left.without(ahead.collect());
            let elects =
                |one: &Configuration| one.electors().has(node.id) && one.has_quorum_in(votes);
            self.past[since..].iter().all(|(_, past)| elects(past))
                && self.ends_of(&node.view).iter().all(elects)
        };
        let led = all.iter().filter(stays).filter(holds).any(can_lead);
        (!led).then_some(configuration)
    }

    /// What is left of a node: what it has while it is up, or what it starts again with.
    fn remaining(&self, id: NodeId) -> Remaining<'_> {
        let durable = self.disks[id.position()].durable();
        let view = self.view_of(id);
        let commit = match self.is_up(id) {
            true => view.commit,
            false => durable.commit.max(durable.snapshot_index()),
        };
        Remaining { id, view, commit }
    }

    /// A node that is up as it shows itself, and another as it will when it starts again.
    pub(super) fn view_of(&self, id: NodeId) -> Cow<'_, NodeView> {
        match self.is_up(id) {
            true => Cow::Borrowed(&self.views[id.position()]),
            false => Cow::Owned(NodeView::booting(self.disks[id.position()].durable(), 0)),
        }
    }

    /// What the changes of the configuration lead to that a log holds after the newest committed
    /// one: each may be cut off again, so each that is left before it counts too.
    fn ends_of(&self, view: &NodeView) -> Vec<Configuration> {
        let (newest, configuration) = self.configuration;
        // The node may have told which configuration its log leads to.
        let (since, told) = match view.configuration {
            (index, told) if index > newest => (index, told),
            _ => (newest, configuration),
        };
        let mut ends = vec![told];
        let mut before = vec![told];
        for _ in 0..view.changes_after(since) {
            before = self.changed(&before);
            ends.extend(&before);
        }
        ends
    }

    /// Whether the log of `one` is more up-to-date than that of `other` (Raft paper, section
    /// 5.4.1). One that ends with its snapshot has an unknown last term and holds nothing but what
    /// is committed.
    fn is_ahead(&self, one: &NodeView, other: &NodeView) -> bool {
        match (one.term_at(one.last()), other.term_at(other.last())) {
            (Some(term), Some(others)) => (term, one.last()) > (others, other.last()),
            (Some(_), None) => one.last() > other.last(),
            (None, _) => other.last() < one.last() || !self.has_committed(other, one.last()),
        }
    }

    /// Whether a log holds the committed entry at `index`, or its node a snapshot that stands for
    /// it.
    pub(super) fn has_committed(&self, view: &NodeView, index: Index) -> bool {
        view.snapshot.0 > index || self.checks.holds_committed(view, index)
    }

    /// What one more change, of those that operators have asked for, makes of each of `before`.
    fn changed(&self, before: &[Configuration]) -> Vec<Configuration> {
        let mut changes = self.asked_changes();
        changes.push(Change {
            steps: Vec::new(),
            transition: Transition::Leave,
        });
        let mut after: Vec<Configuration> = Vec::new();
        for change in &changes {
            for one in before.iter().filter_map(|one| one.after(change).ok()) {
                if !after.contains(&one) {
                    after.push(one);
                }
            }
        }
        after
    }

    /// Whether one of these nodes holds a change of the configuration that another has not applied.
    fn is_changing(&self, nodes: NodeSet) -> bool {
        let (newest, _) = self.configuration;
        let mut views = nodes.iter().map(|id| &self.views[id.position()]);
        views.any(|view| view.change_unapplied() || view.applied < newest)
    }
}

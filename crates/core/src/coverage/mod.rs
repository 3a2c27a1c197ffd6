//! Raft-state coverage: which abstract states of a cluster a run has been in, and
//! how it got from one to the next. A state says of every node what matters to
//! Raft and leaves numbers and names out: terms, logs and commits count by how they
//! compare across the cluster, two states that differ in the nodes' names only are one,
//! and nodes that are alike count once. It is told facts, and knows no engine, no plan and no Raft
//! library.
//!
//! What a model checker calls the visited states serves here to tell which runs did
//! something new, as in model-guided fuzzing (Gulcan et al., OOPSLA 2025), Mallory
//! (Meng et al., CCS 2023) and SandTable (Tang et al., EuroSys 2024); unlike there, no
//! model of the system is written for it, and its states are taken in every step.

mod facts;
mod map;
#[cfg(test)]
mod tests;
mod word;

pub use facts::{Cut, Facts, Part, Standing};
pub use map::{Map, NewCoverage, cover};

use word::{Mark, Marks};

use rustc_hash::FxHashSet;

use crate::ids::{Index, NodeId, Term};
use squall_world::hash::{finish, mix};

/// Transitions that a run has room for before it must make more.
const ROOM: usize = 1_024;

/// Takes a run's states as it goes: one for each run.
#[derive(Clone, Debug)]
pub struct Coverage {
    facts: Vec<Facts>,
    cuts: Vec<Cut>,
    /// What each node adds to the signature.
    own: Vec<(u64, Mark)>,
    marks: Marks,
    summit: Summit,
    healed: bool,
    /// The sum of the different words, each spread: the same in every order of nodes.
    sum: u64,
    signature: u64,
    states: FxHashSet<u64>,
    transitions: FxHashSet<u64>,
}

/// What a run covered: hashes, rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunCoverage {
    /// Signatures of the abstract states that it was in.
    pub states: Vec<u64>,
    /// Pairs of one such state and the next.
    pub transitions: Vec<u64>,
}

/// What nodes are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summit {
    /// The highest term that any node has had.
    pub(crate) term: Term,
    /// The highest commit index that any node has known of.
    pub(crate) commit: Index,
    /// The index of the newest configuration that any node has gone by.
    pub(crate) configuration: Index,
    /// The leader of the highest term that has one: who, its term, and the bounds of its log.
    pub(crate) leader: Option<(NodeId, Term, Index, Index)>,
}

impl Coverage {
    /// For a run of so many nodes.
    pub fn new(nodes: usize) -> Self {
        let mut coverage = Self {
            facts: vec![Facts::default(); nodes],
            cuts: vec![Cut::default(); nodes],
            own: vec![(0, Mark::default()); nodes],
            marks: Marks::default(),
            summit: Summit::default(),
            healed: false,
            sum: 0,
            signature: 0,
            states: FxHashSet::default(),
            transitions: FxHashSet::with_capacity_and_hasher(ROOM, Default::default()),
        };
        coverage.compare_all(&|_, _| None);
        coverage.signature = coverage.sign();
        coverage.states.insert(coverage.signature);
        coverage
    }

    /// `node` is now so. `term_at` tells the term of a node's entry at an index, where it has it.
    #[inline]
    pub fn look(
        &mut self,
        node: NodeId,
        facts: Facts,
        term_at: impl Fn(NodeId, Index) -> Option<Term>,
    ) {
        let place = node.position();
        let before = std::mem::replace(&mut self.facts[place], facts);
        if before == facts {
            return;
        }
        // The others compare otherwise only where this one moves what they are compared with.
        match self.summit_moves(&before, &facts) {
            true => self.compare_all(&term_at),
            false => self.compare(place, &term_at),
        }
        self.take_down();
    }

    /// Which links are cut, and whether the storm is over, may now be otherwise.
    pub fn look_around(
        &mut self,
        healed: bool,
        is_cut: impl Fn(NodeId, NodeId) -> bool,
        term_at: impl Fn(NodeId, Index) -> Option<Term>,
    ) {
        self.healed = healed;
        let nodes = self.facts.len();
        let ids = || (1..=nodes).map(|id| NodeId(id as u8));
        for node in ids() {
            let others = ids().filter(|other| *other != node);
            let each = |other| u64::from(is_cut(node, other)) + u64::from(is_cut(other, node));
            let cut = match others.map(each).sum::<u64>() {
                0 => Cut::Nowhere,
                all if all == 2 * (nodes as u64 - 1) => Cut::Off,
                _ => Cut::Somewhere,
            };
            if std::mem::replace(&mut self.cuts[node.position()], cut) != cut {
                self.compare(node.position(), &term_at);
            }
        }
        self.take_down();
    }

    /// What the run covered.
    pub fn trail(&self) -> RunCoverage {
        let rising = |set: &FxHashSet<u64>| {
            let mut all: Vec<u64> = set.iter().copied().collect();
            all.sort_unstable();
            all
        };
        RunCoverage {
            states: rising(&self.states),
            transitions: rising(&self.transitions),
        }
    }

    /// The signature of the state that the cluster is in.
    pub fn signature(&self) -> u64 {
        self.signature
    }

    /// Takes in what a node's change means for the summit. Returns whether that moves.
    #[inline]
    fn summit_moves(&mut self, before: &Facts, facts: &Facts) -> bool {
        let summit = &mut self.summit;
        let old = *summit;
        summit.term = summit.term.max(facts.term);
        summit.commit = summit.commit.max(facts.commit);
        summit.configuration = summit.configuration.max(facts.configuration);
        if before.leads() || facts.leads() {
            self.summit.leader = self.leader();
        }
        self.summit != old
    }

    fn leader(&self) -> Option<(NodeId, Term, Index, Index)> {
        let ids = (1..).map(NodeId);
        let leaders = ids.zip(&self.facts).filter(|(_, facts)| facts.leads());
        let highest = leaders.max_by_key(|(_, facts)| facts.term);
        highest.map(|(id, facts)| (id, facts.term, facts.first, facts.last))
    }

    fn compare_all(&mut self, term_at: &impl Fn(NodeId, Index) -> Option<Term>) {
        for place in 0..self.facts.len() {
            self.compare(place, term_at);
        }
    }

    #[inline]
    fn compare(&mut self, place: usize, term_at: &impl Fn(NodeId, Index) -> Option<Term>) {
        let id = NodeId(place as u8 + 1);
        let (facts, cut, summit) = (&self.facts[place], self.cuts[place], &self.summit);
        let mark = Mark::of(facts, cut, summit);
        let word = finish(word::of(id, facts, cut, summit, term_at));
        let before = std::mem::replace(&mut self.own[place], (word, mark));
        if before.1 != mark {
            self.marks.change(before.1, mark);
        }
        if before.0 != word {
            // Nodes that are alike count once.
            if !self.has_like(place, before.0) {
                self.sum = self.sum.wrapping_sub(before.0);
            }
            if !self.has_like(place, word) {
                self.sum = self.sum.wrapping_add(word);
            }
        }
    }

    /// Whether another node than the one at `place` has this word.
    #[inline]
    fn has_like(&self, place: usize, word: u64) -> bool {
        let mut others = self.own.iter().enumerate();
        others.any(|(other, (theirs, _))| *theirs == word && other != place)
    }

    #[inline]
    fn sign(&self) -> u64 {
        finish(mix(
            self.sum,
            self.marks.word() << 1 | u64::from(self.healed),
        ))
    }

    /// Takes down the state, if it is another.
    #[inline]
    fn take_down(&mut self) {
        let signature = self.sign();
        if signature == self.signature {
            return;
        }
        let transition = mix(self.signature, signature);
        self.signature = signature;
        if self.transitions.insert(transition) {
            self.states.insert(signature);
        }
    }
}

//! A node in one word: what of it matters to Raft, in comparison with the others. What happens all
//! the time, at every node (an entry on its way, a sync), counts for the cluster as a whole, or for
//! whoever leads, and not for each node: else hardly any state would be met twice.

use super::{Cut, Facts, Part, Standing, Summit};
use crate::ids::{Index, NodeId, Role, Term};

/// Packs small numbers into a word.
struct Packer {
    word: u64,
    bits: u32,
}

impl Packer {
    #[inline]
    fn put(&mut self, value: u64, bits: u32) {
        debug_assert!(value < 1 << bits && self.bits + bits <= 64);
        self.word |= value << self.bits;
        self.bits += bits;
    }

    #[inline]
    fn flag(&mut self, on: bool) {
        self.put(on.into(), 1);
    }
}

/// The word of node `id`.
#[inline]
pub(super) fn of(
    id: NodeId,
    facts: &Facts,
    cut: Cut,
    summit: &Summit,
    term_at: &impl Fn(NodeId, Index) -> Option<Term>,
) -> u64 {
    let mut pack = Packer { word: 1, bits: 1 };
    pack.put(facts.standing as u64, 2);
    pack.put(cut as u64, 2);
    pack.flag(facts.term < summit.term);
    pack.put(log(id, facts, summit, term_at), 3);
    pack.put(facts.part as u64, 2);
    pack.flag(facts.joint);
    if matches!(facts.standing, Standing::Down | Standing::Gone) {
        return pack.word;
    }
    pack.put(facts.role as u64, 2);
    match facts.role {
        // Its vote matters as long as nobody leads the term.
        Role::Follower | Role::PreCandidate => {
            let leads = |(_, term, ..): (NodeId, Term, Index, Index)| term >= facts.term;
            pack.flag(facts.vote.is_some() && !summit.leader.is_some_and(leads));
        }
        Role::Candidate => {
            pack.flag(facts.last >= summit.commit);
            pack.flag(facts.hard_state_is_durable);
            pack.flag(facts.configuration == summit.configuration);
        }
        Role::Leader => {
            pack.flag(facts.commit == summit.commit);
            pack.flag(facts.commit < facts.last);
            pack.flag(facts.last_term == facts.term);
            pack.flag(facts.log_is_durable);
            pack.flag(facts.transfers);
            pack.flag(facts.change_pending);
            pack.flag(facts.configuration == summit.configuration);
        }
    }
    pack.word
}

/// Its log beside the leader's: nobody leads, a part of it, longer, another, or so far behind
/// that it needs a snapshot.
#[inline]
fn log(
    id: NodeId,
    facts: &Facts,
    summit: &Summit,
    term_at: &impl Fn(NodeId, Index) -> Option<Term>,
) -> u64 {
    let Some((leader, _, first, last)) = summit.leader else {
        return 0;
    };
    if leader == id {
        return 1;
    }
    if facts.last + 1 < first {
        return 4;
    }
    // By log matching, two logs agree up to an entry of the same term (Raft paper, section 5.3).
    let parts = match facts.last <= last {
        true => term_at(leader, facts.last).is_some_and(|term| term != facts.last_term),
        false => match (term_at(leader, last), term_at(id, last)) {
            (Some(theirs), Some(own)) => theirs != own,
            _ => false,
        },
    };
    match parts {
        true => 3,
        false if facts.last > last => 2,
        false => 1,
    }
}

/// What a node adds to what is told of the cluster as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Its term and vote would not survive a crash.
    pub(super) vote_at_risk: bool,
    /// Some of its log, or its snapshot, would not.
    pub(super) log_at_risk: bool,
    /// It goes by an older configuration than others.
    pub(super) outdated: bool,
    /// It votes,
    pub(super) votes: bool,
    /// and could do so now.
    pub(super) reachable: bool,
}

impl Mark {
    #[inline]
    pub(super) fn of(facts: &Facts, cut: Cut, summit: &Summit) -> Self {
        let up = facts.standing == Standing::Up;
        let votes = facts.part == Part::Voter;
        Self {
            vote_at_risk: up && !facts.hard_state_is_durable,
            log_at_risk: up && !(facts.log_is_durable && facts.snapshot_is_durable),
            outdated: up && facts.configuration < summit.configuration,
            votes,
            reachable: votes && up && cut != Cut::Off,
        }
    }
}

/// How many nodes have each mark.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    vote_at_risk: u8,
    log_at_risk: u8,
    outdated: u8,
    votes: u8,
    reachable: u8,
}

impl Marks {
    #[inline]
    pub(super) fn change(&mut self, before: Mark, after: Mark) {
        let Self {
            vote_at_risk,
            log_at_risk,
            outdated,
            votes,
            reachable,
        } = self;
        for (count, was, is) in [
            (vote_at_risk, before.vote_at_risk, after.vote_at_risk),
            (log_at_risk, before.log_at_risk, after.log_at_risk),
            (outdated, before.outdated, after.outdated),
            (votes, before.votes, after.votes),
            (reachable, before.reachable, after.reachable),
        ] {
            *count = *count + u8::from(is) - u8::from(was);
        }
    }

    /// Whether somebody has each, and whether a majority of voters is there, in a word.
    #[inline]
    pub(super) fn word(self) -> u64 {
        let mut pack = Packer { word: 1, bits: 1 };
        pack.flag(self.vote_at_risk > 0);
        pack.flag(self.log_at_risk > 0);
        pack.flag(self.outdated > 0);
        pack.flag(self.reachable > self.votes / 2);
        pack.word
    }
}

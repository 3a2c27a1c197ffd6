//! What a node has reported of itself, so that it reports only what is new.

use crate::ids::{Index, Role, Term};
use crate::replica::{Observation, Output, Start};

/// Role, term and commit index as they were reported last.
///
/// A driver calls [`Reports::role`] after every call of its library that may change the role, and
/// [`Reports::commit`] when the entries up to the commit index are written; both report what is new
/// and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Reports {
    role: Role,
    term: Term,
    commit: Index,
}

impl Reports {
    /// What [`Recovered::recover`](crate::replica::Recovered::recover) has reported: a follower.
    pub fn new(start: &Start) -> Self {
        Self {
            role: Role::Follower,
            term: start.state.hard.term,
            commit: start.state.commit.max(start.state.snapshot_index()),
        }
    }

    /// The role that was reported last.
    pub fn last_role(&self) -> Role {
        self.role
    }

    /// The commit index that was reported last.
    pub fn last_commit(&self) -> Index {
        self.commit
    }

    /// Reports role and term, if one of them is new.
    #[inline]
    pub fn role<M>(&mut self, role: Role, term: Term, out: &mut Output<M>) {
        if (role, term) != (self.role, self.term) {
            (self.role, self.term) = (role, term);
            out.observe(Observation::Role { role, term });
        }
    }

    /// Reports the commit index, if it has changed. One that goes back is reported as well: that is
    /// for the checks to find.
    #[inline]
    pub fn commit<M>(&mut self, index: Index, out: &mut Output<M>) {
        if index != self.commit {
            self.commit = index;
            out.observe(Observation::Committed { index });
        }
    }
}

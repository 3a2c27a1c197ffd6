//! Log Matching: if two logs contain an entry with the same index and term, then
//! the logs are identical in all entries up through it (Raft paper, figure 3,
//! section 5.3; TLA+ `LogMatching`). And a log has no holes.
//!
//! An entry that its only writer lost in a crash, unsynced, is in no log any
//! more: a node that is its own majority may write another in its place.

use super::{Property, Verdict, Violation};
use crate::indexed::Indexed;
use crate::stable::Chain;
use crate::types::{Index, NodeId, NodeSet, Term};

/// Every (index, term) ever written, with the chain it stood for. Most indices
/// have one term only.
#[derive(Debug, Default)]
pub(super) struct LogMatching {
    seen: Indexed<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    first: Option<Mark>,
    more: Vec<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    term: Term,
    chain: Chain,
    /// Who wrote it first.
    node: NodeId,
    /// Who has it, or had it and did not lose it in a crash.
    writers: NodeSet,
}

impl LogMatching {
    #[inline(always)]
    pub(super) fn appended(
        &mut self,
        id: NodeId,
        index: Index,
        term: Term,
        chain: Chain,
    ) -> Verdict {
        while self.seen.next() <= index {
            self.seen.push(Seen::default());
        }
        let Some(seen) = self.seen.get_mut(index) else {
            return Ok(());
        };
        match seen.of_term(term) {
            Some(known) if known.chain == chain => known.writers.add(id),
            Some(known) => return Err(differs(id, index, term, known.node)),
            None => {
                let mut writers = NodeSet::default();
                writers.add(id);
                let mark = Mark {
                    term,
                    chain,
                    node: id,
                    writers,
                };
                match seen.first {
                    None => seen.first = Some(mark),
                    Some(_) => seen.more.push(mark),
                }
            }
        }
        Ok(())
    }

    /// `id` lost the entry at `index` of `term` in a crash.
    pub(super) fn lost(&mut self, id: NodeId, index: Index, term: Term) {
        let Some(seen) = self.seen.get_mut(index) else {
            return;
        };
        if let Some(mark) = seen.of_term(term) {
            mark.writers.remove(id);
            let nobody = |mark: &Mark| mark.writers.is_empty();
            seen.first.take_if(|mark| nobody(mark));
            seen.more.retain(|mark| !nobody(mark));
        }
    }

    pub(super) fn forget_before(&mut self, index: Index) {
        self.seen.drop_through(index.saturating_sub(1));
    }
}

impl Seen {
    #[inline]
    fn of_term(&mut self, term: Term) -> Option<&mut Mark> {
        match &mut self.first {
            Some(first) if first.term == term => Some(first),
            _ => self.more.iter_mut().find(|mark| mark.term == term),
        }
    }
}

#[cold]
fn differs(id: NodeId, index: Index, term: Term, other: NodeId) -> Box<Violation> {
    let message = format!(
        "{id} wrote entry {index} of term {term}, but its log up to it differs from the one {other} wrote with that index and term"
    );
    Violation::by(id, Property::LogMatching, message)
}

/// A write that leaves a hole in the log.
#[cold]
pub(super) fn gap(id: NodeId, index: Index, last: Index) -> Box<Violation> {
    let message =
        format!("{id} wrote entry {index} though its log ends at {last}: that leaves a hole");
    Violation::by(id, Property::LogMatching, message)
}

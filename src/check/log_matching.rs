//! Log Matching: if two logs contain an entry with the same index and term, then
//! the logs are identical in all entries up through it (Raft paper, figure 3,
//! section 5.3; TLA+ `LogMatching`). And a log has no holes.

use super::{Property, Violation};
use crate::indexed::Indexed;
use crate::stable::Chain;
use crate::types::{Index, NodeId, Term};

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
    node: NodeId,
}

impl LogMatching {
    #[inline]
    pub(super) fn appended(
        &mut self,
        id: NodeId,
        index: Index,
        term: Term,
        chain: Chain,
    ) -> Result<(), Violation> {
        while self.seen.next() <= index {
            self.seen.push(Seen::default());
        }
        let Some(seen) = self.seen.get_mut(index) else {
            return Ok(());
        };
        let mark = Mark { term, chain, node: id };
        let known = match &seen.first {
            None => {
                seen.first = Some(mark);
                return Ok(());
            }
            Some(first) if first.term == term => Some(first),
            Some(_) => seen.more.iter().find(|known| known.term == term),
        };
        match known {
            None => seen.more.push(mark),
            Some(known) if known.chain == chain => {}
            Some(known) => {
                let message = format!(
                    "{id} wrote entry {index} of term {term}, but its log up to it differs from the one {} wrote with that index and term",
                    known.node
                );
                return Err(Violation::by(id, Property::LogMatching, message));
            }
        }
        Ok(())
    }

    pub(super) fn forget_before(&mut self, index: Index) {
        self.seen.drop_through(index.saturating_sub(1));
    }
}

/// A write that leaves a hole in the log.
pub(super) fn gap(id: NodeId, index: Index, last: Index) -> Violation {
    let message = format!("{id} wrote entry {index} though its log ends at {last}: that leaves a hole");
    Violation::by(id, Property::LogMatching, message)
}

//! Linearizability: every operation appears to take effect at one instant between
//! its invocation and its answer (Herlihy & Wing, TOPLAS 1990; dissertation,
//! section 6.3). Stale reads, lost updates and phantom values all show here; a read of a state that is too old does
//! even where its value is right by chance (dissertation, section 6.4: the read index). And
//! Exactly Once: a command that a client sent again applies once.
//!
//! The work is `history`'s; this file says what its findings mean.

use super::{Verdict, Violation, breach};
use crate::history::{Settled, Wrong};
use crate::sometimes::{Counters, Event};
use crate::types::NodeId;

/// `id` gave an answer that was `settled` so; none when the run is over, and what was left open is.
pub(super) fn judge(
    id: Option<NodeId>,
    settled: Result<Settled, Wrong>,
    counters: &mut Counters,
) -> Verdict {
    match settled {
        Ok(Settled::ByLog) => Ok(()),
        Ok(Settled::BySearch) => {
            counters.hit(Event::OrderSearched);
            Ok(())
        }
        Ok(Settled::NotYet) => {
            counters.hit(Event::OrderUndecided);
            Ok(())
        }
        Err(wrong) => Err(broken(id, wrong)),
    }
}

#[cold]
fn broken(id: Option<NodeId>, wrong: Wrong) -> Box<Violation> {
    match wrong {
        Wrong::NotLinearizable { part, stuck } => {
            Violation::by(id, breach::Linearizability::NoOrder { part, stuck })
        }
        Wrong::Stale { index, floor } => {
            Violation::by(id, breach::Linearizability::Stale { index, floor })
        }
        Wrong::Repeated { answer, right } => {
            Violation::by(id, breach::ExactlyOnce::Repeated { answer, right })
        }
    }
}

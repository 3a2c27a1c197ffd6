//! Linearizability: every operation appears to take effect at one instant between
//! its invocation and its answer (Herlihy & Wing, TOPLAS 1990; dissertation,
//! section 6.3). Stale reads, lost updates and phantom values all show here; a read of a state that is too old does
//! even where its value is right by chance (dissertation, section 6.4: the read index). And
//! Exactly Once: a command that a client sent again applies once.
//!
//! The work is `history`'s; this file says what its findings mean.

use super::{Property, Verdict, Violation};
use crate::counters::{Counters, Event};
use crate::history::{Settled, Wrong};
use crate::ids::NodeId;
use crate::service::Answer;

pub(super) fn judge(
    id: Option<NodeId>,
    answer: Option<Answer>,
    settled: Result<Settled, Wrong>,
    counters: &mut Counters,
) -> Verdict {
    let who = id.map_or("the cluster".to_owned(), |id| id.to_string());
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
        Err(Wrong::NotLinearizable { part, story }) => {
            let message = format!(
                "{who} answered what no order of the operations on {part} explains: {story}"
            );
            Err(Violation::by(id, Property::Linearizability, message))
        }
        Err(Wrong::Stale { index, floor }) => {
            let message = format!(
                "{who} answered a read by the state after entry {index}, though a client had been told of entry {floor} before it was asked"
            );
            Err(Violation::by(id, Property::Linearizability, message))
        }
        Err(Wrong::Repeated { right }) => {
            let answer = answer.map_or("another".to_owned(), |answer| answer.to_string());
            let message = format!(
                "{who} answered \"{answer}\" where a retried command applied once gives \"{right}\": it applied more than once"
            );
            Err(Violation::by(id, Property::ExactlyOnce, message))
        }
    }
}

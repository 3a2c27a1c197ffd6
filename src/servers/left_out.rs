//! What a plan says and servers do not have, in words for the trace.

use crate::plan::{Heal, Plan, What};

/// Whether a fault is left out.
pub(super) fn is(what: &What) -> bool {
    matches!(
        what,
        What::Rot { .. } | What::Jump { .. } | What::Change { .. } | What::Ask { .. }
    )
}

/// What else is left out.
pub(super) fn of_plan(plan: &Plan) -> Vec<&'static str> {
    let clocks = &plan.cluster.clocks;
    let is_offset = clocks.iter().any(|clock| clock.offset_us != 0);
    let few = matches!(plan.heal, Heal::Quorum(_));
    let joins = plan.cluster.spares > 0;
    let words = [
        (
            is_offset,
            "what clocks show at the start: a monotonic clock shows no time of day",
        ),
        (few, "a bare majority after the storm: everyone takes part"),
        (joins, "nodes that join later: all are there from the start"),
        (
            plan.script.is_some(),
            "the script of client operations: clients draw what they ask for",
        ),
    ];
    let holds = |(holds, word): (bool, &'static str)| holds.then_some(word);
    words.into_iter().filter_map(holds).collect()
}

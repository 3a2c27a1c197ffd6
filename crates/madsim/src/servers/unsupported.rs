//! What a plan says and servers do not have, in words for the trace.

use squall_core::ids::NodeId;
use squall_core::plan::{Heal, Plan};

/// What is left out beside faults.
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
        (
            joins,
            "nodes that join later: what is about one of them is about another",
        ),
        (
            plan.script.is_some(),
            "the script of client operations: clients draw what they ask for",
        ),
    ];
    let holds = |(holds, word): (bool, &'static str)| holds.then_some(word);
    words.into_iter().filter_map(holds).collect()
}

/// The plan without nodes that join later, which no server is told of.
pub(super) fn without_spares(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let stay = plan.cluster.voters + plan.cluster.learners;
    let stays = |node: NodeId| node.0 <= stay;
    plan.cluster.spares = 0;
    plan.cluster.clocks.truncate(stay.into());
    for fault in &mut plan.faults {
        fault.rename(|node| match stays(node) {
            true => node,
            false => NodeId((node.0 - 1) % stay + 1),
        });
    }
    if let Some(schedule) = &mut plan.schedule {
        let both = |from, to| stays(from) && stays(to);
        schedule.links.retain(|link| both(link.from, link.to));
        schedule
            .demotions
            .retain(|fall| both(fall.link.from, fall.link.to));
    }
    plan
}

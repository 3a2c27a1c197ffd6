//! Freezing: what chance decided in the best plan's run becomes a part of the plan,
//! so that each piece of it can be left out for itself.

use super::trial::Trial;
use super::{faults, nodes, operations, times};
use squall_core::plan::{Fault, Plan, What, When};
use squall_world::network::{LinkDegradation, LinkOptions};

/// What takes away after something was made explicit: much of it, then each piece.
const REMOVAL: &[fn(&mut Trial<'_>)] = &[
    times::cut_start,
    faults::reduce,
    operations::reduce,
    nodes::remove,
    faults::remove,
    operations::remove,
];

/// Lists the operations that clients drew.
pub(super) fn clients(trial: &mut Trial<'_>) {
    if trial.best().script.is_none() {
        let script = trial.record().script;
        let plan = Plan {
            script: Some(script),
            ..trial.best().clone()
        };
        trial.takes_reseeded(&plan);
    }
}

/// Makes a fault of each message that the network's rates hit, and has no rates from then on, where
/// what is left in the end is no larger.
pub(super) fn network(trial: &mut Trial<'_>) {
    if !has_rates(trial.best()) {
        return;
    }
    let drawn = trial.record().network;
    let mut plan = trial.best().clone();
    plan.network = LinkOptions {
        loss_ppm: 0,
        duplicate_ppm: 0,
        reorder_ppm: 0,
        tail_ppm: 0,
        tail_max_us: 0,
        ..plan.network
    };
    plan.faults
        .retain(|fault| !matches!(fault.what, What::Trouble(_)));
    plan.faults.extend(drawn);
    // That pays only if nearly all of them can be left out.
    trial.attempt(&plan, trial.load(), REMOVAL);
}

/// Has faults that wait for a sync, a message or a milestone strike at the time at which they did,
/// where less is left then: with each thing that is left out, what they wait for comes sooner or
/// later, and so the chain of events breaks that they are in.
pub(super) fn times(trial: &mut Trial<'_>) {
    let waits =
        |fault: &Fault| !matches!(fault.when, When::AtUs(_)) && fault.what.on_message().is_none();
    let least = trial.load();
    if least == 0 || !trial.best().faults.iter().any(waits) {
        return;
    }
    let struck = trial.record().struck;
    let mut plan = trial.best().clone();
    for (number, at_us) in struck {
        if waits(&plan.faults[number]) {
            plan.faults[number].when = When::AtUs(at_us + 1);
        }
    }
    plan.faults.retain(|fault| !waits(fault));
    trial.attempt(&plan, least - 1, REMOVAL);
}

/// Whether chance decides what becomes of some message.
fn has_rates(plan: &Plan) -> bool {
    let network = &plan.network;
    let ordinary = LinkDegradation {
        loss_ppm: network.loss_ppm,
        duplicate_ppm: network.duplicate_ppm,
        reorder_ppm: network.reorder_ppm,
        tail_ppm: network.tail_ppm,
        tail_max_us: 0,
    };
    let troubled = plan
        .faults
        .iter()
        .any(|fault| matches!(fault.what, What::Trouble(_)));
    ordinary != LinkDegradation::default() || troubled
}

//! Freezing: what chance decided in the best plan's run becomes a part of the plan,
//! so that each piece of it can be left out for itself.

use super::trial::Trial;
use crate::net::{Traffic, Trouble};
use crate::plan::{Plan, What};

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

/// Makes a fault of each message that the network's rates hit, and has no rates from then on.
pub(super) fn network(trial: &mut Trial<'_>) {
    if !has_rates(trial.best()) {
        return;
    }
    let drawn = trial.record().network;
    let mut plan = trial.best().clone();
    plan.network = Traffic {
        loss_ppm: 0,
        duplicate_ppm: 0,
        reorder_ppm: 0,
        tail_ppm: 0,
        tail_max_us: 0,
        ..plan.network
    };
    plan.faults
        .retain(|fault| !matches!(fault.what, What::Trouble { .. }));
    plan.faults.extend(drawn);
    trial.takes_reseeded(&plan);
}

/// Whether chance decides what becomes of some message.
fn has_rates(plan: &Plan) -> bool {
    let network = &plan.network;
    let ordinary = Trouble {
        loss_ppm: network.loss_ppm,
        duplicate_ppm: network.duplicate_ppm,
        reorder_ppm: network.reorder_ppm,
        tail_ppm: network.tail_ppm,
        tail_max_us: 0,
    };
    let troubled = plan
        .faults
        .iter()
        .any(|fault| matches!(fault.what, What::Trouble { .. }));
    ordinary != Trouble::default() || troubled
}

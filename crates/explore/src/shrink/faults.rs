//! Fewer faults, and simpler ones.

use super::subset;
use super::trial::Trial;
use squall_core::plan::{Fault, FaultKind, Plan};

/// How often one fault is made simpler in a row; each time halves something or more.
const MOST_TIMES: usize = 100;

/// Leaves out the faults that never struck, all of a kind, and large parts of what is left.
pub(super) fn reduce(trial: &mut Trial<'_>) {
    let struck = trial.record().struck;
    let mut struck: Vec<usize> = struck.into_iter().map(|(number, _)| number).collect();
    struck.sort_unstable();
    let mut plan = trial.best().clone();
    let mut number = 0;
    plan.faults.retain(|fault| {
        let stays = fault.what.on_message().is_some() || struck.binary_search(&number).is_ok();
        number += 1;
        stays
    });
    trial.takes(plan);
    for kind in FaultKind::ALL {
        let mut plan = trial.best().clone();
        plan.faults.retain(|fault| fault.what.kind() != *kind);
        trial.takes(plan);
    }
    subset::reduce(trial, get, set);
}

/// Leaves out the faults that are not needed.
pub(super) fn remove(trial: &mut Trial<'_>) {
    subset::minimise(trial, get, set);
}

fn get(plan: &Plan) -> Vec<Fault> {
    plan.faults.clone()
}

fn set(plan: &mut Plan, faults: Vec<Fault>) {
    plan.faults = faults;
}

/// Makes each fault simpler: earlier, shorter, on fewer nodes, milder.
pub(super) fn simplify(trial: &mut Trial<'_>) {
    for place in 0..trial.best().faults.len() {
        for _ in 0..MOST_TIMES {
            let best = trial.best().clone();
            let candidates = best.faults[place].simpler().into_iter().map(|fault| {
                let mut plan = best.clone();
                plan.faults[place] = fault;
                plan
            });
            if trial.is_over() || trial.first(candidates).is_none() {
                break;
            }
        }
    }
}

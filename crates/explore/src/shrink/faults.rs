//! Fewer faults, and simpler ones.

use super::subset;
use super::trial::Trial;
use squall_core::faults::smaller;
use squall_core::plan::{Fault, FaultKind, Plan, What, When};

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
            let candidates = simpler(&best.faults[place]).into_iter().map(|fault| {
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

/// The same fault, simpler in one thing each.
fn simpler(fault: &Fault) -> Vec<Fault> {
    let whats = simpler_what(&fault.what).into_iter().map(|what| Fault {
        what,
        ..fault.clone()
    });
    let whens = simpler_when(fault.when).into_iter().map(|when| Fault {
        when,
        ..fault.clone()
    });
    whats.chain(whens).collect()
}

fn simpler_when(when: When) -> Vec<When> {
    let nths = |nth: u32| {
        let all = smaller(nth.into(), 1).into_iter();
        // Of ordinals the one before is worth a try too.
        let all = all.chain((nth > 1).then(|| u64::from(nth) - 1));
        all.map(|nth| nth as u32)
    };
    match when {
        When::AtUs(at_us) => smaller(at_us, 0).into_iter().map(When::AtUs).collect(),
        When::Sync { node, nth } => nths(nth).map(|nth| When::Sync { node, nth }).collect(),
        When::Overwrite { node, nth } => {
            nths(nth).map(|nth| When::Overwrite { node, nth }).collect()
        }
        When::Milestone {
            node,
            milestone,
            nth,
        } => nths(nth)
            .map(|nth| When::Milestone {
                node,
                milestone,
                nth,
            })
            .collect(),
        When::Message {
            from,
            to,
            kind,
            nth,
        } => nths(nth)
            .map(|nth| When::Message {
                from,
                to,
                kind,
                nth,
            })
            .collect(),
    }
}

fn simpler_what(what: &What) -> Vec<What> {
    let mut all = what.simpler();
    let count = what.clone().spans().len();
    for place in 0..count {
        let now = *what.clone().spans()[place];
        for less in smaller(now, 0) {
            let mut what = what.clone();
            *what.spans()[place] = less;
            all.push(what);
        }
    }
    let count = what.clone().parts().lists.len();
    for place in 0..count {
        let mut parts = what.clone();
        let list = &parts.parts().lists[place];
        let (nodes, may_be_empty) = (list.nodes.len(), list.may_be_empty);
        for out in (0..nodes).filter(|_| nodes > 1 || may_be_empty) {
            let mut what = what.clone();
            what.parts().lists[place].nodes.remove(out);
            all.push(what);
        }
    }
    all
}

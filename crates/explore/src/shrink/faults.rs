//! Fewer faults, and simpler ones.

use super::numbers::smaller;
use super::subset;
use super::trial::Trial;
use squall_core::configuration::{Change, Transition};
use squall_core::ids::NodeId;
use squall_core::operator::Admin;
use squall_core::plan::{Fault, FaultKind, LossMode, Plan, What, When};
use squall_world::network::LinkDegradation;

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
        let stays = fault.what.tampering().is_some() || struck.binary_search(&number).is_ok();
        number += 1;
        stays
    });
    trial.takes(plan);
    for (kind, ..) in FaultKind::ALL {
        let mut plan = trial.best().clone();
        plan.faults.retain(|fault| fault.what.kind() != kind);
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
    let mut all = variants(what);
    let count = what.clone().spans().len();
    for place in 0..count {
        let now = *what.clone().spans()[place];
        for less in smaller(now, 0) {
            let mut what = what.clone();
            *what.spans()[place] = less;
            all.push(what);
        }
    }
    let count = lists(&mut what.clone()).len();
    for place in 0..count {
        let nodes = lists(&mut what.clone())[place].len();
        for out in (0..nodes).filter(|_| nodes > 1) {
            let mut what = what.clone();
            lists(&mut what)[place].remove(out);
            all.push(what);
        }
    }
    all
}

/// Lists of nodes.
fn lists(what: &mut What) -> Vec<&mut Vec<NodeId>> {
    match what {
        What::Cut { from, to, .. }
        | What::Trouble { from, to, .. }
        | What::Burst { from, to, .. } => {
            vec![from, to]
        }
        What::Split { side, .. } => vec![side],
        _ => Vec::new(),
    }
}

/// What is simpler in some other way.
fn variants(what: &What) -> Vec<What> {
    match what {
        What::Crash {
            node,
            loss,
            down_us,
        } if *loss != LossMode::LoseAll => vec![What::Crash {
            node: *node,
            loss: LossMode::LoseAll,
            down_us: *down_us,
        }],
        What::IsolateLeader { for_us, bridges } => (0..bridges.len())
            .map(|out| {
                let mut bridges = bridges.clone();
                bridges.remove(out);
                What::IsolateLeader {
                    for_us: *for_us,
                    bridges,
                }
            })
            .collect(),
        What::Trouble {
            from,
            to,
            trouble,
            for_us,
        } => milder(trouble)
            .into_iter()
            .map(|trouble| What::Trouble {
                from: from.clone(),
                to: to.clone(),
                trouble,
                for_us: *for_us,
            })
            .collect(),
        What::Jump { node, by_us } => smaller(by_us.unsigned_abs(), 0)
            .into_iter()
            .map(|less| What::Jump {
                node: *node,
                by_us: by_us.signum() * less as i64,
            })
            .collect(),
        What::Drift { node, ppm, for_us } => smaller(ppm.unsigned_abs().into(), 0)
            .into_iter()
            .map(|less| What::Drift {
                node: *node,
                ppm: ppm.signum() * less as i32,
                for_us: *for_us,
            })
            .collect(),
        What::Change {
            change,
            retries,
            stop_removed,
        } => simpler_change(change, *retries, *stop_removed),
        What::Ask {
            node: Some(_),
            admin: admin @ Admin::TransferLeader { .. },
        } => vec![What::Ask {
            node: None,
            admin: admin.clone(),
        }],
        _ => Vec::new(),
    }
}

/// Trouble without one of its parts.
fn milder(trouble: &LinkDegradation) -> Vec<LinkDegradation> {
    let without = [
        LinkDegradation {
            loss_ppm: 0,
            ..*trouble
        },
        LinkDegradation {
            duplicate_ppm: 0,
            ..*trouble
        },
        LinkDegradation {
            reorder_ppm: 0,
            ..*trouble
        },
        LinkDegradation {
            tail_ppm: 0,
            tail_max_us: 0,
            ..*trouble
        },
    ];
    without.into_iter().filter(|less| less != trouble).collect()
}

fn simpler_change(change: &Change, retries: u32, stop_removed: bool) -> Vec<What> {
    let with = |change: &Change, retries: u32, stop_removed: bool| What::Change {
        change: change.clone(),
        retries,
        stop_removed,
    };
    let mut all = Vec::new();
    for place in (0..change.steps.len()).filter(|_| change.steps.len() > 1) {
        let mut fewer = change.clone();
        fewer.steps.remove(place);
        all.push(with(&fewer, retries, stop_removed));
    }
    if change.steps.len() == 1 && change.transition != Transition::Simple {
        let simple = Change {
            transition: Transition::Simple,
            ..change.clone()
        };
        all.push(with(&simple, retries, stop_removed));
    }
    if retries > 0 {
        all.push(with(change, 0, stop_removed));
        all.push(with(change, retries / 2, stop_removed));
    }
    if stop_removed {
        all.push(with(change, retries, false));
    }
    all
}

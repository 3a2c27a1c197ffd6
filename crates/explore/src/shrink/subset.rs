//! The smallest part of a list that will do: delta debugging (Zeller and
//! Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002), by
//! what is left when a part goes.

use super::trial::Trial;
use squall_core::plan::Plan;

/// Parts that a list is divided into where only large ones are left out.
const COARSE: usize = 8;

/// Lists no longer than this are also thinned out one by one with other seeds.
const SHORT: usize = 30;

/// Leaves out of the list that `get` reads and `set` writes large parts that are not needed: all of
/// it, halves, quarters, eighths.
pub(super) fn reduce<T: Clone>(
    trial: &mut Trial<'_>,
    get: impl Fn(&Plan) -> Vec<T>,
    set: impl Fn(&mut Plan, Vec<T>),
) {
    let all = get(trial.best()).len();
    leave_out(trial, &get, &set, all.div_ceil(COARSE));
}

/// Leaves out of the list that `get` reads and `set` writes what is not needed.
pub(super) fn minimise<T: Clone>(
    trial: &mut Trial<'_>,
    get: impl Fn(&Plan) -> Vec<T>,
    set: impl Fn(&mut Plan, Vec<T>),
) {
    if !leave_out(trial, &get, &set, 1) {
        thin_out(trial, get, set);
    }
}

/// Leaves out parts, each half as long as those before it, down to those of length `least`. Says
/// whether nothing is left.
fn leave_out<T: Clone>(
    trial: &mut Trial<'_>,
    get: impl Fn(&Plan) -> Vec<T>,
    set: impl Fn(&mut Plan, Vec<T>),
    least: usize,
) -> bool {
    let all = get(trial.best()).len();
    if all == 0 {
        return true;
    }
    // Often nothing of it is needed.
    if trial.takes_reseeded(&with(trial.best(), &set, Vec::new())) {
        return true;
    }
    let mut size = all.div_ceil(2);
    loop {
        // From the end: what comes late has the least of a run after it that it could change.
        let mut end = get(trial.best()).len();
        while end > 0 && !trial.is_over() {
            let (items, best) = (get(trial.best()), trial.best().clone());
            let ends = (1..=end).rev().step_by(size);
            let candidates = ends.map(|end| {
                let mut rest = items.clone();
                rest.drain(end.saturating_sub(size)..end);
                with(&best, &set, rest)
            });
            match trial.first(candidates) {
                Some(number) => end = end.saturating_sub((number + 1) * size),
                None => break,
            }
        }
        if size <= least || trial.is_over() {
            return get(trial.best()).is_empty();
        }
        size = size.div_ceil(2);
    }
}

fn with<T>(plan: &Plan, set: impl Fn(&mut Plan, Vec<T>), items: Vec<T>) -> Plan {
    let mut plan = plan.clone();
    set(&mut plan, items);
    plan
}

/// Leaves out one at a time, and tries other seeds.
fn thin_out<T: Clone>(
    trial: &mut Trial<'_>,
    get: impl Fn(&Plan) -> Vec<T>,
    set: impl Fn(&mut Plan, Vec<T>),
) {
    let mut place = 0;
    while place < get(trial.best()).len().min(SHORT) && !trial.is_over() {
        let mut rest = get(trial.best());
        rest.remove(place);
        let candidate = with(trial.best(), &set, rest);
        if !trial.takes_reseeded(&candidate) {
            place += 1;
        }
    }
}

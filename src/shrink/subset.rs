//! The smallest part of a list that will do: delta debugging (Zeller and
//! Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002).

use std::ops::Range;

use super::trial::Trial;
use crate::plan::Plan;

/// Lists no longer than this are also thinned out one by one with other seeds.
const SHORT: usize = 30;

/// Leaves out of the list that `get` reads and `set` writes what is not needed.
pub(super) fn minimise<T: Clone>(
    trial: &mut Trial<'_>,
    get: impl Fn(&Plan) -> Vec<T>,
    set: impl Fn(&mut Plan, Vec<T>),
) {
    let with = |plan: &Plan, items: Vec<T>| {
        let mut plan = plan.clone();
        set(&mut plan, items);
        plan
    };
    if get(trial.best()).is_empty() {
        return;
    }
    // Often nothing of it is needed.
    let none = with(trial.best(), Vec::new());
    if trial.takes_reseeded(&none) {
        return;
    }
    let mut parts = 2;
    while !trial.is_over() {
        let items = get(trial.best());
        let best = trial.best().clone();
        parts = parts.min(items.len());
        let ranges = split(items.len(), parts);
        let one = ranges
            .iter()
            .map(|range| with(&best, items[range.clone()].to_vec()));
        if parts > 1 && trial.first(one).is_some() {
            parts = 2;
            continue;
        }
        let others = ranges.iter().map(|range| {
            let mut rest = items.clone();
            rest.drain(range.clone());
            with(&best, rest)
        });
        // Of two halves, one is what the other leaves.
        if parts > 2 && trial.first(others).is_some() {
            parts = (parts - 1).max(2);
            continue;
        }
        if parts >= items.len() {
            break;
        }
        parts *= 2;
    }
    thin_out(trial, get, with);
}

/// Leaves out one at a time, and tries other seeds.
fn thin_out<T: Clone>(
    trial: &mut Trial<'_>,
    get: impl Fn(&Plan) -> Vec<T>,
    with: impl Fn(&Plan, Vec<T>) -> Plan,
) {
    let mut place = 0;
    while place < get(trial.best()).len().min(SHORT) && !trial.is_over() {
        let mut rest = get(trial.best());
        rest.remove(place);
        let candidate = with(trial.best(), rest);
        if !trial.takes_reseeded(&candidate) {
            place += 1;
        }
    }
}

/// `parts` ranges of nearly equal length that make up `0..len`.
fn split(len: usize, parts: usize) -> Vec<Range<usize>> {
    (0..parts)
        .map(|part| part * len / parts..(part + 1) * len / parts)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn parts_make_up_the_whole() {
        assert_eq!(split(7, 3), [0..2, 2..4, 4..7]);
        assert_eq!(split(3, 3), [0..1, 1..2, 2..3]);
        assert!(split(0, 0).is_empty());
    }
}

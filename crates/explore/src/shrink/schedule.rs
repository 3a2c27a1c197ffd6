//! Simpler priorities of links: none, fewer, closer together, and changed earlier.

use super::subset::minimise;
use super::trial::Trial;
use squall_core::faults::smaller;
use squall_core::plan::{Plan, Schedule};

/// Does without the schedule, or with less of it.
pub(super) fn simplify(trial: &mut Trial<'_>) {
    if trial.best().schedule.is_none() {
        return;
    }
    let without = Plan {
        schedule: None,
        ..trial.best().clone()
    };
    if trial.takes_reseeded(&without) {
        return;
    }
    minimise(
        trial,
        |plan| get(plan, |schedule| schedule.demotions.clone()),
        |plan, demotions| set(plan, |schedule| schedule.demotions = demotions),
    );
    minimise(
        trial,
        |plan| get(plan, |schedule| schedule.links.clone()),
        |plan, links| set(plan, |schedule| schedule.links = links),
    );
    numbers(trial, |schedule| &mut schedule.step_us, 0);
    for place in 0..get(trial.best(), |schedule| schedule.demotions.clone()).len() {
        numbers(trial, |schedule| &mut schedule.demotions[place].nth, 1);
    }
}

/// Makes one number of the schedule as small as it will get.
fn numbers(trial: &mut Trial<'_>, number: impl Fn(&mut Schedule) -> &mut u64, least: u64) {
    while !trial.is_over() {
        let best = trial.best().clone();
        let Some(mut schedule) = best.schedule.clone() else {
            return;
        };
        let now = *number(&mut schedule);
        let candidates = smaller(now, least).into_iter().map(|less| {
            let mut schedule = schedule.clone();
            *number(&mut schedule) = less;
            Plan {
                schedule: Some(schedule),
                ..best.clone()
            }
        });
        let candidates: Vec<Plan> = candidates.collect();
        if trial.first(candidates.into_iter()).is_none() {
            return;
        }
    }
}

fn get<T>(plan: &Plan, part: impl Fn(&Schedule) -> Vec<T>) -> Vec<T> {
    plan.schedule.as_ref().map(part).unwrap_or_default()
}

fn set(plan: &mut Plan, part: impl FnOnce(&mut Schedule)) {
    if let Some(schedule) = &mut plan.schedule {
        part(schedule);
    }
}

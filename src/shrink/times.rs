//! Shorter runs: the storm ends earlier, what happens in it happens earlier, and
//! of several seeds that show the failure the one counts that shows it first.

use super::numbers::smaller;
use super::trial::Trial;
use crate::plan::{Plan, When};

/// Seeds among which the shortest run is looked for.
const SEEDS: u64 = 16;

/// Lets the storm end earlier, and everything in it happen earlier.
pub(super) fn shorten(trial: &mut Trial<'_>) {
    trim(trial);
    while !trial.is_over() {
        let best = trial.best();
        let heals = smaller(best.heal_us, 0).into_iter().map(|heal_us| Plan {
            heal_us,
            ..best.clone()
        });
        let heals: Vec<Plan> = heals.collect();
        if trial.first(heals.into_iter()).is_none() {
            break;
        }
    }
    while !trial.is_over() {
        let Some(first_us) = times(&mut trial.best().clone()).iter().map(|us| **us).min() else {
            break;
        };
        let earlier = [first_us, first_us / 2, first_us / 4].into_iter();
        let best = trial.best().clone();
        let earlier = earlier
            .filter(|by_us| *by_us >= 1_000)
            .map(|by_us| retimed(&best, |at_us| at_us - by_us));
        if trial.first(earlier).is_none() && !trial.takes(retimed(&best, |at_us| at_us / 2)) {
            break;
        }
    }
    trim(trial);
}

/// What comes after a violation cannot matter to it.
fn trim(trial: &mut Trial<'_>) {
    let failed_us = trial.failure().time_us;
    if failed_us >= trial.best().heal_us {
        return;
    }
    let mut plan = trial.best().clone();
    plan.heal_us = failed_us + 1;
    plan.faults
        .retain(|fault| !matches!(fault.when, When::AtUs(at_us) if at_us > failed_us));
    if let Some(script) = &mut plan.script {
        script.retain(|asked| asked.tries[0].at_us <= failed_us);
    }
    trial.takes(plan);
}

/// Every time in the plan at which something begins.
fn times(plan: &mut Plan) -> Vec<&mut u64> {
    let faults = plan
        .faults
        .iter_mut()
        .filter_map(|fault| match &mut fault.when {
            When::AtUs(at_us) => Some(at_us),
            _ => None,
        });
    let tries = plan.script.iter_mut().flatten();
    let tries = tries.flat_map(|asked| asked.tries.iter_mut().map(|one| &mut one.at_us));
    faults.chain(tries).collect()
}

fn retimed(plan: &Plan, by: impl Fn(u64) -> u64) -> Plan {
    let mut plan = plan.clone();
    for at_us in times(&mut plan) {
        *at_us = by(*at_us);
    }
    plan
}

/// Takes a seed whose run fails earlier.
pub(super) fn reseed(trial: &mut Trial<'_>) {
    while !trial.is_over() {
        let steps = trial.steps();
        let best = trial.best().clone();
        let others = (0..SEEDS).map(|seed| Plan {
            seed,
            ..best.clone()
        });
        let earlier = trial.first_where(others, |outcome| outcome.steps < steps);
        if earlier.is_none() {
            break;
        }
    }
}

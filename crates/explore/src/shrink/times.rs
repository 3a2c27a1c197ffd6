//! Shorter runs: the storm ends earlier, what happens in it happens earlier, and
//! of several seeds that show the failure the one counts that shows it first.

use super::trial::{Trial, pieces};
use squall_core::faults::smaller;
use squall_core::plan::{Plan, When};

/// Election time-outs after which there may be a leader.
const SETTLED_ELECTIONS: u64 = 2;

/// Seeds among which the shortest run is looked for.
const SEEDS: u64 = 16;

/// Into so many parts a storm is divided to find where it may end, at a time.
const PARTS: u64 = 16;

/// Ends the storm early, and leaves out what would come after. Up to there the run is the same, so
/// that nothing but its end must be found.
pub(super) fn cut(trial: &mut Trial<'_>) {
    trim(trial);
    while !trial.is_over() {
        let best = trial.best().clone();
        let ends = (0..PARTS).map(|part| healed(&best, best.heal_us * part / PARTS));
        if trial.first(ends).is_none() {
            break;
        }
    }
}

/// As [`cut_start`], where a failure shows only after the storm: then each run that fails is long,
/// and the sooner much goes the better.
pub(super) fn cut_long(trial: &mut Trial<'_>) {
    if trial.failure().time_us >= trial.best().heal_us {
        cut_start(trial);
    }
}

/// Leaves out the start of the storm. What comes after it stays where it is, or comes that much
/// sooner, or as soon as there may be a leader.
pub(super) fn cut_start(trial: &mut Trial<'_>) {
    while !trial.is_over() {
        let best = trial.best().clone();
        let settled_us = SETTLED_ELECTIONS * best.election_us();
        let others = trial.other_seeds();
        let starts = (1..PARTS).rev().map(|part| best.heal_us * part / PARTS);
        let candidates = starts.flat_map(|from_us| {
            let best = &best;
            let by = [0, from_us.saturating_sub(settled_us), from_us];
            by.into_iter().flat_map(move |by_us| {
                let plan = started(best, from_us, by_us);
                // As many seeds as there are pieces that go.
                let gone = pieces(best) - pieces(&plan);
                let seeds = std::iter::once(best.seed).chain(0..others.min(gone));
                let changed = (plan != *best).then_some(plan);
                changed.into_iter().flat_map(move |plan| {
                    let seeded = move |seed| Plan {
                        seed,
                        ..plan.clone()
                    };
                    seeds.clone().map(seeded)
                })
            })
        });
        if trial.first(candidates).is_none() {
            break;
        }
    }
}

/// The plan without what begins before `from_us`, and with all else `by_us` sooner.
fn started(plan: &Plan, from_us: u64, by_us: u64) -> Plan {
    let mut plan = plan.clone();
    plan.faults
        .retain(|fault| !matches!(fault.when, When::AtUs(at_us) if at_us < from_us));
    if let Some(script) = &mut plan.script {
        script.retain(|asked| asked.tries[0].at_us >= from_us);
    }
    plan.heal_us -= by_us;
    retimed(&plan, |at_us| at_us.saturating_sub(by_us))
}

/// The plan with a storm that ends then, without what would come after.
fn healed(plan: &Plan, heal_us: u64) -> Plan {
    let mut plan = plan.clone();
    plan.heal_us = heal_us;
    plan.faults
        .retain(|fault| !matches!(fault.when, When::AtUs(at_us) if at_us >= heal_us));
    if let Some(script) = &mut plan.script {
        script.retain(|asked| asked.tries[0].at_us < heal_us);
    }
    plan
}

/// Lets the storm end earlier, and everything in it happen earlier.
pub(super) fn shorten(trial: &mut Trial<'_>) {
    trim(trial);
    while !trial.is_over() {
        let best = trial.best().clone();
        let heals = smaller(best.heal_us, 0).into_iter();
        if trial
            .first(heals.map(|heal_us| healed(&best, heal_us)))
            .is_none()
        {
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
    trial.takes(healed(trial.best(), failed_us + 1));
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

//! What can go only together, or only under another seed: parts of a plan drawn at random. Where
//! each message is a part of what a failure hangs on, leaving out any single thing hides it, and of
//! many things under many seeds some few show it again.

use super::trial::{Trial, pieces};
use squall_core::plan::Plan;
use squall_world::rng::Choices;

/// Candidates that are tried in vain for each pair of faults and operations that are left, and the
/// most of the latter with which each makes a pair.
const TRIES: u64 = 16;
const MOST_PARTNERS: u64 = 32;

/// Leaves out faults and operations drawn at random, under another seed each time.
pub(super) fn leave_out(trial: &mut Trial<'_>) {
    while !trial.is_over() {
        let best = trial.best().clone();
        let pairs = pieces(&best) * pieces(&best).min(MOST_PARTNERS);
        let candidates = (0..TRIES * pairs).map(|number| without_some(&best, number));
        let candidates = candidates.filter(|plan| pieces(plan) < pieces(&best));
        if trial.first(candidates).is_none() {
            break;
        }
    }
}

/// The plan under the seed `number`, without a part of it that the same number decides.
fn without_some(plan: &Plan, number: u64) -> Plan {
    let mut choices = Choices::labelled(number, "left out", 0);
    let mut plan = plan.clone();
    plan.seed = number;
    let items = pieces(&plan);
    let size = choices.skewed(1, items.div_ceil(2));
    // A row of neighbours, or as many here and there.
    let row = choices.below(2) == 0;
    let from = choices.below(items - size + 1);
    let mut place = 0;
    let mut stays = || {
        let goes = match row {
            true => (from..from + size).contains(&place),
            false => choices.below(items) < size,
        };
        place += 1;
        !goes
    };
    plan.faults.retain(|_| stays());
    if let Some(script) = &mut plan.script {
        script.retain(|_| stays());
    }
    plan
}

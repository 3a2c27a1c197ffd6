//! Fewer operations where it is their number or their weight that matters: where a
//! log must have grown by so much before a snapshot is due, none can simply be left
//! out. What is left takes over the weight of what goes, or less weight is asked for.

use super::trial::Trial;
use squall_core::plan::{Asked, Plan};

/// Scripts longer than this are left to the simple removal.
const LONG: usize = 200;

/// Bytes of a command without ballast, about, and of what a log adds to it.
const COMMAND_BYTES: u32 = 16;

/// Leaves out operations and makes up for their weight.
pub(super) fn condense(trial: &mut Trial<'_>) {
    let length = |plan: &Plan| plan.script.as_ref().map_or(0, Vec::len);
    if length(trial.best()) > LONG {
        return;
    }
    let mut size = length(trial.best()).div_ceil(2);
    while size >= 1 && !trial.is_over() {
        let mut place = 0;
        while place < length(trial.best()) && !trial.is_over() {
            let candidates = lighter(trial.best(), place, size);
            let taken = candidates.iter().any(|plan| match size {
                1 => trial.takes_reseeded(plan),
                _ => trial.takes(plan.clone()),
            });
            if !taken {
                place += size;
            }
        }
        size /= 2;
    }
}

/// The plan without `size` operations from `place` on: with snapshots that much sooner, and with
/// their weight on the next one or on the one before.
fn lighter(plan: &Plan, place: usize, size: usize) -> Vec<Plan> {
    let Some(script) = &plan.script else {
        return Vec::new();
    };
    let end = (place + size).min(script.len());
    let (before, rest) = (script.len(), script.len() - (end - place));
    let mut without = plan.clone();
    let mut shorter = script.clone();
    let gone: Vec<Asked> = shorter.drain(place..end).collect();
    without.script = Some(shorter);

    let mut sooner = without.clone();
    let bytes = &mut sooner.driver.snapshot_every_bytes;
    *bytes = (*bytes * rest as u64 / before as u64).max(1);

    let weight: u32 = gone
        .iter()
        .map(|asked| COMMAND_BYTES + asked.padding_bytes)
        .sum();
    let heirs = [Some(place), place.checked_sub(1)].into_iter().flatten();
    let heavier = heirs.filter_map(|heir| {
        let mut plan = without.clone();
        plan.script.as_mut()?.get_mut(heir)?.padding_bytes += weight;
        Some(plan)
    });
    std::iter::once(sooner).chain(heavier).collect()
}

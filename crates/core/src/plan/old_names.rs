//! Plan files from before subjects had options of their own: nine of what are such options now were
//! fields of the driver there, by the same names with other hyphens.

use serde_json::Value;

use super::Plan;

const WERE_FIELDS: [&str; 9] = [
    "apply_changes_early",
    "snapshot_requests_ahead",
    "snapshot_requests_block",
    "deaf_in_later_term",
    "campaign_as_outsider",
    "forget_vote_when_removed",
    "merge_across_terms",
    "remove_needed_voters",
    "reuse_read_names",
];

/// Reads a plan that has some of them; none if it has not, or is no plan with that either.
pub(super) fn read(text: &str) -> Option<Plan> {
    let mut plan: Value = serde_json::from_str(text).ok()?;
    let driver = plan.get_mut("driver")?.as_object_mut()?;
    let mut on = Vec::new();
    let mut is_old = false;
    for name in WERE_FIELDS {
        if let Some(value) = driver.remove(name) {
            is_old = true;
            if value.as_bool()? {
                on.push(name.replace('_', "-"));
            }
        }
    }
    let mut plan: Plan = serde_json::from_value(plan).ok().filter(|_| is_old)?;
    for name in on {
        plan.driver.set_flag(&name, true);
    }
    Some(plan)
}

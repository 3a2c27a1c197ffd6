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

/// Reads a plan that has some of them; none if it has not.
pub(super) fn read(text: &str) -> Option<Result<Plan, serde_json::Error>> {
    let mut plan: Value = serde_json::from_str(text).ok()?;
    let driver = plan.get_mut("driver")?.as_object_mut()?;
    let mut found = Vec::new();
    for name in WERE_FIELDS {
        if let Some(value) = driver.remove(name) {
            found.push((name.replace('_', "-"), value));
        }
    }
    (!found.is_empty()).then(|| {
        let mut plan: Plan = serde_json::from_str(&plan.to_string())?;
        for (name, value) in found {
            plan.driver.set_flag(&name, serde_json::from_value(value)?);
        }
        Ok(plan)
    })
}

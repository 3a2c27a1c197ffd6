//! Plan files from before subjects had options of their own: twelve of what are such options now
//! were fields of the driver there, by the same names with other hyphens, or the opposite of one.

use serde_json::Value;

use super::{Impossible, Plan};
use crate::own::{NotDeclared, Own};

/// An option that was a field.
struct WasField {
    field: &'static str,
    option: &'static str,
    /// What the field was where the option is on.
    on: bool,
}

const fn was(field: &'static str, option: &'static str) -> WasField {
    WasField {
        field,
        option,
        on: true,
    }
}

const WERE_FIELDS: [WasField; 12] = [
    was("apply_changes_early", "apply-changes-early"),
    was("snapshot_requests_ahead", "snapshot-requests-ahead"),
    was("snapshot_requests_block", "snapshot-requests-block"),
    was("deaf_in_later_term", "deaf-in-later-term"),
    was("campaign_as_outsider", "campaign-as-outsider"),
    was("forget_vote_when_removed", "forget-vote-when-removed"),
    was("merge_across_terms", "merge-across-terms"),
    was("remove_needed_voters", "remove-needed-voters"),
    was("reuse_read_names", "reuse-read-names"),
    was("advance_whole", "advance-whole"),
    was("applied_when_installed", "applied-when-installed"),
    WasField {
        field: "step_down_when_removed",
        option: "lead-when-removed",
        on: false,
    },
];

impl Plan {
    /// Makes sure that a subject has the options of its own that the plan sets, and does what its
    /// clients ask for ([`Plan::check_script`]). Options that were fields older plans have whatever
    /// their subject: they need not be there.
    ///
    /// # Errors
    /// The first that it has not, with those that it has.
    pub fn check_own_options(&self, own: Own) -> Result<(), NotDeclared> {
        let mut options = self.driver.own.clone();
        let declared = |name: &str| own.options.iter().any(|option| option.name == name);
        let was_field = |name: &str| WERE_FIELDS.iter().any(|was| was.option == name);
        options.retain(|name, _| declared(name) || !was_field(name));
        own.check_options(&options)?;
        let not_done = |Impossible {
                            field,
                            value,
                            legal,
                        }| NotDeclared::new(field, value, legal);
        self.check_streams(own).map_err(not_done)?;
        self.check_script(own).map_err(not_done)
    }
}

/// Reads a plan that has some of them; none if it has not.
pub(super) fn read(text: &str) -> Option<Result<Plan, serde_json::Error>> {
    let mut plan: Value = serde_json::from_str(text).ok()?;
    let driver = plan.get_mut("driver")?.as_object_mut()?;
    let mut found = Vec::new();
    for was in &WERE_FIELDS {
        if let Some(value) = driver.remove(was.field) {
            found.push((was, value));
        }
    }
    (!found.is_empty()).then(|| {
        let mut plan: Plan = serde_json::from_str(&plan.to_string())?;
        for (was, value) in found {
            let Value::Bool(value) = value else {
                let field = was.field;
                let told = format!("driver.{field}: {value} is neither true nor false");
                return Err(serde::de::Error::custom(told));
            };
            plan.driver.set_flag(was.option, value == was.on);
        }
        Ok(plan)
    })
}

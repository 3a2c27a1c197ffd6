//! Plan files from before subjects had options of their own: what is a field of the driver there
//! and of no driver now is an option of the subject's own, by the same name with hyphens.

use serde_json::Value;

use super::Plan;
use crate::options::DriverOptions;

/// Reads a plan that has such fields; none if it is no plan with that either.
pub(super) fn read(text: &str) -> Option<Plan> {
    let mut plan: Value = serde_json::from_str(text).ok()?;
    let driver = plan.get_mut("driver")?.as_object_mut()?;
    let usual = serde_json::to_value(DriverOptions::default()).ok()?;
    let is_old = |name: &str| name != "own" && usual.get(name).is_none();
    let old: Vec<String> = driver.keys().filter(|name| is_old(name)).cloned().collect();
    let mut own = driver
        .remove("own")
        .unwrap_or_else(|| Value::Object(Default::default()));
    for name in old {
        // What is off is what it usually is.
        if driver.remove(&name)?.as_bool()? {
            own[name.replace('_', "-")] = Value::Bool(true);
        }
    }
    driver.insert("own".to_owned(), own);
    serde_json::from_value(plan).ok()
}

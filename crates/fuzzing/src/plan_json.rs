//! The target `plan_json`: whatever the parser is given, it says what is wrong with it, in one
//! line, or gives a plan that can be run and written down again as it was.

use std::path::Path;

use super::{Finding, demand, storm};
use squall_core::plan::{Plan, PlanError};

/// Gives `bytes` to the parser.
///
/// # Errors
/// What of the above does not hold.
pub fn check(bytes: &[u8]) -> Result<(), Finding> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(());
    };
    let path = Path::new("input.json");
    let plan = match Plan::parse(text, path) {
        Ok(plan) => plan,
        Err(error) => return sensible(&error),
    };
    plan.validate()
        .map_err(|impossible| Finding(format!("a plan was read that cannot be: {impossible}")))?;
    demand(!storm::in_words(&plan).is_empty(), || {
        "a plan without words".to_owned()
    })?;
    let compact = serde_json::to_string(&plan).map_err(|error| Finding(error.to_string()))?;
    for written in [plan.to_json(), compact] {
        match Plan::parse(&written, path) {
            Ok(again) => demand(again == plan, || {
                format!("a plan is read back otherwise\n{plan:#?}\n{again:#?}")
            })?,
            Err(error) => return Err(Finding(format!("a plan is not read back: {error}"))),
        }
    }
    Ok(())
}

/// What `bytes` are: a plan in words, or why they are none, and the text itself.
pub fn in_words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let about = match Plan::parse(&text, Path::new("input.json")) {
        Ok(plan) => storm::in_words(&plan),
        Err(error) => error.to_string(),
    };
    format!("{}\n{text}", about.trim_end())
}

/// An error says something, and names the file.
fn sensible(error: &PlanError) -> Result<(), Finding> {
    let text = error.to_string();
    let says = text.contains("input.json") && text.len() > "plan input.json".len();
    demand(says, || format!("an error that says nothing: {text:?}"))
}

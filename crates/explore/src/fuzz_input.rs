//! From the bytes of an input to the plan that they stand for.

use std::path::Path;

use squall_core::plan::{Plan, PlanError, PlanSpace};

/// The command that runs a target, which follows, and then a file with an input if there is one.
/// Flags are the same wherever it is told: others build everything anew.
///
/// No sanitizer, for nothing here is unsafe; no look into comparisons, which costs half of the time
/// and helps only to guess bytes, where plans are mutated as plans.
pub const RUN: &str = "cargo +nightly fuzz run --sanitizer none --no-trace-compares";

/// The profile that bytes draw from.
pub const PROFILE: &str = "fuzz";

/// Whether `bytes` are meant to be JSON, well-formed or not: text that begins as a JSON object
/// does.
pub fn is_json(bytes: &[u8]) -> bool {
    let mut visible = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    let begins =
        visible.next() == Some(&b'{') && matches!(visible.next(), Some(b'"' | b'}') | None);
    begins && std::str::from_utf8(bytes).is_ok()
}

/// The plan that `bytes` stand for: a plan written down as JSON, or else the one that the generator
/// draws with these bytes for its choices from `space`. `path` is where they come from.
///
/// # Errors
/// [`PlanError`] when they are JSON, and no plan.
pub fn plan_of(bytes: &[u8], path: &Path, space: PlanSpace<'_>) -> Result<Plan, PlanError> {
    if is_json(bytes)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Plan::parse(text, path);
    }
    Ok(space.draw_from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_an_object_is_json_and_nothing_else_is() {
        for json in ["{}", " {\n \"version\": 2", "{"] {
            assert!(is_json(json.as_bytes()), "{json}");
        }
        for other in ["", "7", "{7", "plan {}"] {
            assert!(!is_json(other.as_bytes()), "{other}");
        }
        assert!(!is_json(b"{\"\xff"));
    }
}

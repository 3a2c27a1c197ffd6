//! `fault`, `operation`: a plan's own words, for what no other command says.

use crate::scenario::draft::Draft;
use squall_core::faults::story::{Words, Wrong};
use squall_core::plan::Asked;

pub fn fault(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let text = words.rest();
    let fault = serde_json::from_str(text).map_err(|error| format!("that is no fault: {error}"))?;
    draft.plan.faults.push(fault);
    Ok(())
}

pub fn operation(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let text = words.rest();
    let asked: Asked =
        serde_json::from_str(text).map_err(|error| format!("that is no operation: {error}"))?;
    draft.asks(asked);
    Ok(())
}

//! `fault`, `operation`: a plan's own words, for what no other command says.

use crate::plan::Asked;
use crate::story::draft::Draft;
use crate::story::words::{Words, Wrong};

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

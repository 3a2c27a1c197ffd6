//! `fault`, `operation`: a plan's own words, for what no other command says.

use crate::scenario::draft::Draft;
use squall_core::faults::story::{Words, Wrong};
use squall_core::plan::{Asked, Fault};

pub fn fault(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let text = words.rest();
    let fault = Fault::of_json(text).map_err(|error| format!("that is no fault: {error}"))?;
    draft.plan.faults.push(fault);
    Ok(())
}

pub fn operation(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let text = words.rest();
    let asked = Asked::of_json(text).map_err(|error| format!("that is no operation: {error}"))?;
    draft.asks(asked);
    Ok(())
}

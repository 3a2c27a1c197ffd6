//! `ask`: what has no command of its own.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong};
use squall_core::plan::What;

pub fn ask(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = Some(words.node()?);
    let text = words.rest();
    let admin = serde_json::from_str(text)
        .map_err(|error| format!("\"{text}\" is no request of an operator: {error}"))?;
    draft.strikes(What::Ask { node, admin });
    Ok(())
}

//! `ask`: what has no command of its own.

use crate::plan::What;
use crate::story::draft::Draft;
use crate::story::words::{Words, Wrong};

pub fn ask(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = Some(words.node()?);
    let text = words.rest();
    let admin = serde_json::from_str(text)
        .map_err(|error| format!("\"{text}\" is no request of an operator: {error}"))?;
    draft.strikes(What::Ask { node, admin });
    Ok(())
}

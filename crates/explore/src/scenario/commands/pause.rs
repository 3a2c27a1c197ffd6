//! `pause`, `resume`.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong};
use squall_core::plan::What;

pub fn pause(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let for_us = words.time_option("for")?;
    draft.begins(for_us, |for_us| What::Pause { node, for_us });
    Ok(())
}

pub fn resume(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let whose = words.node()?;
    match draft.ends(|what| matches!(what, What::Pause { node, .. } if *node == whose)) {
        0 => Err(format!("{whose} does not stand still")),
        _ => Ok(()),
    }
}

//! `lose`, `delay`, `duplicate`: what becomes of the next message of a kind on a link.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong};
use squall_core::plan::What;

pub fn lose(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let kind = words.kind()?;
    let link = words.link()?;
    draft.next_message(link, kind, What::LoseMessage)
}

pub fn delay(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let kind = words.kind()?;
    let link = words.link()?;
    let by_us = needed(words, "by")?;
    draft.next_message(link, kind, What::DelayMessage { by_us })
}

pub fn duplicate(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let kind = words.kind()?;
    let link = words.link()?;
    let after_us = needed(words, "after")?;
    draft.next_message(link, kind, What::DuplicateMessage { after_us })
}

fn needed(words: &mut Words<'_>, name: &str) -> Result<u64, Wrong> {
    let time = words.time_option(name)?;
    time.ok_or_else(|| format!("{name}=TIME is missing"))
}

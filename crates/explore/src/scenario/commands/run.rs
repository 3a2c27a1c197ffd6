//! `run`, `at`, `show`, `heal`: time goes on.

use crate::scenario::draft::Draft;
use squall_core::faults::story::{Words, Wrong, time_words};

pub fn run(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    draft.now_us = draft.now_us.saturating_add(words.time_us()?);
    Ok(())
}

pub fn at(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let at_us = words.time_us()?;
    if at_us < draft.now_us {
        let now = time_words(draft.now_us);
        return Err(format!("it is {now} already, and time does not go back"));
    }
    draft.now_us = at_us;
    Ok(())
}

pub fn show(draft: &mut Draft<'_>, _words: &mut Words<'_>) -> Result<(), Wrong> {
    draft.show();
    Ok(())
}

pub fn heal(draft: &mut Draft<'_>, _words: &mut Words<'_>) -> Result<(), Wrong> {
    draft.heal();
    Ok(())
}

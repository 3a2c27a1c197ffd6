//! `jump`, `drift`.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong, time_us};
use squall_core::plan::What;

pub fn jump(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let word = words.word("a time")?;
    let (sign, time) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
        (Some(time), _) => (1, time),
        (_, Some(time)) => (-1, time),
        _ => return Err(format!("\"{word}\" has no sign")),
    };
    let by_us = sign * i64::try_from(time_us(time)?).map_err(|_| "that is too far".to_owned())?;
    draft.strikes(What::Jump { node, by_us });
    Ok(())
}

pub fn drift(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let ppm = words.number("number of ppm")?;
    let for_us = words.time_option("for")?;
    draft.begins(for_us, |for_us| What::Drift { node, ppm, for_us });
    Ok(())
}

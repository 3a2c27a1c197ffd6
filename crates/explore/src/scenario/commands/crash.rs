//! `crash`, `start`.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong};
use squall_core::plan::{LossMode, What};

pub fn crash(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let mut for_us = words.time_option("for")?;
    let loss = match for_us {
        Some(_) => LossMode::LoseAll,
        None => match words.next() {
            None | Some("lose-all") => LossMode::LoseAll,
            Some("keep-prefix") => LossMode::KeepPrefix,
            Some("keep-subset") => LossMode::KeepSubset,
            Some("tear") => LossMode::Tear,
            Some(word) => return Err(format!("\"{word}\" is no way to lose writes")),
        },
    };
    for_us = for_us.or(words.time_option("for")?);
    draft.begins(for_us, |down_us| What::Crash {
        node,
        loss,
        down_us,
    });
    Ok(())
}

pub fn start(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let whose = words.node()?;
    match draft.ends(|what| matches!(what, What::Crash { node, .. } if *node == whose)) {
        0 => Err(format!("{whose} has not crashed")),
        _ => Ok(()),
    }
}

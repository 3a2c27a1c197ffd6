//! `slow-disk`, `fast-disk`, `fail-sync`, `fill-disk`, `free-disk`, `rot`.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong};
use squall_core::plan::{JournalName, What};

pub fn slow(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let sync_us = words.time_us()?;
    let for_us = words.time_option("for")?;
    draft.begins(for_us, |for_us| What::SlowDisk {
        node,
        sync_us,
        for_us,
    });
    Ok(())
}

pub fn fast(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let whose = words.node()?;
    match draft.ends(|what| matches!(what, What::SlowDisk { node, .. } if *node == whose)) {
        0 => Err(format!("the disk of {whose} is not slow")),
        _ => Ok(()),
    }
}

pub fn fail(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    draft.strikes(What::FailSync { node });
    Ok(())
}

pub fn fill(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let for_us = words.time_option("for")?;
    draft.begins(for_us, |for_us| What::FullDisk { node, for_us });
    Ok(())
}

pub fn free(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let whose = words.node()?;
    match draft.ends(|what| matches!(what, What::FullDisk { node, .. } if *node == whose)) {
        0 => Err(format!("the disk of {whose} is not full")),
        _ => Ok(()),
    }
}

pub fn rot(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = words.node()?;
    let journal = match words.word("a journal")? {
        "hard-state" => JournalName::HardState,
        "log" => JournalName::Log,
        "snapshot" => JournalName::Snapshot,
        word => return Err(format!("\"{word}\" is no journal")),
    };
    draft.strikes(What::Rot { node, journal });
    Ok(())
}

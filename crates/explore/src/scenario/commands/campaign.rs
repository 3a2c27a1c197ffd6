//! `campaign`.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong};
use squall_core::operator::Admin;
use squall_core::plan::What;

pub fn campaign(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = Some(words.node()?);
    let admin = Admin::Campaign;
    draft.strikes(What::Ask { node, admin });
    Ok(())
}

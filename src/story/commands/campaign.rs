//! `campaign`.

use crate::admin::Admin;
use crate::plan::What;
use crate::story::draft::Draft;
use crate::story::words::{Words, Wrong};

pub fn campaign(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let node = Some(words.node()?);
    let admin = Admin::Campaign;
    draft.strikes(What::Ask { node, admin });
    Ok(())
}

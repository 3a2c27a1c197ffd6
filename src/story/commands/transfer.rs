//! `transfer`.

use crate::admin::Admin;
use crate::plan::What;
use crate::story::draft::Draft;
use crate::story::words::{Words, Wrong};

pub fn transfer(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let (from, to) = words.link()?;
    let admin = Admin::TransferLeader { to };
    let node = Some(from);
    draft.strikes(What::Ask { node, admin });
    Ok(())
}

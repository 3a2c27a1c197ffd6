//! `transfer`.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong};
use squall_core::operator::Admin;
use squall_core::plan::What;

pub fn transfer(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let (from, to) = words.link()?;
    let admin = Admin::TransferLeader { to };
    let node = Some(from);
    draft.strikes(What::Ask { node, admin });
    Ok(())
}

//! `cut`, `mend`, `hold`.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong};
use squall_core::ids::NodeId;
use squall_core::plan::What;

pub fn cut(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let side = words.nodes()?;
    let mut for_us = words.time_option("for")?;
    let arrow = match for_us {
        Some(_) => None,
        None => words.next(),
    };
    let mut one_way = |from: &[NodeId], to: &[NodeId], for_us| {
        draft.begins(for_us, |for_us| What::Cut {
            from: from.to_vec(),
            to: to.to_vec(),
            for_us,
        });
    };
    match arrow {
        None => draft.begins(for_us, |for_us| What::Split {
            side: side.clone(),
            for_us,
        }),
        Some(arrow @ ("->" | "<->")) => {
            let others = words.nodes()?;
            for_us = words.time_option("for")?;
            one_way(&side, &others, for_us);
            if arrow == "<->" {
                one_way(&others, &side, for_us);
            }
        }
        Some(word) => return Err(format!("\"{word}\" stands where -> or <-> should")),
    }
    Ok(())
}

pub fn mend(draft: &mut Draft<'_>, _words: &mut Words<'_>) -> Result<(), Wrong> {
    match draft.ends(|what| matches!(what, What::Cut { .. } | What::Split { .. })) {
        0 => Err("nothing is cut".to_owned()),
        _ => Ok(()),
    }
}

pub fn hold(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let from = words.nodes()?;
    match words.word("->")? {
        "->" => {}
        word => return Err(format!("\"{word}\" stands where -> should")),
    }
    let to = words.nodes()?;
    let for_us = words
        .time_option("for")?
        .ok_or_else(|| "for=TIME is missing".to_owned())?;
    draft.strikes(What::Burst { from, to, for_us });
    Ok(())
}

//! `change`, `leave-joint`.

use crate::scenario::draft::Draft;
use crate::scenario::words::{Words, Wrong, node};
use squall_core::configuration::{Change, Member, Step, Transition};
use squall_core::plan::What;

pub fn change(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let mut transition = Transition::Simple;
    let mut steps = Vec::new();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some((id, becomes)) => steps.push(Step {
                node: node(id)?,
                becomes: match becomes {
                    "voter" => Member::Voter,
                    "learner" => Member::Learner,
                    "out" => Member::Nobody,
                    _ => return Err(format!("\"{becomes}\" is nothing that a node becomes")),
                },
            }),
            None if steps.is_empty() && word == "joint" => transition = Transition::Joint,
            None if steps.is_empty() && word == "explicit" => {
                transition = Transition::JointExplicit;
            }
            None => return Err(format!("\"{word}\" is no step of a change")),
        }
    }
    if steps.is_empty() {
        return Err("who becomes what is missing".to_owned());
    }
    asks(draft, Change { steps, transition });
    Ok(())
}

pub fn leave(draft: &mut Draft<'_>, _words: &mut Words<'_>) -> Result<(), Wrong> {
    let change = Change {
        steps: Vec::new(),
        transition: Transition::Leave,
    };
    asks(draft, change);
    Ok(())
}

fn asks(draft: &mut Draft<'_>, change: Change) {
    draft.strikes(What::Change {
        change,
        retries: 0,
        stop_removed: false,
    });
}

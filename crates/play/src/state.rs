//! What the browser is told after each act.

use serde::Serialize;

use squall_core::text::seconds;
use squall_explore::run_document::{RunDocument, ToCome};

/// One act as it is listed: its commands and remarks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// Its lines in the story's file.
    pub lines: Vec<String>,
}

/// What has been played, and what has come of it.
#[derive(Debug, Serialize)]
pub struct State<'a> {
    /// What is played on.
    pub subject: &'a str,
    /// What can be played on.
    pub subjects: Vec<&'a str>,
    /// A name for the file of what is played.
    pub name: String,
    /// The acts, in order.
    pub played: Vec<Act>,
    /// The acts that were taken back, the next to be redone first.
    pub undone: Vec<Act>,
    /// The present, in simulated microseconds since the start.
    pub now_us: u64,
    /// Something happens: the cluster cannot be set up any more.
    pub has_begun: bool,
    /// The story has come to its end.
    pub is_healed: bool,
    /// A rule is broken, which ends the run.
    pub is_broken: bool,
    /// What is to come.
    pub to_come: &'a ToCome,
    /// The run up to the present.
    pub document: &'a RunDocument,
}

/// Takes out of the document's words how long those faults last that go on until a command ends
/// them: in their plan they last beyond the present, and nobody has said how long.
pub fn leave_ends_open(document: &mut RunDocument, open: &[usize]) {
    for place in open {
        let Some(fault) = document.plan.faults.get(*place) else {
            continue;
        };
        let mut what = fault.what.clone();
        let Some(lasts_us) = what.lasts_us().copied() else {
            continue;
        };
        let words = fault.what.to_string();
        let span = seconds(lasts_us);
        let untold = words
            .replace(&format!(", and restarts {span} later"), "")
            .replace(&format!(" for {span}"), "");
        let told = |text: &mut String| *text = text.replace(&words, &untold);
        if let Some(fault) = document.faults.get_mut(*place) {
            told(&mut fault.words);
            for moment in &fault.struck {
                if let Some(moment) = document.moments.get_mut(*moment) {
                    told(&mut moment.text);
                }
            }
        }
        for sentence in &mut document.story {
            told(&mut sentence.text);
        }
    }
}

//! What is played as a story's file that is as it says: `squall story FILE.sim` finds what it
//! expects.

use squall_core::registry::RegisteredSubject;
use squall_explore::scenario::{Story, Told};

use super::session::{PlayError, Session, skipped};

/// The story of `text`, with what is expected of each subject that goes through it.
pub fn story(session: &Session, text: &str) -> Result<String, PlayError> {
    let own = session.subject();
    let story = Story::parse(session.path(), text);
    let own_told = tell(&story, own)?;
    if story.is_for(own)
        && let Some(told) = told_by_all(session, &story)
    {
        return Ok(story.rewritten(&told));
    }
    // It is for this subject alone.
    let text = format!("subjects {}\n{text}", own.name);
    let story = Story::parse(session.path(), &text);
    Ok(story.rewritten(&[(own.name.clone(), own_told.outputs)]))
}

/// What each subject that the story is for makes of it; none where one of them cannot say.
fn told_by_all(session: &Session, story: &Story) -> Option<Vec<(String, Vec<String>)>> {
    let engine = session.subject().engine;
    let mut all = Vec::new();
    for subject in session.subjects().iter() {
        if !story.is_for(subject) {
            continue;
        }
        if let Ok(told) = story.tell(&subject.on(engine)).ok()? {
            all.push((subject.name.clone(), told.outputs));
        }
    }
    Some(all)
}

fn tell(story: &Story, subject: &RegisteredSubject) -> Result<Told, PlayError> {
    story.tell(subject)?.map_err(|why| skipped(subject, why))
}

//! `cluster`, `set`, `subjects`: what there is before anything happens.

use serde_json::Value;

use crate::scenario::draft::{Draft, base};
use squall_core::faults::story::{Words, Wrong, number};
use squall_core::plan::Plan;

pub fn cluster(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let [mut voters, mut learners, mut spares] = [3u8, 0, 0];
    let mut seed = 0;
    while let Some(word) = words.next_word() {
        match word.split_once('=') {
            Some(("voters", value)) => voters = number(value, "voters")?,
            Some(("learners", value)) => learners = number(value, "learners")?,
            Some(("spares", value)) => spares = number(value, "spares")?,
            Some(("seed", value)) => seed = number(value, "seed")?,
            _ => return Err(format!("\"{word}\" is nothing that a cluster has")),
        }
    }
    if [learners, spares].iter().any(|count| *count > 16) || !(1..=9).contains(&voters) {
        return Err("a cluster has 1 to 9 voters, and 16 nodes in all".to_owned());
    }
    draft.plan = base(voters, learners, spares);
    draft.plan.seed = seed;
    Ok(())
}

pub fn set(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let field = words.word("a field")?;
    let text = words.rest();
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("\"{text}\" is no JSON: {error}"))?;
    let unknown = || format!("a plan has no field {field}");
    let mut whole = draft.plan.to_fields();
    let (parts, name) = match field.rsplit_once('.') {
        Some((parts, name)) => (Some(parts), name),
        None => (None, field),
    };
    let mut fields = &mut whole;
    for part in parts.iter().flat_map(|parts| parts.split('.')) {
        let inner = fields.get_mut(part).and_then(Value::as_object_mut);
        fields = inner.ok_or_else(unknown)?;
    }
    // Fields that say nothing are left out of a plan, as the options of a driver of one's own are.
    let was_there = fields.insert(name.to_owned(), value).is_some();
    draft.plan = Plan::of_fields(&whole).map_err(|error| match was_there {
        true => format!("{field} cannot be {text}: {error}"),
        false => unknown(),
    })?;
    Ok(())
}

pub fn subjects(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    draft.subjects.push(words.word("a subject")?.to_owned());
    while let Some(name) = words.next_word() {
        draft.subjects.push(name.to_owned());
    }
    Ok(())
}

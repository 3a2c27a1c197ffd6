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
    let mut whole = serde_json::to_value(&draft.plan).expect("a plan is plain data");
    let mut place = &mut whole;
    for name in field.split('.') {
        let known = match place {
            Value::Object(fields) => fields.get_mut(name),
            _ => None,
        };
        place = known.ok_or_else(|| format!("a plan has no field {field}"))?;
    }
    *place = value;
    draft.plan = serde_json::from_value::<Plan>(whole)
        .map_err(|error| format!("{field} cannot be {text}: {error}"))?;
    Ok(())
}

pub fn subjects(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    draft.subjects.push(words.word("a subject")?.to_owned());
    while let Some(name) = words.next_word() {
        draft.subjects.push(name.to_owned());
    }
    Ok(())
}

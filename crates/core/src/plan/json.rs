//! Plans, and parts of them, as JSON. All that is in a plan is read by one reader, that of a text,
//! and compiled here once: for each reader more, all the types of a plan would be compiled once
//! more.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Asked, Plan};
use crate::faults::Fault;

impl Plan {
    /// The plan as a JSON text that [`Plan::read`] takes.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan is plain data");
        text.push('\n');
        text
    }

    /// The fields of the plan in JSON, those of its parts within them.
    pub fn to_fields(&self) -> Map<String, Value> {
        serde_json::from_str(&self.to_json()).expect("a plan is an object")
    }

    /// The plan of such fields. It may be impossible to run: see [`Plan::validate`].
    ///
    /// # Errors
    /// When they are no plan's: what is wrong, in one line.
    pub fn of_fields(fields: &Map<String, Value>) -> Result<Self, String> {
        let text = serde_json::to_string(fields).expect("values are plain data");
        of_text(&text)
    }
}

impl Fault {
    /// The fault that is written so in a plan file.
    ///
    /// # Errors
    /// When the text is no fault: what is wrong, in one line.
    pub fn of_json(text: &str) -> Result<Self, String> {
        of_text(text)
    }
}

impl Asked {
    /// The operation that is written so in a plan file.
    ///
    /// # Errors
    /// When the text is no operation: what is wrong, in one line.
    pub fn of_json(text: &str) -> Result<Self, String> {
        of_text(text)
    }
}

fn of_text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| without_place(&error))
}

/// What is wrong, without the line and the column, of a text that nobody but the program has seen.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let words = error.to_string();
    words.strip_suffix(&place).unwrap_or(&words).to_owned()
}

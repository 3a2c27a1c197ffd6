//! A history for [Jepsen](https://github.com/jepsen-io/history)'s checkers, in EDN: what clients
//! asked for and what they were told, one map a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::run_document::{Operation, RunDocument};

/// One event of the history.
struct Event {
    /// In which moment of the run.
    moment: usize,
    kind: Kind,
    operation: usize,
}

/// In the order of what may be of one moment: a client gives one operation up to ask for the next,
/// and may be answered as it asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Fail,
    Info,
    Invoke,
    Ok,
}

/// The run's history in EDN. `:f` is what was asked for, by its first word, `:value` the whole
/// request, and of an `:ok` the request and the answer. An operation that was refused each time
/// fails; one of which nobody knows what became of it is `:info`, and its client goes on under
/// another number, as Jepsen demands of a process. Times are simulated nanoseconds.
pub fn edn(document: &RunDocument) -> String {
    let mut events = Vec::new();
    let mut next_of: BTreeMap<u32, usize> = BTreeMap::new();
    // From the last to the first: an operation is over when its client asks for the next.
    for (operation, asked) in document.operations.iter().enumerate().rev() {
        let Some(first) = asked.asked.first().copied() else {
            continue;
        };
        let over = next_of.insert(asked.client, first);
        let over = over.unwrap_or(document.moments.len());
        let answer = asked.answers.iter().find(|answer| !answer.refused);
        let told = answer.map(|answer| answer.moment);
        let refusals = asked.answers.iter().filter(|answer| answer.refused);
        let (kind, moment) = match told.filter(|told| *told < over) {
            Some(told) => (Kind::Ok, told),
            None if refusals.count() >= asked.asked.len() => (Kind::Fail, over),
            None => (Kind::Info, over),
        };
        for (kind, moment) in [(kind, moment), (Kind::Invoke, first)] {
            events.push(Event {
                moment,
                kind,
                operation,
            });
        }
    }
    events.sort_by_key(|event| (event.moment, event.kind, event.operation));
    let places = document.clients.iter().enumerate();
    let mut process_of: BTreeMap<u32, usize> =
        places.map(|(place, one)| (one.number, place)).collect();
    let clients = document.clients.len();
    let mut text = String::new();
    for (index, event) in events.iter().enumerate() {
        let operation = &document.operations[event.operation];
        let moment = document.moments.get(event.moment);
        let time_us = moment.map_or(document.end.time_us, |moment| moment.time_us);
        let process = process_of.entry(operation.client).or_default();
        let asked = quoted(&operation.text);
        let (name, value) = match event.kind {
            Kind::Invoke => ("invoke", format!("[{asked}]")),
            Kind::Ok => ("ok", format!("[{asked} {}]", quoted(answer(operation)))),
            Kind::Fail => ("fail", format!("[{asked}]")),
            Kind::Info => ("info", format!("[{asked}]")),
        };
        let function = operation.text.split(' ').next().unwrap_or_default();
        let _ = writeln!(
            text,
            "{{:index {index}, :time {}, :process {process}, :type :{name}, :f {}, :value {value}}}",
            time_us * 1_000,
            keyword(function),
        );
        if event.kind == Kind::Info {
            *process += clients;
        }
    }
    text
}

fn answer(operation: &Operation) -> &str {
    let mut answers = operation.answers.iter().filter(|answer| !answer.refused);
    answers.next().map_or("", |answer| answer.text.as_str())
}

/// A keyword of what is in `word`, or `:operation` for what cannot be one.
fn keyword(word: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let begins = word.starts_with(|first: char| first.is_ascii_alphabetic());
    match begins && word.chars().all(fits) {
        true => format!(":{word}"),
        false => ":operation".to_owned(),
    }
}

/// A string of EDN.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

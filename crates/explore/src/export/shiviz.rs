//! [ShiViz](https://bestchai.bitbucket.io/shiviz/)'s log: two lines an event, with a vector clock
//! (Fidge 1988, Mattern 1989), in the form that ShiViz expects where nobody gives another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::run_document::{MomentKind, RunDocument};

/// The expression that ShiViz is to read the log with, in the field for it: its own first choice.
pub const SHIVIZ_EXPRESSION: &str = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})";

/// A clock: how many events of each host are known.
type Clock = BTreeMap<String, u64>;

/// The run as a log for ShiViz, to be read with [`SHIVIZ_EXPRESSION`]. Hosts are the nodes,
/// the clients that asked for something, and `world`, which is all that befalls the cluster as a
/// whole. Messages that nobody took in are in the event of their sender alone.
pub fn shiviz(document: &RunDocument) -> String {
    let mut text = String::new();
    let mut clocks: BTreeMap<String, Clock> = BTreeMap::new();
    let mut after: Vec<Clock> = Vec::with_capacity(document.moments.len());
    let mut asked = BTreeMap::new();
    let mut answered: BTreeMap<usize, Vec<(usize, &str)>> = BTreeMap::new();
    for (place, operation) in document.operations.iter().enumerate() {
        for moment in &operation.asked {
            asked.insert(*moment, place);
        }
        for answer in &operation.answers {
            let all = answered.entry(answer.moment).or_default();
            all.push((place, answer.text.as_str()));
        }
    }
    let client = |place: usize| format!("client-{}", document.operations[place].client);
    for (place, moment) in document.moments.iter().enumerate() {
        let host = moment
            .node
            .map_or("world".to_owned(), |node| node.to_string());
        let mut causes = Vec::new();
        if let Some(operation) = asked.get(&place) {
            let words = format!("asks {host}: {}", document.operations[*operation].text);
            causes.push(event(
                &mut text,
                &mut clocks,
                &client(*operation),
                &[],
                &words,
            ));
        }
        if let Some(message) = moment.message {
            causes.push(after[document.messages[message].sent].clone());
        }
        let mut words = vec![moment.text.as_str()];
        words.extend(moment.lines.iter().map(String::as_str));
        words.retain(|part| !part.is_empty());
        if moment.kind == MomentKind::Other && words.is_empty() {
            words.push("goes on");
        }
        let clock = event(&mut text, &mut clocks, &host, &causes, &words.join("; "));
        for (operation, answer) in answered.get(&place).into_iter().flatten() {
            let words = format!("is told by {host}: {answer}");
            event(
                &mut text,
                &mut clocks,
                &client(*operation),
                std::slice::from_ref(&clock),
                &words,
            );
        }
        after.push(clock);
    }
    text
}

/// Writes an event of a host that follows from those with these clocks; returns its clock.
fn event(
    text: &mut String,
    clocks: &mut BTreeMap<String, Clock>,
    host: &str,
    causes: &[Clock],
    words: &str,
) -> Clock {
    let clock = clocks.entry(host.to_owned()).or_default();
    for (other, known) in causes.iter().flatten() {
        let here = clock.entry(other.clone()).or_default();
        *here = (*here).max(*known);
    }
    *clock.entry(host.to_owned()).or_default() += 1;
    let parts: Vec<String> = clock
        .iter()
        .map(|(name, count)| format!("\"{name}\":{count}"))
        .collect();
    // An event is one line, whatever a machine of a user's own says.
    let line = words.replace(['\n', '\r'], " ");
    let _ = writeln!(text, "{line}\n{host} {{{}}}", parts.join(","));
    clock.clone()
}

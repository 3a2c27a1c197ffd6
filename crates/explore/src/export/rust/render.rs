//! Calls as Rust: the small cluster, as far as they need it, then the test.

use std::fmt::Write as _;

use squall_core::invariants::Property;
use squall_core::reproduction::{Call, Reproducer};

use super::Trial;
use crate::run_document::RunDocument;

/// What begins a line that names the parts which the following lines belong to.
const PART: &str = "//#";

/// The longest line of the test.
const WIDTH: usize = 100;

/// The `Cargo.toml` of a crate of that name.
pub(super) fn manifest(name: &str, reproducer: &dyn Reproducer) -> String {
    let dependencies = reproducer.dependencies();
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2021\"\ndescription = \"Reproduces a failure that Squall found\"\npublish = false\n\n[workspace]\n\n[dependencies]\n{dependencies}"
    )
}

/// The crate's source.
pub(super) fn source(
    trial: &Trial<'_>,
    calls: &[Call],
    document: &RunDocument,
    ends_with: &str,
) -> String {
    let (reproducer, case) = (trial.reproducer, &trial.case);
    let mut text = String::new();
    if let Some(violation) = &document.violation {
        let message = violation.message.trim_end_matches('.');
        let about = match trial.case.property {
            Property::NoPanic => format!("{message}."),
            _ => format!(
                "{message}. The rule of {} ({}): {}.",
                violation.property,
                violation.source,
                violation.rule.trim_end_matches('.')
            ),
        };
        write_wrapped(&mut text, "//! ", &about);
    }
    text.push_str("//! What comments say is of the run as it was found: its terms and indices may be others.\n");
    text.push_str("#![cfg(test)]\n\n");
    text.push_str(&parts_of(
        reproducer.cluster(),
        &reproducer.parts(case, calls),
    ));
    let set_up = reproducer.set_up(case);
    let _ = write!(text, "\n{}\n#[test]\nfn reproduction() {{\n", set_up.items);
    let _ = writeln!(text, "    {}", set_up.statement);
    let mut line = String::new();
    let mut last = None;
    let mut told = Vec::new();
    for call in calls {
        let comment = story_of(document, call, &mut told);
        let settles = if call.settles { ".settle()" } else { "" };
        let code = format!("{}{settles}", reproducer.code(case, call));
        let fits = line.len() + code.len() < WIDTH - 5;
        if last == Some(call.node) && comment.is_empty() && fits {
            line.push_str(&code);
            continue;
        }
        end(&mut text, &mut line);
        for sentence in comment {
            write_wrapped(&mut text, "    // ", &sentence);
        }
        line = format!("c.on({}){code}", call.node.0);
        last = Some(call.node);
    }
    end(&mut text, &mut line);
    match reproducer.look(case) {
        Some(statement) => {
            let _ = writeln!(text, "    {statement}");
        }
        None => write_wrapped(
            &mut text,
            "    // ",
            &format!("The test ends before: {ends_with}"),
        ),
    }
    text.push_str("}\n");
    text
}

fn end(text: &mut String, line: &mut String) {
    if !line.is_empty() {
        let _ = writeln!(text, "    {line};");
        line.clear();
    }
}

/// What the story tells of the step that a call is of, once.
fn story_of(document: &RunDocument, call: &Call, told: &mut Vec<usize>) -> Vec<String> {
    let of_it = document
        .story
        .iter()
        .enumerate()
        .filter(|(place, sentence)| {
            (sentence.step, sentence.node) == (Some(call.step), Some(call.node))
                && !told.contains(place)
        });
    let (places, sentences): (Vec<usize>, Vec<String>) = of_it
        .map(|(place, sentence)| (place, format!("{} {}", call.node, sentence.text)))
        .unzip();
    told.extend(places);
    sentences
}

fn write_wrapped(text: &mut String, indent: &str, words: &str) {
    let mut line = indent.to_owned();
    for word in words.split_whitespace() {
        if line.len() > indent.len() && line.len() + word.len() + 1 > WIDTH {
            let _ = writeln!(text, "{}", line.trim_end());
            line = indent.to_owned();
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// The lines of `source` whose parts are all named in `parts`.
fn parts_of(source: &str, parts: &[&str]) -> String {
    let mut text = String::new();
    let mut is_in = true;
    for line in source.lines() {
        match line.trim_start().strip_prefix(PART) {
            Some(names) => is_in = names.split_whitespace().all(|name| parts.contains(&name)),
            None if is_in => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    text
}

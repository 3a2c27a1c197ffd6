//! `docs/surface.md` holds: every public call and option of the library has its row,
//! and what a row says happens, happens in a sweep.

use std::collections::BTreeMap;

use squall_core::counters::{Counter, Counters};

use super::support::{library_source as source, root, seeds, sweep};

/// The rows of a table: the cells of each.
fn rows(section: &str) -> Vec<Vec<String>> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| ---");
    let cells = |line: &str| {
        let inner = line.trim().trim_matches('|');
        inner
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    section.lines().filter(is_row).skip(1).map(cells).collect()
}

fn sections() -> BTreeMap<String, Vec<Vec<String>>> {
    let text = std::fs::read_to_string(root().join("docs/surface.md")).unwrap();
    let split = text.split("\n## ").skip(1);
    split
        .map(|part| {
            let title = part.lines().next().unwrap_or_default();
            (title.to_owned(), rows(part))
        })
        .collect()
}

/// The names in backticks in a cell.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// How often the events of a row have happened in its profile, which is swept when it is first
/// needed.
fn happened(row: &[String], swept: &mut BTreeMap<String, Counters>) -> Vec<u64> {
    let [.., counted, profile] = row else {
        panic!("{row:?} is too short");
    };
    let count = |name: &str| {
        let event = Counter::named(name).unwrap_or_else(|| panic!("no event \"{name}\""));
        let counters = swept
            .entry(profile.clone())
            .or_insert_with(|| sweep("raft-rs", profile, seeds(800), 2).counters);
        counters.get(event)
    };
    names(counted).into_iter().map(count).collect()
}

#[test]
fn every_row_of_the_surface_happens() {
    let mut swept = BTreeMap::new();
    let mut checked = 0;
    for (title, rows) in sections() {
        for row in rows {
            let counts = happened(&row, &mut swept);
            assert!(
                !counts.contains(&0),
                "{title}: {row:?} does not happen: {counts:?}"
            );
            checked += counts.len();
        }
    }
    assert!(checked > 100, "only {checked} rows found");
    // A row that does not happen is told from one that does: no search runs out of its budget in so
    // short runs.
    let never = ["`x`", "nowhere", "`restart`, `order-undecided`", "storm"].map(str::to_owned);
    let counts = happened(&never, &mut swept);
    assert!(counts[0] > 0 && counts[1] == 0, "{counts:?}");
}

/// The block that begins with a line that contains `head`, up to its closing brace.
fn block<'a>(source: &'a str, head: &str) -> &'a str {
    let start = source.find(head).unwrap_or_else(|| panic!("no {head}"));
    let end = source[start..].find("\n}").unwrap();
    &source[start..start + end]
}

/// What follows `before` in each line of `block` that has it, up to a character that no name has.
fn declared(block: &str, before: &str) -> Vec<String> {
    let name = |line: &str| {
        let rest = line.strip_prefix(before)?;
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        Some(rest.chars().take_while(|c| is_name(*c)).collect())
    };
    block.lines().filter_map(name).collect()
}

#[test]
fn every_public_call_and_option_has_its_row() {
    let raw_node = source("raw_node.rs");
    let config = source("config.rs");
    let storage = source("storage.rs");
    let mut ready = declared(block(&raw_node, "\nimpl Ready {"), "    pub fn ");
    ready.extend(declared(
        block(&raw_node, "\nimpl LightReady {"),
        "    pub fn ",
    ));
    let raft = source("raft.rs");
    let core = block(&raft, "\npub struct RaftCore<T: Storage> {");
    let mut node = declared(core, "    pub ");
    node.extend(declared(
        block(&raft, "\npub struct Raft<T: Storage> {"),
        "    pub ",
    ));
    let calls = raft.split_once("\nimpl<T: Storage> Raft<T> {").unwrap().1;
    node.extend(declared(calls, "    pub fn "));
    let public = [
        (
            "`RawNode`",
            declared(
                block(&raw_node, "\nimpl<T: Storage> RawNode<T> {"),
                "    pub fn ",
            ),
        ),
        ("`Ready` and `LightReady`", ready),
        (
            "`Config`",
            declared(block(&config, "\npub struct Config {"), "    pub "),
        ),
        ("Raft, where RawNode has no call for it", node),
        (
            "`Storage`",
            declared(block(&storage, "\npub trait Storage {"), "    fn "),
        ),
    ];
    let sections = sections();
    for (title, calls) in public {
        let rows: Vec<&str> = sections[title]
            .iter()
            .flat_map(|row| names(&row[0]))
            .collect();
        assert!(
            calls.len() > 5 && rows.iter().all(|row| calls.iter().any(|call| call == row)),
            "{title}: {calls:?}"
        );
        for call in calls {
            assert!(rows.contains(&call.as_str()), "{title}: no row for {call}");
        }
    }
}

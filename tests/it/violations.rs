//! Violations are values: each way in which a rule may be broken has its fields, its words and its
//! source, and what one run wrote another one hands on.

mod clients;
mod examples;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::expect_file;
use serde_json::{Value, json};
use squall_core::ids::NodeId;
use squall_core::invariants::breach::{
    Breach, ElectionSafety, LogMatching, Monotonic, NoPanic, StateMachineSafety, Unmet,
};
use squall_core::invariants::{Property, Violation};

use clients::of_what_clients_see;
use examples::{N2, examples, joint, panic, unmet, voters};

fn written(violation: &Violation) -> Value {
    serde_json::to_value(violation).unwrap()
}

#[test]
fn one_of_another_run_is_told_and_written_as_it_was() {
    for violation in examples() {
        let Value::Object(fields) = written(&violation) else {
            panic!("a violation is an object");
        };
        let (node, property, message) = (violation.node, violation.property(), violation.message());
        let again = Violation::as_written(node, property, message, fields);
        assert_eq!(again.to_string(), violation.to_string());
        assert_eq!(written(&again), written(&violation));
    }
}

/// The ways that a type of breaches has, as its source file lists them, by their names in JSON.
fn ways(file: &str, name: &str) -> BTreeSet<String> {
    let path = format!(
        "{}/crates/core/src/invariants/breach/{file}.rs",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (variants, _) = rest.split_once("\n}\n").unwrap();
    let of_line = |line: &str| {
        let word = line.strip_prefix("    ")?.trim_end_matches([' ', '{', ',']);
        let is_one = word.starts_with(|first: char| first.is_ascii_uppercase());
        is_one.then(|| kebab_case(word))
    };
    let found: BTreeSet<String> = variants.lines().filter_map(of_line).collect();
    assert!(!found.is_empty(), "{name} has no ways in {file}.rs");
    found
}

/// `StaleRead` as `stale-read`.
fn kebab_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// Whoever adds a way is to add an example of it.
#[test]
fn there_is_an_example_of_each() {
    let all = examples();
    let shown = |property: Property| -> BTreeSet<String> {
        let of_it = all
            .iter()
            .filter(|violation| violation.property() == property);
        let kind = |violation| written(violation)["kind"].as_str().unwrap().to_owned();
        of_it.map(kind).filter(|kind| kind != "in-words").collect()
    };
    let legal = |property| match property {
        Property::ElectionSafety => ways("election_safety", "ElectionSafety"),
        Property::LogMatching => ways("log_matching", "LogMatching"),
        Property::LeaderAppendOnly => ways("leader_append_only", "LeaderAppendOnly"),
        Property::LeaderCompleteness => ways("leader_completeness", "LeaderCompleteness"),
        Property::StateMachineSafety => ways("state_machine_safety", "StateMachineSafety"),
        Property::DurableCommit => ways("durable_commit", "DurableCommit"),
        Property::AckBeforeDurable => ways("ack_before_durable", "AckBeforeDurable"),
        Property::Monotonic => ways("monotonic", "Monotonic"),
        Property::Configuration => ways("configuration", "Configuration"),
        Property::Linearizability => ways("linearizability", "Linearizability"),
        Property::ExactlyOnce => ways("linearizability", "ExactlyOnce"),
        Property::ReadIndex => ways("read_index", "ReadIndex"),
        Property::Answered => ways("answered", "Answered"),
        Property::LockSafety => ways("lock_safety", "LockSafety"),
        Property::Liveness => ways("liveness", "Liveness"),
        Property::NoPanic => ways("no_panic", "NoPanic"),
        other => panic!("{other} is to be here"),
    };
    for property in Property::ALL.iter().copied() {
        assert_eq!(shown(property), legal(property), "{property}");
    }
    let kind = |unmet: &Unmet| serde_json::to_value(unmet).unwrap()["kind"].clone();
    let unmet = unmet();
    let shown = unmet
        .iter()
        .map(|unmet| kind(unmet).as_str().unwrap().to_owned());
    assert_eq!(shown.collect::<BTreeSet<_>>(), ways("unmet", "Unmet"));
}

#[test]
fn each_names_its_source() {
    let sources = [
        "Raft paper",
        "dissertation",
        "Herlihy and Wing",
        "Kleppmann",
        "Burrows",
        "etcd-io/etcd#",
        "common sense",
    ];
    for violation in examples() {
        let source = violation.breach.source();
        let names_one = sources.iter().any(|known| source.contains(known));
        assert!(names_one, "{violation}: {source:?}");
    }
}

/// Words and JSON of each. `UPDATE_EXPECT=1` rewrites the file.
#[test]
fn words_and_fields_are_as_written_down() {
    let mut text = String::new();
    for violation in examples() {
        let _ = writeln!(
            text,
            "{violation}\n  {}\n  {}\n",
            serde_json::to_string(&violation).unwrap(),
            violation.breach.source()
        );
    }
    expect_file!["./violations.txt"].assert_eq(&text);
}

#[test]
fn properties_are_written_by_their_names() {
    for property in Property::ALL.iter().copied() {
        assert_eq!(json!(property), json!(property.name()));
    }
}

#[test]
fn two_panics_are_alike_in_one_line_and_other_violations_by_their_property() {
    let panicked = |line, column, node| {
        let mut panic = panic();
        let place = panic.place.as_mut().unwrap();
        (place.line, place.column) = (line, column);
        *Violation::by(NodeId(node), NoPanic::Panicked { panic })
    };
    let here = panicked(10, 1, 1);
    assert!(here.is_like(&panicked(10, 5, 2)));
    assert!(!here.is_like(&panicked(11, 1, 1)));
    let by = |breach: NoPanic| *Violation::by(None, breach);
    assert!(!here.is_like(&by(NoPanic::Unwound)));
    assert!(by(NoPanic::Unwound).is_like(&by(NoPanic::Unwound)));
    assert!(!by(NoPanic::Unwound).is_like(&by(NoPanic::TestRanNothing)));
    let [one, two] = [3, 4].map(|index| *Violation::by(N2, LogMatching::Hole { index, last: 1 }));
    assert!(one.is_like(&two));
    let other = *Violation::by(
        N2,
        StateMachineSafety::OtherState {
            index: 3,
            states: examples::states(None),
        },
    );
    assert!(!one.is_like(&other) && !one.is_like(&here) && !here.is_like(&one));
}

#[test]
fn a_violation_says_what_it_is_about() {
    let by_n1 = |breach: Breach| Violation::by(NodeId(1), breach).mentions();
    let elected = by_n1(
        ElectionSafety::NotElected {
            term: 4,
            voters: voters(&[1]),
            configuration: joint(),
        }
        .into(),
    );
    assert_eq!(elected.nodes, (1..=5).map(NodeId).collect());
    assert_eq!(elected.terms, [4].into());
    assert_eq!(elected.entries, [].into());
    let back = by_n1(
        Monotonic::WrittenTermWentBack {
            before: 4,
            after: 3,
        }
        .into(),
    );
    assert_eq!((back.terms, back.entries), ([3, 4].into(), [].into()));
    let early = by_n1(of_what_clients_see()[12].clone());
    assert_eq!((early.locks, early.entries), ([2].into(), [].into()));
    let locks = by_n1(of_what_clients_see()[1].clone());
    assert_eq!((locks.locks, locks.keys), ([2].into(), [1].into()));
}

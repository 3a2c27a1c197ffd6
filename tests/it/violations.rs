//! Violations are values: each way in which a rule may be broken has its fields, its words and its
//! source, and is read back as it was written.

mod examples;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::expect_file;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use squall_core::ids::NodeId;
use squall_core::invariants::breach::{
    AckBeforeDurable, Breach, Configuration, DurableCommit, ElectionSafety, ExactlyOnce,
    LeaderAppendOnly, LeaderCompleteness, Linearizability, Liveness, LockSafety, LogMatching,
    Monotonic, NoPanic, StateMachineSafety, Unmet,
};
use squall_core::invariants::{Property, Violation};

use examples::{N2, examples, joint, of_what_clients_see, panic, unmet, voters};

fn written(violation: &Violation) -> Value {
    serde_json::to_value(violation).unwrap()
}

#[test]
fn each_is_read_back_as_it_was_written() {
    for violation in examples() {
        let text = serde_json::to_string(&violation).unwrap();
        let read: Violation = serde_json::from_str(&text).unwrap();
        assert_eq!(read, violation, "{text}");
        assert_eq!(read.message(), violation.message());
    }
}

/// The ways that a type of breaches has, by the names that are legal in JSON.
fn ways<T: DeserializeOwned>() -> BTreeSet<String> {
    let nothing = serde_json::from_value::<T>(json!({ "kind": "?" }));
    let Err(said) = nothing.map(drop).map_err(|error| error.to_string()) else {
        panic!("a way is called ?");
    };
    let (_, legal) = said.split_once("expected ").unwrap();
    let names = legal.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
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
        Property::ElectionSafety => ways::<ElectionSafety>(),
        Property::LogMatching => ways::<LogMatching>(),
        Property::LeaderAppendOnly => ways::<LeaderAppendOnly>(),
        Property::LeaderCompleteness => ways::<LeaderCompleteness>(),
        Property::StateMachineSafety => ways::<StateMachineSafety>(),
        Property::DurableCommit => ways::<DurableCommit>(),
        Property::AckBeforeDurable => ways::<AckBeforeDurable>(),
        Property::Monotonic => ways::<Monotonic>(),
        Property::Configuration => ways::<Configuration>(),
        Property::Linearizability => ways::<Linearizability>(),
        Property::ExactlyOnce => ways::<ExactlyOnce>(),
        Property::LockSafety => ways::<LockSafety>(),
        Property::Liveness => ways::<Liveness>(),
        Property::NoPanic => ways::<NoPanic>(),
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
    assert_eq!(shown.collect::<BTreeSet<_>>(), ways::<Unmet>());
}

#[test]
fn each_names_its_source() {
    let sources = [
        "Raft paper",
        "dissertation",
        "Herlihy and Wing",
        "Kleppmann",
        "Burrows",
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
fn what_is_no_violation_is_not_read() {
    let read = |value: Value| serde_json::from_value::<Violation>(value);
    let good =
        json!({ "property": "monotonic", "node": 1, "kind": "restarted-with-entry", "index": 7 });
    assert!(read(good.clone()).is_ok());
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        read(changed).unwrap_err().to_string()
    };
    for (field, value, words) in [
        ("property", json!("tidiness"), "unknown variant `tidiness`"),
        (
            "property",
            json!("liveness"),
            "unknown variant `restarted-with-entry`",
        ),
        ("kind", json!("grew"), "unknown variant `grew`"),
        ("index", json!(-1), "invalid value: integer `-1`"),
        ("node", json!(256), "invalid value: integer `256`"),
        ("more", json!(1), "unknown field `more`"),
    ] {
        let said = with(field, value);
        assert!(said.contains(words), "{field}: {said}");
    }
    let mut crowd = written(&examples()[1]);
    crowd["voters"] = json!([1, 32]);
    let said = read(crowd).unwrap_err().to_string();
    assert!(said.contains("n32 is too many for a set"), "{said}");
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
    let other = *Violation::by(N2, StateMachineSafety::OtherState { index: 3 });
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
    let early = by_n1(of_what_clients_see()[6].clone());
    assert_eq!((early.locks, early.entries), ([2].into(), [].into()));
    let locks = by_n1(of_what_clients_see()[1].clone());
    assert_eq!((locks.locks, locks.keys), ([2].into(), [1].into()));
}

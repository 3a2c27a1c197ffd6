//! Runs in the formats of other tools, read by parsers that are not Squall's: serde_json, and
//! edn-format.

use std::collections::BTreeMap;

use edn_format::{Keyword, Value as Edn};
use serde_json::Value;

use super::support::squall;

const FINDING: &str = "sims/findings/late-reply-confirms-newer-reads.json";

/// Runs that have crashes, pauses, snapshots, changes of the configuration.
const RUNS: &[&[&str]] = &[
    &[FINDING],
    &["--seed", "3", "--profile", "storm"],
    &[
        "--seed",
        "5",
        "--profile",
        "membership",
        "--subject",
        "noraft",
    ],
    &["--seed", "1", "--profile", "snapshots"],
];

fn exported(format: &str, run: &[&str]) -> String {
    let output = squall(&[&["export", format], run].concat());
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{run:?}: {wrong}");
    String::from_utf8(output.stdout).unwrap()
}

fn document(run: &[&str]) -> Value {
    let output = squall(&[&["replay", "--json"], run].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn a_trace_for_perfetto_has_every_step_and_a_flow_for_every_message_that_was_taken_in() {
    for run in RUNS {
        let trace: Value = serde_json::from_str(&exported("--perfetto", run)).unwrap();
        let document = document(run);
        let events = list(&trace, "traceEvents");
        let of = |phase: &str, category: &str| -> Vec<&Value> {
            let is_it = |event: &&Value| event["ph"] == phase && event["cat"] == category;
            events.iter().filter(is_it).collect()
        };
        assert_eq!(of("X", "step").len(), list(&document, "moments").len());
        let messages = list(&document, "messages");
        let taken = messages.iter().filter(|message| message["taken"].is_u64());
        let (begin, end) = (of("s", "message"), of("f", "message"));
        assert_eq!(begin.len(), taken.count(), "{run:?}");
        for (from, to) in begin.iter().zip(&end) {
            assert_eq!(from["id"], to["id"]);
            assert!(from["ts"].as_u64() <= to["ts"].as_u64(), "{from} {to}");
        }
        // Slices of one track follow one another.
        let mut ends = BTreeMap::new();
        for slice in of("X", "state") {
            let track = (slice["pid"].as_u64(), slice["tid"].as_u64());
            let [from_us, for_us] = ["ts", "dur"].map(|name| slice[name].as_u64().unwrap());
            let until = ends.insert(track, from_us + for_us).unwrap_or(0);
            assert!(until <= from_us, "{run:?}: {slice}");
        }
        let broken = of("i", "violation").len();
        assert_eq!(
            broken,
            usize::from(!document["violation"].is_null()),
            "{run:?}"
        );
    }
}

/// The clock of an event: how many events of each host it knows.
type Clock = BTreeMap<String, u64>;

#[test]
fn the_clocks_for_shiviz_order_events_as_messages_and_nodes_do() {
    for run in RUNS {
        let log = exported("--shiviz", run);
        let lines: Vec<&str> = log.lines().collect();
        let mut last: BTreeMap<&str, Clock> = BTreeMap::new();
        let mut of_nodes: Vec<Clock> = Vec::new();
        for event in lines.chunks(2) {
            let [_, stamp] = event else {
                panic!("half an event: {event:?}")
            };
            let (host, clock) = stamp.split_once(' ').unwrap();
            let clock: Clock = serde_json::from_str(clock).unwrap();
            let before = last.insert(host, clock.clone()).unwrap_or_default();
            let own = before.get(host).copied().unwrap_or_default();
            assert_eq!(clock[host], own + 1, "{run:?}: {stamp}");
            for (other, count) in &before {
                assert!(clock[other] >= *count, "{run:?}: {stamp} forgets {other}");
            }
            if !host.starts_with("client-") {
                of_nodes.push(clock);
            }
        }
        let document = document(run);
        assert_eq!(of_nodes.len(), list(&document, "moments").len(), "{run:?}");
        for message in list(&document, "messages") {
            let [sent, taken] = ["sent", "taken"].map(|name| message[name].as_u64());
            let (Some(sent), Some(taken)) = (sent, taken) else {
                continue;
            };
            let sender = format!("n{}", message["from"]);
            let [sent, taken] = [sent, taken].map(|at| &of_nodes[at as usize]);
            assert!(taken[&sender] >= sent[&sender], "{run:?}: {message}");
        }
    }
}

#[test]
fn a_history_for_jepsen_has_an_end_for_every_invocation_and_a_process_of_one_at_a_time() {
    for run in RUNS {
        let history = exported("--edn", run);
        let key = |name: &str| Edn::from(Keyword::from_name(name));
        let mut under_way: BTreeMap<i64, Edn> = BTreeMap::new();
        let mut ended: Vec<i64> = Vec::new();
        let (mut invoked, mut last) = (0, 0);
        for (place, line) in history.lines().enumerate() {
            let Edn::Map(event) = edn_format::parse_str(line).unwrap() else {
                panic!("no map: {line}");
            };
            let number = |name: &str| match event.get(&key(name)) {
                Some(Edn::Integer(number)) => *number,
                other => panic!("{name} is {other:?} in {line}"),
            };
            assert_eq!(number("index"), place as i64, "{line}");
            assert!(number("time") >= last, "{line}");
            last = number("time");
            let process = number("process");
            assert!(!ended.contains(&process), "{line}: it has ended");
            let function = event[&key("f")].clone();
            let kind = &event[&key("type")];
            if *kind == key("invoke") {
                invoked += 1;
                let other = under_way.insert(process, function);
                assert_eq!(other, None, "{line}");
            } else {
                assert_eq!(under_way.remove(&process), Some(function), "{line}");
                if *kind == key("info") {
                    ended.push(process);
                }
            }
        }
        assert!(under_way.is_empty(), "{run:?}: {under_way:?}");
        assert_eq!(invoked, list(&document(run), "operations").len(), "{run:?}");
        assert!(invoked > 0, "{run:?}");
    }
}

#[test]
fn a_format_must_be_named_and_be_one() {
    for arguments in [
        &["export", FINDING][..],
        &["export", "--edn", "--shiviz", FINDING],
        &["export", "--edn", "no-such-plan.json"],
    ] {
        let output = squall(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.log");
    let output = squall(&["export", "--shiviz", FINDING, "-o", file.to_str().unwrap()]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("expression (?<event>.*)\\n(?<host>"),
        "{told}"
    );
    assert!(
        std::fs::read_to_string(file)
            .unwrap()
            .contains("{\"n1\":1}")
    );
}

//! Runs in the formats of other tools, read by parsers that are not Squall's: serde_json, and
//! edn-format; and as crates of their own, which `cargo xtask reproductions` runs.

use std::collections::BTreeMap;

use edn_format::{Keyword, Value as Edn};
use serde_json::Value;

use super::support::{root, squall};

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

/// What `export --rust` says of a run that it writes no crate for.
fn refusal(run: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("crate");
    let output = squall(&[&["export", "--rust", "-o", to.to_str().unwrap()], run].concat());
    assert_eq!(output.status.code(), Some(2), "{run:?}");
    assert!(!to.exists(), "{run:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_crates_of_the_findings_are_what_is_written_today() {
    let kept = root().join("sims/reproductions");
    let mut tried = 0;
    for entry in std::fs::read_dir(&kept).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("crate");
        let plan = format!("sims/findings/{name}.json");
        let output = squall(&["export", "--rust", &plan, "-o", to.to_str().unwrap()]);
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {wrong}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("cargo test --manifest-path"), "{said}");
        for file in ["Cargo.toml", "src/lib.rs"] {
            let [fresh, there] =
                [&to, &path].map(|folder| std::fs::read_to_string(folder.join(file)).unwrap());
            assert!(
                fresh == there,
                "sims/reproductions/{name}/{file} is another: cargo xtask reproductions"
            );
        }
        tried += 1;
    }
    assert_eq!(tried, 20);
}

#[test]
fn a_crate_makes_the_same_calls_each_time_and_few_of_them() {
    let of = || {
        let folder = tempfile::tempdir().unwrap();
        let plan = "sims/findings/lease-reads-of-a-cut-off-leader.json";
        let to = folder.path().join("crate");
        squall(&["export", "--rust", plan, "-o", to.to_str().unwrap()]);
        std::fs::read_to_string(to.join("src/lib.rs")).unwrap()
    };
    let source = of();
    assert_eq!(source, of());
    let calls = source.lines().filter(|line| line.starts_with("    c.on("));
    assert!((2..20).contains(&calls.count()), "{source}");
    // What the run needs is there, and nothing else.
    assert!(source.contains("fn check_reads(") && source.contains("fn read("));
    for other in [
        "looks_at",
        "//#",
        "fn compact(",
        "fn check_promises(",
        "fn makes_progress(",
    ] {
        assert!(!source.contains(other), "{other}");
    }
}

#[test]
fn where_there_is_no_crate_to_write_it_is_said_why() {
    let clean = refusal(&["--seed", "1", "--profile", "storm"]);
    assert!(clean.contains("the run is clean"), "{clean}");
    let other = refusal(&["sims/findings/vote-for-an-older-log.json"]);
    assert!(other.contains("the subject raftbare cannot"), "{other}");
    let injected = refusal(&["--seed", "0", "--subject", "raft-rs+skip-fsync"]);
    assert!(injected.contains("raft-rs+skip-fsync cannot"), "{injected}");
    let nowhere = squall(&["export", "--rust", FINDING]);
    assert_eq!(nowhere.status.code(), Some(2));
    let said = String::from_utf8(nowhere.stderr).unwrap();
    assert!(said.contains("-o DIR"), "{said}");
    let many = squall(&["export", "--rust", "--edn", FINDING]);
    assert_eq!(many.status.code(), Some(2));
}

#[test]
fn a_crate_takes_the_place_of_nothing_else() {
    for file in ["Cargo.toml", "src/lib.rs"] {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join(file);
        std::fs::create_dir_all(mine.parent().unwrap()).unwrap();
        std::fs::write(&mine, "mine").unwrap();
        let output = squall(&[
            "export",
            "--rust",
            FINDING,
            "-o",
            folder.path().to_str().unwrap(),
        ]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        let wrong = String::from_utf8(output.stderr).unwrap();
        assert!(wrong.contains("Squall did not write it"), "{wrong}");
        assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
    }
    // Its own it writes anew.
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = squall(&[
            "export",
            "--rust",
            FINDING,
            "-o",
            folder.path().to_str().unwrap(),
        ]);
        assert_eq!(output.status.code(), Some(0));
    }
}

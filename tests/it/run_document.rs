//! A run as one document: it is as its schema says, and whoever follows its changes comes to the
//! states that the engine has.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use squall_core::engine::{NodeAtEnd, Observer};
use squall_core::plan::Plan;
use squall_explore::run_document::RunDocument;

use super::support::{plans, root, squall};

/// One node, as whoever reads the document knows it.
#[derive(Debug, Default)]
struct Node {
    fields: BTreeMap<String, Value>,
    first: u64,
    log: Vec<u64>,
}

/// The nodes after so many moments.
fn follow(document: &Value, moments: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    nodes.resize_with(document["nodes"].as_u64().unwrap() as usize, Node::default);
    for moment in &document["moments"].as_array().unwrap()[..moments] {
        for change in moment["changes"].as_array().into_iter().flatten() {
            let node = &mut nodes[change["node"].as_u64().unwrap() as usize - 1];
            for (name, value) in change.as_object().unwrap() {
                node.fields.insert(name.clone(), value.clone());
            }
            if let Some(log) = change.get("log") {
                let number = |name: &str| log[name].as_u64().unwrap();
                let (first, from) = (number("first"), number("from"));
                let gone = first
                    .saturating_sub(node.first.max(1))
                    .min(node.log.len() as u64);
                node.log.drain(..gone as usize);
                node.log.truncate((from - first) as usize);
                let entries = log["entries"].as_array().unwrap();
                let terms = entries.iter().map(|entry| entry["term"].as_u64().unwrap());
                node.log.extend(terms);
                node.first = first;
            }
        }
    }
    nodes
}

fn differences(node: &Node, truth: &NodeAtEnd) -> Vec<String> {
    let field = |name: &str| node.fields[name].clone();
    let on_disk = |name: &str| node.fields["disk"][name].clone();
    let last = node.first + node.log.len() as u64 - 1;
    let snapshot = field("snapshot").as_u64().unwrap();
    let pairs = [
        (
            "state",
            field("state"),
            Value::from(truth.state.to_string()),
        ),
        ("role", field("role"), truth.role.to_string().into()),
        ("term", field("term"), truth.term.into()),
        (
            "vote",
            field("vote"),
            truth.vote.map_or(0, |vote| vote.0).into(),
        ),
        ("last", last.max(snapshot).into(), truth.last.into()),
        ("commit", field("commit"), truth.commit.into()),
        ("applied", field("applied"), truth.applied.into()),
        (
            "incarnation",
            field("incarnation"),
            truth.incarnation.into(),
        ),
        ("term on disk", on_disk("term"), truth.disk.0.into()),
        ("snapshot on disk", on_disk("snapshot"), truth.disk.1.into()),
    ];
    let differ = pairs.into_iter().filter(|(_, one, other)| one != other);
    differ
        .map(|(name, one, other)| format!("{}'s {name} is {one}, not {other}", truth.id))
        .collect()
}

fn document(plan: &Plan, most_steps: Option<u64>) -> Value {
    let subject = squall::subject(&plan.subject).unwrap();
    let (document, _) = RunDocument::of_run(&subject, plan, "", most_steps);
    serde_json::to_value(document).unwrap()
}

/// Holds the document of a plan against the schema, and its states at ten steps against the
/// engine's.
fn hold(plan: &Plan, name: &Path, schema: &jsonschema::Validator) {
    let whole = document(plan, None);
    let wrong: Vec<String> = schema
        .iter_errors(&whole)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}: {:?}",
        name.display(),
        &wrong[..wrong.len().min(3)]
    );
    let subject = squall::subject(&plan.subject).unwrap();
    let steps = whole["end"]["steps"].as_u64().unwrap();
    for tenth in 1..=10 {
        let most_steps = (steps * tenth / 10).max(1);
        let watch = Observer {
            most_steps: Some(most_steps),
            ..Observer::default()
        };
        let outcome = subject.runner.run(plan, watch);
        let part = document(plan, Some(most_steps));
        let moments = part["moments"].as_array().unwrap().len();
        let nodes = follow(&whole, moments);
        for (node, truth) in nodes.iter().zip(&outcome.nodes) {
            let wrong = differences(node, truth);
            assert!(
                wrong.is_empty(),
                "{}, step {most_steps}: {wrong:?}",
                name.display()
            );
        }
    }
    if let Some(step) = whole["violation"]["step"].as_u64() {
        assert_eq!(step, steps, "{}", name.display());
        let moment = whole["violation"]["moment"].as_u64().unwrap() as usize;
        let told = whole["story"].as_array().unwrap().last().unwrap();
        assert_eq!(told["step"], step, "{}", name.display());
        assert_eq!(
            told["moment"].as_u64(),
            Some(moment as u64),
            "{}",
            name.display()
        );
    }
}

fn schema() -> jsonschema::Validator {
    let text = std::fs::read_to_string(root().join("docs/run.schema.json")).unwrap();
    let schema = serde_json::from_str(&text).unwrap();
    jsonschema::draft202012::options()
        .build(&schema)
        .expect("the schema is one")
}

#[test]
fn every_finding_and_every_regression_has_a_document_that_is_as_the_schema_says() {
    let schema = schema();
    for folder in ["sims/findings", "sims/regressions"] {
        for file in plans(folder) {
            hold(&Plan::read(&file).unwrap(), &file, &schema);
        }
    }
}

/// Crashes, snapshots, changes of the configuration, torn disks, disks that are lost.
#[test]
fn runs_of_every_profile_have_documents_whose_states_are_the_engines() {
    let schema = schema();
    for (profile, subject) in [
        ("storm", "raft-rs"),
        ("membership", "noraft"),
        ("snapshots", "raft-rs"),
        ("disk", "raftbare"),
        ("lost-disk", "noraft"),
        ("amnesia", "raft-rs"),
    ] {
        let loaded = squall_core::plan::Profile::load(profile).unwrap();
        for seed in 0..2 {
            let plan = super::support::draw(subject, &loaded, seed);
            let name = format!("{subject} {profile} {seed}");
            hold(&plan, Path::new(&name), &schema);
        }
    }
}

#[test]
fn replay_prints_the_document_and_nothing_else() {
    let plan = "sims/findings/late-reply-confirms-newer-reads.json";
    let output = squall(&["replay", "--json", plan]);
    assert_eq!(output.status.code(), Some(1));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["violation"]["step"], 137);
    assert_eq!(printed["violation"]["property"], "linearizability");
    let clean = squall(&["replay", "--json", "--seed", "1", "--profile", "smoke"]);
    assert_eq!(clean.status.code(), Some(0));
    let printed: Value = serde_json::from_slice(&clean.stdout).unwrap();
    assert_eq!(printed["violation"], Value::Null);
    let folder = squall(&["replay", "--json", "sims/findings"]);
    assert_eq!(folder.status.code(), Some(2));
    let told = String::from_utf8(folder.stderr).unwrap();
    assert!(told.contains("is a folder"), "{told}");
    let both = squall(&["replay", "--json", "--trace", plan]);
    assert_eq!(both.status.code(), Some(2));
}

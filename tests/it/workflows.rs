//! The jobs of `.github/workflows`: that they can be read, and that what they run is there.

use std::process::Command;

use serde_json::Value;

use super::support::{root, squall, stdout};

fn workflow(name: &str) -> Value {
    let path = root().join(".github/workflows").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    serde_norway::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every script of every step, with the name of its workflow.
fn scripts() -> Vec<(&'static str, String)> {
    let mut scripts = Vec::new();
    for name in ["ci.yml", "nightly.yml", "release.yml"] {
        let whole = workflow(name);
        assert!(
            whole["on"].is_object() && whole["permissions"].is_object(),
            "{name}"
        );
        let jobs = whole["jobs"].as_object().unwrap();
        assert!(!jobs.is_empty());
        for (job, what) in jobs {
            assert!(
                what["runs-on"].is_string() && what["timeout-minutes"].is_u64(),
                "{name}: {job}"
            );
            for step in what["steps"].as_array().unwrap() {
                match (&step["uses"], &step["run"]) {
                    (Value::String(action), Value::Null) => {
                        assert!(
                            action.contains('@'),
                            "{name}: {job}: {action} has no version"
                        );
                    }
                    (Value::Null, Value::String(script)) => scripts.push((name, script.clone())),
                    other => {
                        panic!("{name}: {job}: a step runs something or uses something: {other:?}")
                    }
                }
            }
        }
    }
    scripts
}

#[test]
fn every_script_is_a_script_and_the_flags_that_it_gives_exist() {
    let help = stdout(&squall(&["sweep", "--help"]));
    let mut sweeps = 0;
    for (name, script) in scripts() {
        // Expressions of the workflow stand for a word.
        let mut shell = script.clone();
        while let (Some(from), Some(to)) = (shell.find("${{"), shell.find("}}")) {
            shell.replace_range(from..to + 2, "word");
        }
        let read = Command::new("bash")
            .args(["-n", "-c", &shell])
            .output()
            .unwrap();
        assert!(read.status.success(), "{name}: {script}");
        if !script.contains("squall sweep") {
            continue;
        }
        sweeps += 1;
        for flag in script
            .split_whitespace()
            .filter(|word| word.starts_with("--"))
        {
            assert!(
                help.contains(flag),
                "{name}: {flag} is no flag of squall sweep"
            );
        }
    }
    assert_eq!(sweeps, 2);
}

#[test]
fn every_commit_is_tested_by_what_lands_here_and_by_seeds_of_its_own() {
    let scripts = scripts();
    let has = |workflow: &str, words: &str| {
        let found = scripts
            .iter()
            .any(|(name, script)| *name == workflow && script.contains(words));
        assert!(found, "{workflow} does not run {words}");
    };
    has("ci.yml", ".ci/run");
    has("ci.yml", "--seeds \"$GITHUB_SHA..+500\"");
    has("nightly.yml", "cargo xtask fuzz --for");
    has("nightly.yml", "--summary-md summary.md");
    has("nightly.yml", "--strategy guided --corpus corpus");
    has("nightly.yml", "squall corpus minimise corpus");
    // A corpus is kept from a night that found something, too.
    for (job, path) in [("sweep", "corpus"), ("fuzz", "fuzz/corpus")] {
        let steps = &workflow("nightly.yml")["jobs"][job]["steps"];
        let cached = |action: &str| {
            let uses = |step: &&Value| step["uses"].as_str().is_some_and(|it| it.contains(action));
            let step = steps.as_array().unwrap().iter().find(uses).unwrap();
            assert_eq!(step["with"]["path"], path, "{job}: {step}");
            step.clone()
        };
        let (restored, saved) = (cached("cache/restore@"), cached("cache/save@"));
        assert_eq!(saved["if"], "always()", "{job}");
        assert_eq!(restored["with"]["key"], saved["with"]["key"], "{job}");
    }
}

/// The jobs that `.ci/run` has, in its order.
fn jobs_of_ci() -> Vec<String> {
    let listed = Command::new("bash")
        .args([".ci/run", "--list"])
        .current_dir(root())
        .output()
        .unwrap();
    stdout(&listed).lines().map(str::to_owned).collect()
}

#[test]
fn the_workflows_have_the_jobs_of_the_script() {
    for name in ["ci.yml", "release.yml"] {
        let whole = workflow(name);
        let matrix = &whole["jobs"]["checks"]["strategy"]["matrix"]["job"];
        let matrix = matrix.as_array().unwrap().iter();
        let mut jobs: Vec<String> = matrix.map(|job| job.as_str().unwrap().to_owned()).collect();
        for step in whole["jobs"]["msrv"]["steps"].as_array().unwrap() {
            if let Some(job) = step["run"]
                .as_str()
                .and_then(|run| run.strip_prefix(".ci/run "))
            {
                jobs.push(job.to_owned());
            }
        }
        assert_eq!(jobs, jobs_of_ci(), "{name}");
    }
}

#[test]
fn nothing_is_published_before_all_jobs_are_well() {
    let release = workflow("release.yml");
    assert!(release["on"]["push"]["tags"].is_array());
    let mut before: Vec<&str> = Vec::new();
    for (name, job) in release["jobs"].as_object().unwrap() {
        let publishes = job["steps"].as_array().unwrap().iter().any(|step| {
            let run = step["run"].as_str();
            run.is_some_and(|run| run.contains("cargo publish"))
        });
        assert_eq!(publishes, name == "publish", "{name}");
        if !publishes {
            before.push(name);
        }
    }
    let needs = release["jobs"]["publish"]["needs"].as_array().unwrap();
    let needs: Vec<&str> = needs.iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(needs, before);
}

#[test]
fn an_unknown_job_is_told_with_the_legal_ones() {
    let told = Command::new("bash")
        .args([".ci/run", "tests"])
        .current_dir(root())
        .output()
        .unwrap();
    assert_eq!(told.status.code(), Some(2));
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(
        said.contains("unknown job tests; legal: lint test"),
        "{said}"
    );
}

#[test]
fn the_oldest_rust_is_one_number() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let oldest = manifest["workspace"]["package"]["rust-version"]
        .as_str()
        .unwrap();
    for name in ["ci.yml", "release.yml"] {
        let text = std::fs::read_to_string(root().join(".github/workflows").join(name)).unwrap();
        assert!(
            text.contains(&format!("toolchain install {oldest} ")),
            "{name}: {oldest}"
        );
    }
}

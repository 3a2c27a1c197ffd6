//! Spoilt files: the tests of `tests/it/hostile_files`, all of them, each module in a process of
//! its own.

use std::process::Command;

use serde::Deserialize;

use super::{Line, Scene};
use crate::Error;

/// The tests, one a process.
const TESTS: [&str; 8] = [
    "plans::plans_of_findings_and_of_injected_bugs",
    "plans::plans_of_regressions",
    "plans::plans_that_are_drawn",
    "profiles::profiles",
    "stories::stories",
    "program::unfinished_sweeps",
    "program::corpora",
    "program::other_files",
];

/// What a test says of a kind of file.
#[derive(Deserialize)]
struct Tally {
    kind: String,
    tried: u64,
    refused: u64,
    ran: u64,
    ended: u64,
    violated: u64,
    wrong: u64,
    panics: u64,
    slowest_ms: u64,
    peak_mib: u64,
}

pub fn run(scene: &Scene<'_>) -> Result<Vec<Line>, Error> {
    TESTS.iter().map(|test| one(scene, test)).collect()
}

fn one(scene: &Scene<'_>, test: &str) -> Result<Line, Error> {
    eprintln!("  {test}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "test",
            "--quiet",
            "--profile",
            &scene.options.profile,
            "--test",
            "it",
        ])
        .arg(format!("hostile_files::{test}"))
        .args(["--", "--exact", "--nocapture"])
        .env("SQUALL_TEST_FIELDS", "all")
        .current_dir(scene.project)
        .output()
        .map_err(|error| Error::Cargo(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    let tally = text.lines().find_map(|line| line.strip_prefix("fields "));
    let tally = tally.and_then(|line| serde_json::from_str::<Tally>(line).ok());
    let Some(tally) = tally else {
        let last = said.lines().rev().take(5).collect::<Vec<_>>().join("; ");
        return Ok(Line {
            tried: format!("`{test}`"),
            came: "it did not come to its end".to_owned(),
            wrong: vec![last],
        });
    };
    // What is wrong is told one a line, with the file's name first.
    let mut wrong: Vec<String> = said
        .lines()
        .skip_while(|line| !line.starts_with(&format!("{} of {}", tally.wrong, tally.tried)))
        .skip(1)
        .take(tally.wrong as usize)
        .map(str::to_owned)
        .collect();
    if wrong.is_empty() && !output.status.success() {
        wrong.push(format!(
            "the test fails: {}",
            said.lines().last().unwrap_or_default()
        ));
    }
    let Tally {
        kind,
        tried,
        refused,
        ran,
        ended,
        violated,
        panics,
        slowest_ms,
        peak_mib,
        ..
    } = tally;
    Ok(Line {
        tried: format!("{tried} {kind}"),
        came: format!(
            "{refused} refused, {ran} ran, {ended} were ended, {violated} fail as what they are made of may; {panics} panics, no hang, {slowest_ms} ms the slowest, {peak_mib} MiB at the peak"
        ),
        wrong,
    })
}

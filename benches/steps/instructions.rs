//! The same ratio in instructions, which no other program disturbs: this binary
//! runs itself under valgrind, once for each side, and counts only what is
//! executed inside the engine or inside the floor's measured part.

use std::process::Command;

use squall_core::options::Persistence;

use crate::floor::Floor;
use crate::mixes;
use crate::steady::{Scope, Steady};

/// The argument by which this binary calls itself.
pub const ALONE: &str = "--alone";

/// Simulated time of each run: some 30,000 steps at 3 nodes, for valgrind is slow.
const HEAL_US: u64 = 4_000_000;

/// One of the two that are compared.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Bare,
    Full,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Side::Bare => "bare",
            Side::Full => "full",
        }
    }

    /// The function whose instructions count, as callgrind's pattern.
    fn measured(self) -> &'static str {
        match self {
            Side::Bare => "steps::floor::play*",
            Side::Full => "steps::steady::engine*",
        }
    }
}

/// Prints instructions a step of both sides.
///
/// # Errors
/// When valgrind is missing or does not do as it should, in one line.
pub fn compare() -> Result<(), String> {
    // Before anything is printed: without it there is nothing to say.
    let found = Command::new("valgrind").arg("--version").output();
    found.map_err(|why| format!("--instructions needs valgrind on the PATH: {why}"))?;
    println!(
        "instructions a step (targets: log checks at most 1.22; with the workload at most 2.0 at 3 nodes)"
    );
    println!("bare: the same events stepped into raft 0.7.0 alone, no service, no checks");
    for scope in Scope::ALL {
        println!("\n{}\n{}", scope.words(), Steady::HEADER);
        for steady in mixes(scope, HEAL_US) {
            let steps = steady.run().steps;
            let each = |side| Ok::<f64, String>(count(side, &steady)? as f64 / steps as f64);
            let (bare, full) = (each(Side::Bare)?, each(Side::Full)?);
            let ratio = full / bare;
            println!(
                "{} {steps:>9} {bare:>12.0} {full:>12.0} {ratio:>7.2}",
                steady.words()
            );
        }
    }
    Ok(())
}

fn count(side: Side, steady: &Steady) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|why| format!("cannot find this binary: {why}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={}", side.measured()))
        .arg(this)
        .args([ALONE, side.word(), &steady.voters.to_string()])
        .args([
            scope_word(steady.scope),
            persistence_word(steady.persistence),
            &steady.heal_us.to_string(),
        ])
        .output()
        .map_err(|why| format!("cannot run valgrind: {why}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    match collected.and_then(|(_, number)| number.trim().parse().ok()) {
        Some(number) if output.status.success() && number > 0 => Ok(number),
        _ => Err(format!(
            "valgrind counted nothing inside {}: {}",
            side.measured(),
            last_line(&said)
        )),
    }
}

fn last_line(said: &str) -> &str {
    said.lines().last().unwrap_or("it said nothing")
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Log => "log",
        Scope::Clients => "clients",
    }
}

fn persistence_word(persistence: Persistence) -> &'static str {
    match persistence {
        Persistence::Synchronous => "synchronous",
        Persistence::Asynchronous => "asynchronous",
    }
}

/// What [`ALONE`] is followed by: side, nodes, scope, disk, and simulated microseconds.
///
/// # Errors
/// The first that is missing or is not one of these.
pub fn parse_alone(mut arguments: impl Iterator<Item = String>) -> Result<(Side, Steady), String> {
    let mut next = |what| arguments.next().ok_or(format!("{ALONE} lacks {what}"));
    let side = match next("a side")?.as_str() {
        "bare" => Side::Bare,
        "full" => Side::Full,
        other => return Err(format!("side {other:?}; legal are bare and full")),
    };
    let number = |text: String| {
        text.parse::<u64>()
            .map_err(|why| format!("{text:?}: {why}"))
    };
    let voters = number(next("nodes")?)? as u8;
    let scope = match next("a scope")?.as_str() {
        "log" => Scope::Log,
        "clients" => Scope::Clients,
        other => return Err(format!("scope {other:?}; legal are log and clients")),
    };
    let persistence = match next("a disk")?.as_str() {
        "synchronous" => Persistence::Synchronous,
        "asynchronous" => Persistence::Asynchronous,
        other => {
            return Err(format!(
                "disk {other:?}; legal are synchronous and asynchronous"
            ));
        }
    };
    let heal_us = number(next("a time")?)?;
    Ok((
        side,
        Steady {
            scope,
            voters,
            persistence,
            heal_us,
        },
    ))
}

/// One side, for valgrind to watch.
pub fn alone(side: Side, steady: Steady) {
    match side {
        // The recording replays itself once to check itself; that replay is the one counted.
        Side::Bare => drop(Floor::record(&steady)),
        Side::Full => drop(steady.run()),
    }
}

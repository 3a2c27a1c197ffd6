//! What came of the files: counts, and what must not be.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::spoilt::Spoilt;

/// Steps after which a run is ended: a plan may ask for a long one.
pub const MOST_STEPS: u64 = 300_000;

/// What takes longer is a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What may be held at the peak where all are tried, in KiB.
const MOST_KIB: u64 = 1 << 20;

/// What came of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was refused, with this message.
    Refused(String),
    /// It ran to its end.
    Ran,
    /// It ran for so long that it was ended.
    Ended,
    /// It ran into a violation, as it may.
    Violated,
    /// It is what must not be.
    Wrong(String),
}

/// What came of all files of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub kind: &'static str,
    pub tried: u64,
    pub refused: u64,
    pub ran: u64,
    pub ended: u64,
    pub violated: u64,
    pub wrong: u64,
    pub panics: u64,
    pub slowest_ms: u64,
    pub peak_mib: u64,
}

/// Whether all are to be tried, and not a sample.
pub fn all() -> bool {
    std::env::var("SQUALL_TEST_FIELDS").is_ok_and(|which| which == "all")
}

/// Those of `files` that are tried: about `usual` of them, or all.
pub fn sample(files: Vec<Spoilt>, usual: usize) -> Vec<Spoilt> {
    match all() {
        true => files,
        false => about(files, usual),
    }
}

/// The same where each takes a process: about `usual` of them, or about 1,500.
pub fn sample_of_processes(files: Vec<Spoilt>, usual: usize) -> Vec<Spoilt> {
    about(files, if all() { 1_500 } else { usual })
}

fn about(files: Vec<Spoilt>, count: usize) -> Vec<Spoilt> {
    // Odd, so that it is in step with few of the patterns in which fields and values follow one
    // another.
    let stride = (files.len() / count).max(1) | 1;
    files.into_iter().step_by(stride).collect()
}

/// Tries each of `files`, of which `name` says whose they are, and fails with the first things that
/// must not be.
///
/// # Panics
/// Where one of them panics, hangs, or comes to what it must not.
#[allow(clippy::disallowed_methods)] // It looks whether something hangs.
pub fn try_all(
    kind: &'static str,
    files: impl Iterator<Item = (String, Vec<Spoilt>)> + Send + 'static,
    attempt: impl Fn(&str, &Spoilt) -> Fate + Send + 'static,
) -> Tally {
    let now: Arc<Mutex<(String, Instant)>> = Arc::new(Mutex::new((String::new(), Instant::now())));
    let shared = Arc::clone(&now);
    let worker = std::thread::spawn(move || {
        let mut tally = Tally {
            kind,
            ..Tally::default()
        };
        let mut complaints = Vec::new();
        for (name, spoilt) in files {
            for one in &spoilt {
                let began = Instant::now();
                let what = format!("{name}: {}", one.what);
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = (what.clone(), began);
                let tried = catch_unwind(AssertUnwindSafe(|| attempt(&name, one)));
                tally.slowest_ms = tally.slowest_ms.max(began.elapsed().as_millis() as u64);
                tally.tried += 1;
                let wrong = match tried {
                    Ok(Fate::Refused(message)) => {
                        tally.refused += 1;
                        message
                            .is_empty()
                            .then(|| "refused without a word".to_owned())
                    }
                    Ok(Fate::Ran) => {
                        tally.ran += 1;
                        None
                    }
                    Ok(Fate::Ended) => {
                        tally.ended += 1;
                        None
                    }
                    Ok(Fate::Violated) => {
                        tally.violated += 1;
                        None
                    }
                    Ok(Fate::Wrong(why)) => {
                        // Of the program; what panics in a subject is a violation.
                        tally.panics += u64::from(why.contains("panicked at "));
                        Some(why)
                    }
                    Err(panic) => {
                        tally.panics += 1;
                        let text = panic.downcast_ref::<String>().cloned();
                        let text = text.or_else(|| {
                            panic.downcast_ref::<&str>().map(|text| (*text).to_owned())
                        });
                        Some(format!("panicked: {}", text.unwrap_or_default()))
                    }
                };
                if let Some(why) = wrong {
                    tally.wrong += 1;
                    complaints.push(format!("{what}: {why}"));
                }
            }
        }
        (tally, complaints)
    });
    while !worker.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        let (what, since) = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert!(since.elapsed() < PATIENCE, "{what}: hangs");
    }
    let (mut tally, complaints) = worker.join().unwrap();
    tally.peak_mib = peak_kib() >> 10;
    if all() {
        println!("\nfields {}", serde_json::to_string(&tally).unwrap());
        assert!(peak_kib() < MOST_KIB, "{} MiB at the peak", tally.peak_mib);
    }
    assert!(
        complaints.is_empty(),
        "{} of {} {kind}:\n{}",
        complaints.len(),
        tally.tried,
        complaints[..complaints.len().min(if all() { 2_000 } else { 40 })].join("\n")
    );
    tally
}

/// The most memory that this process ever had, where the system tells.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

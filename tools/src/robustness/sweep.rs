//! A sweep as its user sees it: what it prints, how it ends, what its summary says, and the files
//! that these name.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Scene;
use crate::Error;

/// How a program ended, and what it had said.
pub struct Ended {
    /// Its exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// The signal.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ended {
    /// In words.
    pub fn words(&self) -> String {
        match (self.status, self.signal) {
            (Some(status), _) => format!("status {status}"),
            (_, Some(signal)) => format!("signal {signal}"),
            _ => "no status".to_owned(),
        }
    }

    /// Whether it was refused as it must be: status 2, and one line.
    pub fn is_clean_refusal(&self) -> bool {
        self.status == Some(2) && self.stderr.lines().count() == 1
    }
}

/// A program that runs.
pub struct Running {
    child: Child,
    began: Instant,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Result<Self, Error> {
        let name = PathBuf::from(command.get_program());
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Ok(Self {
            child: child.map_err(|error| Error::file(&name, &error))?,
            began: Instant::now(),
        })
    }

    /// Lets it run to its end, or kills it after a time.
    pub fn end(mut self, kill_after: Option<Duration>) -> Result<Ended, Error> {
        let broken = |error: std::io::Error| Error::Sweep(error.to_string());
        // Pipes are emptied while it runs, or it would wait for us.
        let mut stdout = self.child.stdout.take().expect("it is piped");
        let mut stderr = self.child.stderr.take().expect("it is piped");
        let read = |pipe: &mut dyn std::io::Read| {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let stdout = std::thread::spawn(move || read(&mut stdout));
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        if let Some(after) = kill_after {
            std::thread::sleep(after.saturating_sub(self.began.elapsed()));
            self.child.kill().map_err(broken)?;
        }
        let status = self.child.wait().map_err(broken)?;
        Ok(Ended {
            status: status.code(),
            signal: status.signal(),
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default(),
            took: self.began.elapsed(),
        })
    }
}

impl Scene<'_> {
    /// Squall with these words, in `folder`.
    pub fn squall(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(folder);
        command
    }

    /// Squall with these words under a shell that does something before.
    pub fn squall_after(&self, before: &str, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{before}; exec \"$@\""), "sh"])
            .arg(&self.program)
            .args(words)
            .current_dir(folder);
        command
    }
}

/// A new folder that goes away.
pub fn folder() -> Result<tempfile::TempDir, Error> {
    tempfile::tempdir().map_err(|error| Error::file(&std::env::temp_dir(), &error))
}

/// The plans that were printed as what repeats a finding.
pub fn printed(stdout: &str) -> BTreeSet<String> {
    let commands = stdout
        .lines()
        .filter_map(|line| line.trim().strip_prefix("reproduce "));
    let plan = |command: &str| {
        let (_, path) = command.split_once(" replay ")?;
        Some(
            path.split(" --")
                .next()?
                .trim()
                .trim_matches('\'')
                .to_owned(),
        )
    };
    commands.filter_map(plan).collect()
}

/// A summary, as far as it is the same for the same sweep: the digest, the counts, and each finding
/// with its plan's text.
#[derive(Debug, PartialEq)]
pub struct Summary {
    pub digest: String,
    pub runs: u64,
    pub steps: u64,
    /// By seed and property: the message, and the plan's text, where it is there.
    pub findings: BTreeMap<(u64, String), (String, Option<String>)>,
}

/// Reads the summary that a sweep in `folder` wrote to `path`.
pub fn summary(folder: &Path, path: &Path) -> Result<Summary, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| Error::Sweep(format!("summary: {error}")))?;
    let number = |name: &str| value[name].as_u64().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let violations = value["violations"].as_array().into_iter().flatten();
    let finding = |found: &Value| {
        let plan = std::fs::read_to_string(folder.join(word(&found["plan"]))).ok();
        let seed = found["seed"].as_u64().unwrap_or_default();
        (
            (seed, word(&found["property"])),
            (word(&found["message"]), plan),
        )
    };
    Ok(Summary {
        digest: word(&value["digest"]),
        runs: number("runs"),
        steps: number("steps"),
        findings: violations.map(finding).collect(),
    })
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

/// What is wrong with the files below a folder: JSON that is not whole.
pub fn torn(folder: &Path) -> Vec<String> {
    let is_json = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "json");
    let broken = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let error = serde_json::from_str::<Value>(&text).err()?;
        Some(format!("{} is not whole: {error}", path.display()))
    };
    let all = files(folder);
    all.iter().filter(is_json).filter_map(broken).collect()
}

/// What is wrong with plans that were printed: those that are not there, or no JSON.
pub fn missing(folder: &Path, plans: &BTreeSet<String>) -> Vec<String> {
    let lacks = |plan: &String| {
        let text = std::fs::read_to_string(folder.join(plan)).unwrap_or_default();
        let error = serde_json::from_str::<Value>(&text).err()?;
        Some(format!("{plan} was printed and cannot be read: {error}"))
    };
    plans.iter().filter_map(lacks).collect()
}

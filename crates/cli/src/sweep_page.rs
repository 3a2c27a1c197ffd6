//! The page of a sweep, kept up to date while the sweep goes on.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use squall_core::fsutil::{read_text, write_whole};
use squall_core::invariants::breach::Breach;
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_explore::sweep::{Finding, Summary};
use squall_page::{
    Found, Point, SWEEP_FILE, SWEEP_FORMAT, SWEEP_VERSION, SweepDocument, Written, sweep_html,
    write_failure,
};

use super::{CliError, warn};

/// How often the page is written anew while nothing is found.
const EVERY: Duration = Duration::from_secs(10);

/// The most points of a curve: where there are more, every second one goes.
const MOST_POINTS: usize = 400;

/// The page of a sweep, and the files beside it.
pub struct SweepPage {
    folder: PathBuf,
    document: SweepDocument,
    /// Seconds that the sweep took before it was interrupted.
    before: f64,
    begun: Instant,
    written: Instant,
    /// Of so many points that are offered one is kept.
    stride: u64,
    /// That the page cannot be written has been said.
    is_lost: bool,
    offered: u64,
}

/// The page of a sweep, where one is asked for. The watchdog ends it as well, from its own thread.
pub struct SharedPage(Mutex<Option<SweepPage>>);

impl SharedPage {
    pub fn new(page: Option<SweepPage>) -> Self {
        Self(Mutex::new(page))
    }

    /// Does something with the page, where there is one.
    pub fn with<T>(&self, change: impl FnOnce(&mut SweepPage) -> T) -> Option<T> {
        let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.as_mut().map(change)
    }
}

impl SweepPage {
    /// In the folder `folder`, which is made where it is missing, and is not `out`, where plans
    /// are. A sweep that goes on from `stand` goes on with its page; its summary so far is
    /// `so_far`.
    ///
    /// # Errors
    /// When the folder cannot be written to, or has the page of another sweep.
    pub fn begin(
        folder: &Path,
        out: &Path,
        goes_on: bool,
        stand: &Summary,
        so_far: serde_json::Value,
    ) -> Result<Self, CliError> {
        std::fs::create_dir_all(folder).map_err(|error| CliError::file(folder, &error))?;
        let [html, plans] = [folder, out].map(|folder| std::fs::canonicalize(folder).ok());
        if html.is_some() && html == plans {
            let words = "--html and --out are one folder: what replay is to read there are plans";
            return Err(CliError::Usage(words.to_owned()));
        }
        let path = folder.join(SWEEP_FILE);
        let mut document = match (goes_on, path.exists()) {
            (true, true) => read(&path)?,
            (false, true) => {
                return Err(CliError::Usage(format!(
                    "{} has the page of a sweep already; name another folder, or remove this one",
                    folder.display()
                )));
            }
            (_, false) => SweepDocument {
                format: SWEEP_FORMAT.to_owned(),
                version: SWEEP_VERSION,
                squall: env!("CARGO_PKG_VERSION").to_owned(),
                begun: today(),
                ..SweepDocument::default()
            },
        };
        for name in ["subject", "profile", "engine", "first_seed"] {
            if goes_on && path.exists() && document.summary[name] != so_far[name] {
                return Err(CliError::Usage(format!(
                    "{} has the page of another sweep: its {name} is {}, and not {}",
                    folder.display(),
                    document.summary[name],
                    so_far[name]
                )));
            }
        }
        // What came after the sweep's last stand is done again.
        document.points.retain(|point| point.runs <= stand.runs);
        let is_known = |found: &Found| {
            let mut findings = stand.findings.iter();
            findings.any(|finding| finding.seed == found.seed)
        };
        document.findings.retain(is_known);
        document.summary = so_far;
        let now = now();
        let page = Self {
            folder: folder.to_path_buf(),
            before: document.points.last().map_or(0.0, |point| point.seconds),
            document: SweepDocument {
                is_over: false,
                ..document
            },
            begun: now,
            written: now,
            stride: 1,
            is_lost: false,
            offered: 0,
        };
        // Before any run it must be certain that the page can be written.
        page.write()?;
        Ok(page)
    }

    fn seconds(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }

    /// Takes in how far the sweep is.
    pub fn point(&mut self, runs: u64, steps: u64, findings: u64, states: Option<u64>) {
        self.offered += 1;
        if !self.offered.is_multiple_of(self.stride) {
            return;
        }
        self.document.points.push(Point {
            seconds: self.seconds(),
            runs,
            steps,
            findings,
            states,
        });
        if self.document.points.len() > MOST_POINTS {
            let mut place = 0;
            self.document.points.retain(|_| {
                place += 1;
                place % 2 == 0
            });
            self.stride *= 2;
        }
    }

    /// The sweep goes on, and adds up to `summary`: writes the page anew if it is time to.
    pub fn goes_on(&mut self, summary: impl FnOnce() -> serde_json::Value) {
        if self.written.elapsed() >= EVERY {
            self.stands_or_warns(summary(), false);
        }
    }

    /// Takes in a finding, with the command that repeats it. The first of its kind gets a page.
    pub fn finding(&mut self, subject: &RegisteredSubject, finding: &Finding, reproduce: &str) {
        let violation = &finding.failure.violation;
        let mut found = Found {
            seconds: self.seconds(),
            seed: finding.seed,
            property: violation.property().name().to_owned(),
            message: violation.message(),
            kind: kind(&violation.breach),
            reproduce: reproduce.to_owned(),
            page: None,
        };
        let is_like = |other: &Found| {
            (&other.property, &other.kind) == (&found.property, &found.kind) && other.page.is_some()
        };
        if !self.document.findings.iter().any(is_like) {
            found.page = self.page_of(subject, &finding.plan, finding.seed, reproduce);
        }
        self.document.findings.push(found);
    }

    fn page_of(
        &self,
        subject: &RegisteredSubject,
        plan: &Plan,
        seed: u64,
        reproduce: &str,
    ) -> Option<String> {
        let name = format!("seed-{seed}.html");
        let to = self.folder.join(&name);
        let written = write_failure(subject, plan, reproduce, &to).unwrap_or_else(|error| {
            warn(&CliError::file(&to, &error).to_string());
            Written::DidNotFail
        });
        (written == Written::Page).then_some(name)
    }

    /// Writes the page of the sweep as it is, which `summary` adds up to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn stands(&mut self, summary: serde_json::Value, is_over: bool) -> Result<(), CliError> {
        let has_ended = is_over && !self.document.is_over;
        self.document.summary = summary;
        self.document.is_over = is_over;
        self.written = now();
        if has_ended {
            let number = |name: &str| self.document.summary[name].as_u64().unwrap_or(0);
            self.document.points.push(Point {
                seconds: self.seconds(),
                runs: number("runs"),
                steps: number("steps"),
                findings: self.document.findings.len() as u64,
                states: self.document.summary["coverage"]["states"].as_u64(),
            });
        }
        self.write()
    }

    /// Takes in the findings of before that the page has not: the sweep notes where it stands more
    /// often than the page is written. `commands` repeat them.
    pub fn catch_up(
        &mut self,
        subject: &RegisteredSubject,
        findings: &[Finding],
        commands: impl IntoIterator<Item = String>,
    ) {
        for (finding, command) in findings.iter().zip(commands) {
            let mut known = self.document.findings.iter();
            if !known.any(|found| found.seed == finding.seed) {
                self.finding(subject, finding, &command);
            }
        }
    }

    /// The same. Where the page cannot be written, that is a warning, once: the sweep goes on.
    pub fn stands_or_warns(&mut self, summary: serde_json::Value, is_over: bool) {
        if let Err(error) = self.stands(summary, is_over)
            && !std::mem::replace(&mut self.is_lost, true)
        {
            warn(&format!("the sweep's page is not up to date: {error}"));
        }
    }

    fn write(&self) -> Result<(), CliError> {
        // The folder may have been removed while the sweep went on.
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| CliError::file(&self.folder, &error))?;
        let json = serde_json::to_string(&self.document).expect("a document is plain data");
        for (name, text) in [
            (SWEEP_FILE, json),
            ("index.html", sweep_html(&self.document)),
        ] {
            let path = self.folder.join(name);
            write_whole(&path, &text).map_err(|error| CliError::file(&path, &error))?;
        }
        Ok(())
    }

    /// Where the page is.
    pub fn file(&self) -> PathBuf {
        self.folder.join("index.html")
    }
}

/// The document of a sweep.
///
/// # Errors
/// When the file cannot be read, or is none.
pub fn read(path: &Path) -> Result<SweepDocument, CliError> {
    let text = read_text(path).map_err(|error| CliError::file(path, &error))?;
    let document: SweepDocument = serde_json::from_str(&text).map_err(|error| {
        CliError::Usage(format!("{}: no sweep's document: {error}", path.display()))
    })?;
    match (document.format.as_str(), document.version) {
        (SWEEP_FORMAT, SWEEP_VERSION) => Ok(document),
        (format, version) => Err(CliError::Usage(format!(
            "{}: format \"{format}\", version {version}; legal: \"{SWEEP_FORMAT}\", version {SWEEP_VERSION}",
            path.display()
        ))),
    }
}

/// What tells a violation from others of its property: where a panic came from, or how the rule was
/// broken. It is read from the form in which it is written, so that it is the same for one that was
/// read from a file.
pub fn kind(breach: &Breach) -> String {
    let fields = serde_json::to_value(breach).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, panic) = (text(&fields["kind"]), &fields["panic"]);
    match (kind.as_str(), &panic["place"]) {
        ("panicked", Value::Null) => text(&panic["message"]),
        ("panicked", place) => format!("{}:{}", text(&place["file"]), place["line"]),
        _ => kind,
    }
}

#[expect(clippy::disallowed_methods, reason = "it times the sweep, and no run")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "it dates the sweep, and no run")]
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    // To the minute, without the letter between date and time.
    now.chars().take(16).collect::<String>().replace('T', " ")
}

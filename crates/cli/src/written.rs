//! A sweep's findings as they are written down: each plan as it was found, and the
//! first of each property made smaller too.
//!
//! Each file's name identifies its sweep, so that all of them can lie in one folder: what `replay
//! FOLDER` runs and what CI keeps is one folder, however many sweeps there were, and the same
//! finding of two sweeps is one file. No file overwrites another.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use squall_core::engine::Engine;
use squall_core::fsutil::{Equal, NewName, name_part, write_new};
use squall_core::invariants::Property;
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_core::text::{WIDTH, indented};
use squall_explore::report::{self, Files};
use squall_explore::shrink::{Shrinker, Shrunk};
use squall_explore::strategy::Kind;
use squall_explore::sweep::{Finding, USUAL_CAUSES};
use squall_explore::watchdog::{Hang, Patience};

use super::page::Pages;
use super::shrink::{progress, show};
use super::{CliError, replay_command, say};

/// How findings are written down.
pub struct Writing<'a> {
    /// What was swept.
    pub subject: &'a RegisteredSubject,
    /// The folder.
    pub out: &'a Path,
    /// A folder for temporary files, on the same file system.
    pub scratch: &'a Path,
    /// How the names of the files begin: see [`sweep_name`].
    pub name: &'a str,
    /// Print them too.
    pub print: bool,
    /// The sweep goes on after a finding.
    pub keep_going: bool,
    /// Threads to shrink with.
    pub jobs: usize,
    /// How long to shrink each first violation of a property; none for not at all.
    pub shrink_for: Option<Duration>,
    /// How long a run of a smaller plan may stand still.
    pub patience: Option<Duration>,
    /// Whether what is printed gets an HTML page beside its plan.
    pub pages: Pages,
}

/// Hears of a smaller plan whose run hangs, with the files of all findings.
pub type HangsShrinking<'a> = &'a (dyn Fn(&Hang, &[Files]) + Sync);

/// What has been written down.
pub struct Written<'a> {
    writing: Writing<'a>,
    files: Vec<Files>,
    /// The first finding of each property, and its place in `files`.
    firsts: Vec<(usize, Finding)>,
}

impl<'a> Written<'a> {
    pub fn new(writing: Writing<'a>) -> Self {
        Self {
            writing,
            files: Vec::new(),
            firsts: Vec::new(),
        }
    }

    /// Writes a finding's plan; prints the whole page of the first, and a line for each other.
    /// Where the sweep ends with it, its page comes after the summary.
    pub fn finding(&mut self, finding: &Finding) -> Result<(), CliError> {
        let what = of(finding).name();
        let path = self.write(finding.seed, what, &finding.plan)?;
        let place = self.files.len();
        let is_new = self.enter(finding, path.clone());
        let waits = is_new && !self.writing.keep_going;
        if waits || !self.writing.print {
            return Ok(());
        }
        self.print(finding, &path, place == 0)?;
        match place == 0 {
            true => say("\n"),
            false => Ok(()),
        }
    }

    /// Takes in a finding that was written and told before.
    pub fn known(&mut self, finding: &Finding, plan: PathBuf) {
        self.enter(finding, plan);
    }

    /// The files of the findings so far, in their order.
    pub fn files(&self) -> &[Files] {
        &self.files
    }

    /// Writes the plan of a seed, of which `what` is known. Returns its file.
    pub fn write(&self, seed: u64, what: &str, plan: &Plan) -> Result<PathBuf, CliError> {
        let name = format!("{}-seed-{seed}-{what}", self.writing.name);
        self.write_new(&self.writing.out.join(name), plan)
    }

    fn write_new(&self, stem: &Path, plan: &Plan) -> Result<PathBuf, CliError> {
        let name = NewName {
            stem: stem.to_path_buf(),
            ending: ENDING,
        };
        let (scratch, text) = (self.writing.scratch, plan.to_json());
        let mut written = write_new(scratch, &name, &text, Equal::Serves);
        // The folder may have been removed while the sweep went on.
        if written.is_err() && std::fs::create_dir_all(scratch).is_ok() {
            written = write_new(scratch, &name, &text, Equal::Serves);
        }
        written.map_err(|error| CliError::file(&name.stem, &error))
    }

    /// Takes in a finding, and says whether it is the first of its property.
    fn enter(&mut self, finding: &Finding, plan: PathBuf) -> bool {
        let place = self.files.len();
        self.files.push(Files { plan, shrunk: None });
        let is_new = !self
            .firsts
            .iter()
            .any(|(_, first)| of(first) == of(finding));
        if is_new {
            self.firsts.push((place, finding.clone()));
        }
        is_new
    }

    fn print(&self, finding: &Finding, path: &Path, whole: bool) -> Result<(), CliError> {
        let command = replay_command(path, self.writing.subject);
        if whole {
            let html = self.page_line(&finding.plan, path, &command);
            let page = report::failure(self.writing.subject, &finding.plan, path, &html, &command);
            let page = page.unwrap_or_else(|| gone(finding, path, &command));
            return say(&page);
        }
        let seed = finding.seed;
        let failure = &finding.failure;
        say(&format!("seed {seed}: {failure}\n  reproduce  {command}\n"))
    }

    /// Shrinks the first finding of each property, writes the smaller plans beside the others,
    /// and prints how to replay them. Returns the files of all findings.
    pub fn shrink(
        mut self,
        stop: &AtomicBool,
        hangs: HangsShrinking<'_>,
    ) -> Result<Vec<Files>, CliError> {
        for (place, finding) in std::mem::take(&mut self.firsts) {
            let path = self.files[place].plan.clone();
            let time = (self.writing.shrink_for).filter(|_| !stop.load(Ordering::Relaxed));
            let shrunk = time.and_then(|time| self.shrink_one(&finding, time, stop, hangs));
            let Some(shrunk) = shrunk else {
                if self.writing.print && !self.writing.keep_going {
                    say("\n")?;
                    self.print(&finding, &path, true)?;
                }
                continue;
            };
            let smaller = self.write_new(&beside(&path), &shrunk.plan)?;
            self.files[place].shrunk = Some(smaller.clone());
            if self.writing.print {
                self.print_shrunk(&shrunk, &path, &smaller)?;
            }
        }
        Ok(self.files)
    }

    fn shrink_one(
        &self,
        finding: &Finding,
        time: Duration,
        stop: &AtomicBool,
        hangs: HangsShrinking<'_>,
    ) -> Option<Shrunk> {
        let files = &self.files;
        let tell = |hang: &Hang| hangs(hang, files);
        let shrinker = Shrinker {
            subject: self.writing.subject,
            jobs: self.writing.jobs,
            time_limit: Some(time),
            stop,
            hangs: Some(Patience {
                time: self.writing.patience,
                tell: &tell,
            }),
        };
        let bar = progress(!self.writing.print);
        let shrunk = shrinker.run(&finding.plan, &mut |news| show(&bar, &news));
        bar.finish_and_clear();
        // A plan that does not fail again is a leak, which the sweep's double runs are to find.
        shrunk.ok()
    }

    fn print_shrunk(&self, shrunk: &Shrunk, path: &Path, smaller: &Path) -> Result<(), CliError> {
        let command = replay_command(smaller, self.writing.subject);
        let sizes = [
            ("shrunk", "from", &shrunk.before),
            ("", "to", &shrunk.after),
        ];
        let sizes = sizes.iter().flat_map(|(head, which, size)| {
            let words = format!("{which} {}", report::size(size));
            indented(head, &words, 11, WIDTH)
        });
        let sizes: Vec<String> = sizes.collect();
        let html = self.page_line(&shrunk.plan, smaller, &command);
        let origin = format!("{}\nfrom       {}\n", sizes.join("\n"), path.display());
        if self.writing.keep_going {
            let failure = &shrunk.failure;
            return say(&format!(
                "\nshrunk: {failure}\n  reproduce  {command}\n{html}{origin}"
            ));
        }
        let page = report::failure(self.writing.subject, &shrunk.plan, smaller, &html, &command);
        say(&format!("\n{}{origin}", page.unwrap_or_default()))
    }
}

impl Written<'_> {
    /// Writes the HTML page of a plan beside it, and says where.
    fn page_line(&self, plan: &Plan, path: &Path, command: &str) -> String {
        let to = path.with_extension("html");
        self.writing
            .pages
            .line(self.writing.subject, plan, &to, command)
    }
}

/// What is said of a finding whose plan does not fail again.
fn gone(finding: &Finding, path: &Path, command: &str) -> String {
    format!(
        "VIOLATION {}\n\nIts plan was run once more, and did not fail: the run is not the same each time. {USUAL_CAUSES}\n\nplan       {}\nreproduce  {command}\n",
        finding.failure,
        path.display()
    )
}

fn of(finding: &Finding) -> Property {
    finding.failure.violation.property()
}

/// How the names of plans' files end.
const ENDING: &str = ".json";

/// What tells the files of a sweep from those of others: its subject, its profile, and its strategy
/// and its engine where they are not the usual ones.
pub fn sweep_name(subject: &str, profile: &str, strategy: Kind, engine: Engine) -> String {
    let profile = Path::new(profile).file_stem().unwrap_or_default();
    let mut name = format!(
        "{}-{}",
        name_part(subject),
        name_part(&profile.to_string_lossy())
    );
    if !matches!(strategy, Kind::Swarm | Kind::Mixed) {
        name.push_str(&format!("-{}", strategy.name()));
    }
    if engine != Engine::default() {
        name.push_str(&format!("-{}", engine.name()));
    }
    name
}

/// Where the smaller plan of the one at `path` is written, but for the ending.
fn beside(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-shrunk"))
}

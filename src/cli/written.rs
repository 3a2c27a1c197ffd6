//! A sweep's findings as they are written down: each plan as it was found, and the
//! first of each property made smaller too.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::campaign::Finding;
use crate::check::Property;
use crate::report::{self, Files};
use crate::shrink::{Shrinker, Shrunk};
use crate::subject::Named;

use super::shrink::{progress, show};
use super::{CliError, replay_command, say, write_file};

/// How findings are written down.
pub struct Writing<'a> {
    /// What was swept.
    pub subject: &'a Named,
    /// The folder.
    pub out: &'a Path,
    /// Print them too.
    pub print: bool,
    /// The sweep goes on after a finding.
    pub keep_going: bool,
    /// Threads to shrink with.
    pub jobs: usize,
    /// How long to shrink each first violation of a property; none for not at all.
    pub shrink_for: Option<Duration>,
}

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
    /// Where the sweep ends with it, its page waits for the smaller plan.
    pub fn finding(&mut self, finding: &Finding) -> Result<(), CliError> {
        let Writing { subject, out, .. } = self.writing;
        std::fs::create_dir_all(out).map_err(|error| CliError::file(out, &error))?;
        let path = out.join(plan_name(&subject.name, finding));
        write_file(&path, &finding.plan.to_json())?;
        let place = self.files.len();
        let is_new = self.enter(finding, path.clone());
        let waits = is_new && !self.writing.keep_going && self.writing.shrink_for.is_some();
        if waits || !self.writing.print {
            return Ok(());
        }
        self.print(finding, &path, place == 0)
    }

    /// Takes in a finding that was written and told before.
    pub fn known(&mut self, finding: &Finding) {
        let Writing { subject, out, .. } = self.writing;
        self.enter(finding, out.join(plan_name(&subject.name, finding)));
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
        let command = replay_command(path, self.writing.subject.engine);
        if whole {
            let page = report::failure(self.writing.subject, &finding.plan, path, &command);
            return say(&format!("{}\n", page.unwrap_or_default()));
        }
        let seed = finding.seed;
        let failure = &finding.failure;
        say(&format!("seed {seed}: {failure}\n  repeat   {command}\n"))
    }

    /// Shrinks the first finding of each property, writes the smaller plans beside the others,
    /// and prints how to replay them. Returns the files of all findings.
    pub fn shrink(mut self, stop: &AtomicBool) -> Result<Vec<Files>, CliError> {
        let Some(time) = self.writing.shrink_for else {
            return Ok(self.files);
        };
        for (place, finding) in std::mem::take(&mut self.firsts) {
            let path = self.files[place].plan.clone();
            let shrunk = match stop.load(Ordering::Relaxed) {
                true => None,
                false => self.shrink_one(&finding, time, stop),
            };
            let Some(shrunk) = shrunk else {
                if self.writing.print && !self.writing.keep_going {
                    self.print(&finding, &path, true)?;
                }
                continue;
            };
            let smaller = beside(&path);
            write_file(&smaller, &shrunk.plan.to_json())?;
            self.files[place].shrunk = Some(smaller.clone());
            if self.writing.print {
                self.print_shrunk(&shrunk, &path, &smaller)?;
            }
        }
        Ok(self.files)
    }

    fn shrink_one(&self, finding: &Finding, time: Duration, stop: &AtomicBool) -> Option<Shrunk> {
        let shrinker = Shrinker {
            subject: self.writing.subject,
            jobs: self.writing.jobs,
            time_limit: Some(time),
            stop,
        };
        let bar = progress(!self.writing.print);
        let shrunk = shrinker.run(&finding.plan, &mut |news| show(&bar, &news));
        bar.finish_and_clear();
        // A plan that does not fail again is a leak, which the sweep's double runs are to find.
        shrunk.ok()
    }

    fn print_shrunk(&self, shrunk: &Shrunk, path: &Path, smaller: &Path) -> Result<(), CliError> {
        let command = replay_command(smaller, self.writing.subject.engine);
        let origin = format!(
            "shrunk   from {}\n         to {}\nfrom     {}\n\n",
            report::size(&shrunk.before),
            report::size(&shrunk.after),
            path.display()
        );
        if self.writing.keep_going {
            let failure = &shrunk.failure;
            return say(&format!(
                "shrunk: {failure}\n  repeat   {command}\n{origin}"
            ));
        }
        let page = report::failure(self.writing.subject, &shrunk.plan, smaller, &command);
        say(&format!("{}{origin}", page.unwrap_or_default()))
    }
}

fn of(finding: &Finding) -> Property {
    finding.failure.violation.property
}

/// The name of the file of a finding's plan.
pub fn plan_name(subject: &str, finding: &Finding) -> String {
    let seed = finding.seed;
    format!("{subject}-seed-{seed}-{}.json", of(finding))
}

/// Where the smaller plan of the one at `path` is written.
fn beside(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-shrunk.json"))
}

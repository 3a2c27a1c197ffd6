//! One libFuzzer at work: a target's program, in a process group of its own, so that an interrupt
//! from the keyboard ends it in good order and not in the middle of something.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::Error;

/// How long a fuzzer may take to end after it was told to, or after its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it has to take in what its jobs have found.
const MERGE: Duration = Duration::from_secs(3);

/// How often is looked whether it must end.
const LOOK: Duration = Duration::from_millis(200);

/// How often its progress is told.
const TELL: Duration = Duration::from_secs(15);

/// How many of its last lines are kept, for when it fails.
const LINES: usize = 12;

/// What a run of libFuzzer said.
#[derive(Debug, Default)]
pub struct Fuzzed {
    /// Its exit status was 0.
    pub ended_well: bool,
    /// It was told to end before its time.
    pub stopped: bool,
    /// The last progress that it told.
    pub progress: Option<Progress>,
    /// The last that it said.
    pub last: Vec<String>,
}

/// How far a fuzzer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Inputs run.
    pub executions: u64,
    /// Edges of code covered.
    pub edges: u64,
    /// Features: edges with how often, and states of the cluster.
    pub features: u64,
}

impl Progress {
    /// Reads a line as libFuzzer's fork mode prints it: `#12345: cov: 67 ft: 89 corp: 10 ...`.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix('#')?.split_whitespace();
        let executions = words.next()?.trim_end_matches(':').parse().ok()?;
        let words: Vec<&str> = words.collect();
        let after = |name: &str| {
            let place = words.iter().position(|word| *word == name)?;
            words.get(place + 1)?.parse().ok()
        };
        Some(Self {
            executions,
            edges: after("cov:")?,
            features: after("ft:")?,
        })
    }
}

/// The program of a target.
pub struct Fuzzer<'a> {
    /// Where it is.
    pub program: PathBuf,
    /// Where it works: artifacts are named from there.
    pub project: &'a Path,
    /// Environment variables that it gets besides.
    pub variables: &'a [(&'a str, &'a str)],
}

impl Fuzzer<'_> {
    /// Runs it until it ends by itself, `time` is long over, `stop` is set or `enough` says so.
    /// `tell` gets a line of progress now and then.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(
        &self,
        arguments: &[String],
        time: Option<Duration>,
        stop: &AtomicBool,
        mut enough: impl FnMut() -> bool,
        mut tell: impl FnMut(Progress),
    ) -> Result<Fuzzed, Error> {
        let error = |error: std::io::Error| Error::file(&self.program, &error);
        let mut child = Command::new(&self.program)
            .args(arguments)
            .current_dir(self.project)
            .envs(self.variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(error)?;
        let lines = read_lines(&mut child);
        let mut fuzzed = Fuzzed::default();
        let (began, mut told) = (Instant::now(), Instant::now());
        let mut told_to_end: Option<Instant> = None;
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    let progress = Progress::read(&line);
                    fuzzed.progress = progress.or(fuzzed.progress);
                    if fuzzed.last.len() == LINES {
                        fuzzed.last.remove(0);
                    }
                    fuzzed.last.push(line);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if let Some(progress) = fuzzed.progress
                && told.elapsed() >= TELL
            {
                told = Instant::now();
                tell(progress);
            }
            let overdue = time.is_some_and(|time| began.elapsed() > time + PATIENCE);
            match told_to_end {
                None if stop.load(Ordering::Relaxed) || enough() || overdue => {
                    told_to_end = Some(Instant::now());
                    fuzzed.stopped = true;
                    end_jobs(child.id());
                }
                Some(since) if since.elapsed() > PATIENCE || time.is_none() => {
                    if let Some(group) = Pid::from_raw(child.id() as i32) {
                        let _ = kill_process_group(group, Signal::KILL);
                    }
                }
                Some(since) if since.elapsed() > MERGE => {
                    if let Some(fuzzer) = Pid::from_raw(child.id() as i32) {
                        let _ = kill_process(fuzzer, Signal::USR1);
                    }
                }
                _ => {}
            }
        }
        fuzzed.ended_well = child.wait().map_err(error)?.success();
        Ok(fuzzed)
    }

    /// What one input comes to, as the target tells it: the finding's first line, and the command
    /// that repeats it.
    pub fn told(&self, input: &Path) -> Option<(String, String)> {
        // It writes what fails once more, and refuses to start where that cannot be.
        let folder = tempfile::tempdir().ok()?;
        let output = Command::new(&self.program)
            .arg(input)
            .arg(format!("-artifact_prefix={}/", folder.path().display()))
            .current_dir(self.project)
            .envs(self.variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let mut lines = said
            .lines()
            .skip_while(|line| !line.contains("panicked at"));
        let finding = lines.nth(1)?.to_owned();
        let repeat = lines
            .find_map(|line| line.strip_prefix("reproduce "))?
            .trim();
        Some((finding, repeat.to_owned()))
    }
}

/// Ends the jobs of the fuzzer with this id, in libFuzzer's fork mode: they look for this file, and
/// what they found is merged then. The fuzzer itself begins others after them, until it is told by
/// a signal.
fn end_jobs(fuzzer: u32) {
    let folder = format!("libFuzzerTemp.FuzzWithFork{fuzzer}.dir");
    let _ = std::fs::write(std::env::temp_dir().join(folder).join("STOP"), "stop");
}

/// The lines that it writes to its standard error.
fn read_lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(errors) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut errors = BufReader::new(errors);
            let mut line = Vec::new();
            // What a target prints need not be text.
            while errors
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_fork_mode_is_read() {
        let line = "#76543: cov: 9120 ft: 31001 corp: 420 exec/s: 812 oom/timeout/crash: 0/0/0 time: 94s job: 12 dft_time: 0";
        let read = Progress::read(line).unwrap();
        assert_eq!(
            (read.executions, read.edges, read.features),
            (76_543, 9_120, 31_001)
        );
        assert_eq!(Progress::read("INFO: Seed: 1"), None);
        assert_eq!(Progress::read("#12 NEW"), None);
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_when_it_is_told_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("fuzzer");
        let script = "#!/bin/sh\necho '#5: cov: 1 ft: 2' >&2\nsleep 600\n";
        std::fs::write(&program, script).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, executable).unwrap();
        let fuzzer = Fuzzer {
            program,
            project: folder.path(),
            variables: &[],
        };
        let stop = AtomicBool::new(true);
        let fuzzed = fuzzer.run(&[], None, &stop, || false, |_| {}).unwrap();
        assert!(fuzzed.stopped && !fuzzed.ended_well);
    }
}

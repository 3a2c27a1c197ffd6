//! A process that hosts nodes: started, asked and answered, watched, and ended. Knows frames and
//! not what is in them.
//!
//! A thread keeps the newest of what the process prints on standard error, and another looks
//! whether it answers. Both go by wall time, and no result depends on them: a process that is too
//! slow is killed, and the run that it was in has failed for that.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use super::frame::{self, Frame};

/// How long a process may take for an answer where nobody says, in wall time: ten thousand times
/// what a step of a slow one takes.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// How often it is looked whether it answers. Time counts by looks: as long as this whole process
/// stands still, no other is too slow.
const EVERY: Duration = Duration::from_millis(100);

/// How long a process may take to end once nothing more is asked.
const GRACE: Duration = Duration::from_secs(1);

/// Bytes of standard error that are kept, the newest.
const PRINTED: usize = 16 << 10;

/// Lines of standard error that are told.
const LINES: usize = 20;

/// Why a process does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// It cannot be started.
    #[error("cannot start {}: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It has ended.
    #[error("the process ended: {0}")]
    Ended(String),
    /// It took too long, and was killed.
    #[error("the process did not answer within {} s, and was killed", .0.as_secs_f64())]
    TooSlow(Duration),
    /// What it sent is no frame.
    #[error("the process does not speak the protocol: {0}")]
    Nonsense(String),
}

/// All processes of this program, for what is to be done with each: to end it, to ask for its time.
static ALL: Mutex<All> = Mutex::new(All {
    going: Vec::new(),
    time_of_ended: Duration::ZERO,
    is_over: false,
});

#[derive(Debug)]
struct All {
    /// Those that go on.
    going: Vec<Weak<Shared>>,
    /// Processor time of those that do not.
    time_of_ended: Duration,
    /// This program ends: no other is started.
    is_over: bool,
}

/// Ends all processes, with all that they have started, at once, for good: no other can be started
/// afterwards. For a program that ends in the middle of runs. A process has a process group of its
/// own, and what ends this program does not reach it.
pub fn kill_all() {
    let mut all = lock(&ALL);
    all.is_over = true;
    for shared in all.going.iter().filter_map(Weak::upgrade) {
        let mut process = lock(&shared.process);
        kill_group(&process);
        let _ = process.kill();
    }
}

/// Gives all of these a moment to end, now that nothing more is asked, and then ends them.
pub(crate) fn end_all(mut children: Vec<Child>) {
    children.iter_mut().for_each(Child::hang_up);
    let mut waited = Duration::ZERO;
    while waited < GRACE && !children.iter().all(Child::has_ended) {
        pause(Duration::from_millis(2));
        waited += Duration::from_millis(2);
    }
}

/// Processor time that all processes have taken so far, those that they have started and waited
/// for among them. Of one that ends by itself the last moments may be missing.
pub(crate) fn time_of_all() -> Duration {
    let all = lock(&ALL);
    let going = all.going.iter().filter_map(Weak::upgrade);
    all.time_of_ended + going.map(|shared| shared.time()).sum::<Duration>()
}

/// A process.
#[derive(Debug)]
pub(crate) struct Child {
    shared: Arc<Shared>,
    /// None once nothing more is asked.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    printed: Arc<Mutex<Printed>>,
    reader: Option<JoinHandle<()>>,
    request: Frame,
    answer: Vec<u8>,
    deadline: Duration,
    /// Runs that it has been in, this one among them.
    pub(crate) runs: u64,
}

/// What its watchdog knows of it.
#[derive(Debug)]
struct Shared {
    process: Mutex<std::process::Child>,
    /// Odd while an answer is due.
    beat: AtomicU64,
    was_killed: AtomicBool,
    /// Processor time as it was last seen, in microseconds.
    time_us: AtomicU64,
}

impl Shared {
    /// Its processor time, as of now if it can be had.
    fn time(&self) -> Duration {
        if let Ok(process) = self.process.try_lock() {
            self.look_at_time(&process);
        }
        Duration::from_micros(self.time_us.load(Ordering::Relaxed))
    }

    /// To be done before it is waited for, when nobody knows of it any more.
    fn look_at_time(&self, process: &std::process::Child) {
        let time = time_of(process).unwrap_or_default();
        let time_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.time_us.fetch_max(time_us, Ordering::Relaxed);
    }
}

/// The newest of what it has printed in this run.
#[derive(Debug, Default)]
struct Printed {
    bytes: VecDeque<u8>,
    was_cut: bool,
}

impl Child {
    /// Starts `command`: a program and its arguments, in that folder.
    pub(crate) fn start(
        command: &[String],
        folder: Option<&Path>,
        deadline: Duration,
    ) -> Result<Self, ChildError> {
        let [program, arguments @ ..] = command else {
            return Err(ChildError::Nonsense("there is no command".to_owned()));
        };
        let failed = |source| ChildError::Start {
            program: program.into(),
            source,
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        // Ctrl-C on the terminal is for Squall, which ends what it has begun.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut all = lock(&ALL);
        if all.is_over {
            return Err(failed(ErrorKind::Interrupted.into()));
        }
        let mut process = command.spawn().map_err(failed)?;
        let (Some(to), Some(from), Some(errors)) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        ) else {
            unreachable!("all three were asked for");
        };
        let printed = Arc::default();
        let shared = Arc::new(Shared {
            process: Mutex::new(process),
            beat: AtomicU64::new(0),
            was_killed: AtomicBool::new(false),
            time_us: AtomicU64::new(0),
        });
        all.going.push(Arc::downgrade(&shared));
        drop(all);
        let into = Arc::clone(&printed);
        let reader = Builder::new()
            .name("standard error".to_owned())
            .spawn(move || keep_newest(errors, &into))
            .map_err(failed)?;
        let looked_at = Arc::downgrade(&shared);
        Builder::new()
            .name("deadline".to_owned())
            .spawn(move || look_on(&looked_at, deadline))
            .map_err(failed)?;
        Ok(Self {
            shared,
            to: Some(to),
            from: BufReader::with_capacity(64 << 10, from),
            printed,
            reader: Some(reader),
            request: Frame::default(),
            answer: Vec::new(),
            deadline,
            runs: 0,
        })
    }

    /// Asks what `write` puts into a frame, and returns the answer.
    pub(crate) fn ask(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<&[u8], ChildError> {
        if !self.from.buffer().is_empty() {
            return Err(ChildError::Nonsense(
                "it has answered a request more than once".to_owned(),
            ));
        }
        let Some(to) = &mut self.to else {
            return Err(ChildError::Ended("it was ended before".to_owned()));
        };
        write(self.request.begin());
        self.request.fits().map_err(ChildError::Nonsense)?;
        self.shared.beat.fetch_add(1, Ordering::Relaxed);
        let sent = self.request.send(to);
        // What it has answered before it ended is still to be read.
        let received = frame::receive(&mut self.from, &mut self.answer);
        self.shared.beat.fetch_add(1, Ordering::Relaxed);
        match sent.and(received) {
            Ok(()) => Ok(&self.answer),
            Err(error) => Err(self.why(&error)),
        }
    }

    fn why(&mut self, error: &io::Error) -> ChildError {
        // This program ends, and has killed it: nobody is to take that for a finding.
        if lock(&ALL).is_over {
            loop {
                std::thread::park();
            }
        }
        if self.shared.was_killed.load(Ordering::Relaxed) {
            return ChildError::TooSlow(self.deadline);
        }
        match error.kind() {
            ErrorKind::InvalidData | ErrorKind::Other => ChildError::Nonsense(error.to_string()),
            _ => ChildError::Ended(match self.end() {
                Some(status) => in_words(status),
                None => "it closed its standard output".to_owned(),
            }),
        }
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        !matches!(lock(&self.shared.process).try_wait(), Ok(None))
    }

    /// Nothing more is asked, which it hears by the end of its standard input.
    pub(crate) fn hang_up(&mut self) {
        self.to = None;
    }

    /// Gives it a moment to end, now that nothing more is asked, and then ends it and all that it
    /// has started.
    pub(crate) fn end(&mut self) -> Option<ExitStatus> {
        self.hang_up();
        let mut waited = Duration::ZERO;
        let status = loop {
            let mut process = lock(&self.shared.process);
            self.shared.look_at_time(&process);
            match process.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if waited < GRACE => {
                    // Others may want to kill it meanwhile.
                    drop(process);
                    pause(Duration::from_millis(2));
                    waited += Duration::from_millis(2);
                }
                Ok(None) | Err(_) => break None,
            }
        };
        let mut process = lock(&self.shared.process);
        kill(&mut process);
        drop(process);
        if let Some(reader) = self.reader.take() {
            // All that it has printed is there once its end of the pipe is closed, which a process
            // that it has started may keep open.
            let mut waited = Duration::ZERO;
            while !reader.is_finished() && waited < GRACE {
                pause(Duration::from_millis(2));
                waited += Duration::from_millis(2);
            }
        }
        status
    }

    /// Its number in the system.
    pub(crate) fn id(&self) -> u32 {
        lock(&self.shared.process).id()
    }

    /// A run begins: what was printed before is not about it.
    pub(crate) fn begins_run(&mut self) {
        self.runs += 1;
        *lock(&self.printed) = Printed::default();
    }

    /// The newest lines that it has printed in this run; none where there are none.
    pub(crate) fn printed(&self) -> Option<String> {
        let printed = lock(&self.printed);
        let bytes: Vec<u8> = printed.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty());
        let lines: Vec<&str> = lines.collect();
        let shown = &lines[lines.len().saturating_sub(LINES)..];
        if shown.is_empty() {
            return None;
        }
        let mut told = String::new();
        if printed.was_cut || shown.len() < lines.len() {
            let _ = writeln!(told, "(the last {} lines)", shown.len());
        }
        told.push_str(&shown.join("\n"));
        Some(told)
    }

    /// Its standard error to the end, once it has ended.
    pub(crate) fn printed_at_end(&mut self) -> Option<String> {
        self.end();
        self.printed()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let mut process = lock(&self.shared.process);
        self.shared.look_at_time(&process);
        // It holds no state that anybody needs, and may not end by itself.
        kill(&mut process);
        drop(process);
        let mut all = lock(&ALL);
        all.time_of_ended += self.shared.time();
        let this = Arc::downgrade(&self.shared);
        all.going.retain(|other| !other.ptr_eq(&this));
    }
}

/// Ends a process, with all that it has started: what was asked for may be a script around it.
/// Whether it has ended by itself meanwhile makes no difference.
fn kill(process: &mut std::process::Child) {
    kill_group(process);
    let _ = process.kill();
    let _ = process.wait();
}

#[cfg(unix)]
fn kill_group(process: &std::process::Child) {
    let group = i32::try_from(process.id()).ok();
    if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(_: &std::process::Child) {}

/// The processor time of a process that has not been waited for, where the system says it.
#[cfg(target_os = "linux")]
fn time_of(process: &std::process::Child) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).ok()?;
    // Its name may have anything in it, and is the last that has a bracket (man 5 proc).
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(4);
    let ticks: u64 = times.map_while(|ticks| ticks.parse::<u64>().ok()).sum();
    let a_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(ticks as f64 / a_second as f64))
}

#[cfg(not(target_os = "linux"))]
fn time_of(_: &std::process::Child) -> Option<Duration> {
    None
}

#[allow(clippy::disallowed_methods)] // Outside of every simulation: a process is waited for.
fn pause(time: Duration) {
    sleep(time);
}

/// Keeps the newest of what a process prints.
fn keep_newest(mut from: ChildStderr, printed: &Mutex<Printed>) {
    let mut piece = [0; 4096];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => {
                let mut printed = lock(printed);
                printed.bytes.extend(&piece[..length]);
                let over = printed.bytes.len().saturating_sub(PRINTED);
                printed.bytes.drain(..over);
                printed.was_cut |= over > 0;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Kills a process that owes an answer for longer than `deadline`, as long as there is one.
fn look_on(shared: &Weak<Shared>, deadline: Duration) {
    let (mut seen, mut still) = (0, Duration::ZERO);
    loop {
        pause(EVERY);
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let beat = shared.beat.load(Ordering::Relaxed);
        let is_due = beat % 2 == 1;
        still = match is_due && beat == seen {
            true => still + EVERY,
            false => Duration::ZERO,
        };
        seen = beat;
        if still >= deadline {
            shared.was_killed.store(true, Ordering::Relaxed);
            // If it has ended by itself, that is told. It is waited for where its pipe is read.
            let mut process = lock(&shared.process);
            kill_group(&process);
            let _ = process.kill();
            return;
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => " (illegal instruction)",
            6 => " (abort)",
            8 => " (arithmetic error)",
            9 => " (killed)",
            11 => " (segmentation fault)",
            15 => " (terminated)",
            _ => "",
        };
        return format!("signal {signal}{name}");
    }
    match status.code() {
        Some(code) => format!("exit status {code}"),
        None => status.to_string(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

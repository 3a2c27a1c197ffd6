//! The subject: a command whose processes host nodes. A run has a process for itself, which goes on
//! to the next run when that is over; a run in a fresh process shows what an earlier one left
//! behind.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::answer::{self, Action, Nonsense, Welcome};
use super::child::{Child, ChildError};
use super::machine;
use super::node::{Parcel, ProcessNode};
use super::request::{self, Disk, Told};
use squall_core::bugs::{Bug, Change, Injected, Tamper};
use squall_core::engine::{self, Observer, Outcome, fail_elsewhere};
use squall_core::ids::NodeId;
use squall_core::invariants::Property;
use squall_core::invariants::breach::{Panic, Place};
use squall_core::options::Feature;
use squall_core::own::{DriverOption, Hazard, KnownIssue, Own, Values};
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Runner};
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};
use squall_core::service::{Answer, Command};

/// How a program is started.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The subject's name [default: the one that the process says].
    pub name: Option<String>,
    /// The folder that it is started in [default: the one of this process].
    pub folder: Option<PathBuf>,
    /// Features that plans are to leave out though the process has them, by their names.
    pub lacks: Vec<String>,
    /// How long a process may take for an answer, in wall time.
    pub deadline: Duration,
}

impl Program {
    fn start(&self) -> Result<Child, ChildError> {
        Child::start(&self.command, self.folder.as_deref(), self.deadline)
    }
}

/// Why there is no subject.
#[derive(Debug, thiserror::Error)]
#[error("{command}: {why}")]
pub struct StartError {
    command: String,
    why: String,
}

/// The subject of a program, then it with each injected bug that can be put on it from outside.
/// Starts a process, to ask it who it is.
///
/// # Errors
/// When it cannot be started, does not answer, or says what cannot be; with what it printed.
pub fn subjects(program: &Program) -> Result<Vec<RegisteredSubject>, StartError> {
    let command = shlex::try_join(program.command.iter().map(String::as_str))
        .unwrap_or_else(|_| program.command.join(" "));
    let failed = |why: String| StartError {
        command: command.clone(),
        why,
    };
    let mut child = program.start().map_err(|error| failed(error.to_string()))?;
    let welcome = welcome(&mut child).map_err(|error| {
        let printed = child.printed_at_end();
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let printed = printed.map(|text| format!("; on standard error: {}", one_line(text)));
        failed(format!("{error}{}", printed.unwrap_or_default()))
    })?;
    let declared = Declared::of(program, &welcome).map_err(failed)?;
    let about = format!("{} ({command})", welcome.about);
    let name = program.name.clone().unwrap_or_else(|| welcome.name.clone());
    if !is_name(&name) {
        return Err(failed(format!(
            "its name is \"{name}\"; legal: lower case letters, digits and hyphens"
        )));
    }
    let pool = &*Box::leak(Box::new(Pool {
        program: program.clone(),
        welcome,
        idle: Mutex::new(vec![child]),
    }));
    let honest = RegisteredSubject {
        command: Some(command.clone()),
        ..RegisteredSubject::new(
            name.clone(),
            about.clone(),
            Storm {
                pool,
                declared,
                bug: None,
            },
        )
    };
    let bugs = Bug::ALL.iter().filter(|bug| declared.shows(**bug));
    let injected = bugs.map(|bug| RegisteredSubject {
        command: Some(command.clone()),
        caught_by: Some(bug.caught_by()),
        ..RegisteredSubject::new(
            format!("{name}+{}", bug.name()),
            format!("{} (caught by {})", bug.about(), bug.caught_by()),
            Storm {
                pool,
                declared,
                bug: Some(*bug),
            },
        )
    });
    Ok(std::iter::once(honest).chain(injected).collect())
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(legal)
}

fn welcome(child: &mut Child) -> Result<Welcome, ChildError> {
    let answer = child.ask(request::hello)?;
    let nonsense = |why: String| ChildError::Nonsense(format!("in answer to hello: {why}"));
    let welcome = answer::welcome(answer).map_err(|error| nonsense(error.to_string()))?;
    match welcome.protocol {
        request::PROTOCOL => Ok(welcome),
        other => Err(nonsense(format!(
            "it speaks version {other}, and Squall speaks {}",
            request::PROTOCOL
        ))),
    }
}

/// What the subject declares. Lists of a subject live as long as the program: there are few.
#[derive(Clone, Copy, Debug)]
struct Declared {
    supports: &'static [Feature],
    options: &'static [DriverOption],
    issues: &'static [KnownIssue],
    /// Its nodes have state machines of their own.
    has_machine: bool,
}

impl Declared {
    fn of(program: &Program, welcome: &Welcome) -> Result<Self, String> {
        let features = |names: &[String]| -> Result<Vec<Feature>, String> {
            names.iter().cloned().map(Feature::try_from).collect()
        };
        if welcome.batch == 0 {
            return Err("its batch is 0; legal: 1 or more".to_owned());
        }
        let lacks = features(&program.lacks).map_err(|error| format!("lacks: {error}"))?;
        let supports = features(&welcome.supports).map_err(|error| format!("supports: {error}"))?;
        // A cluster that begins further up begins with a snapshot of Squall's own service.
        let beyond = |has: &Feature| welcome.machine && *has == Feature::LaterFirstTerm;
        let supports = supports
            .into_iter()
            .filter(|has| !lacks.contains(has) && !beyond(has));
        let triggers: BTreeSet<&String> = welcome
            .known_issues
            .iter()
            .flat_map(|issue| &issue.triggers)
            .collect();
        let options = welcome.options.iter().map(|option| {
            let usual = if triggers.contains(&option.name) {
                100
            } else {
                0
            };
            DriverOption {
                name: leak(&option.name),
                about: leak(&option.about),
                values: Values::Flag {
                    percent: option.percent.unwrap_or(usual).min(100),
                },
            }
        });
        let options: Vec<DriverOption> = options.collect();
        let mut issues = Vec::new();
        for issue in &welcome.known_issues {
            for name in &issue.breaks {
                let is_one = Property::ALL.iter().any(|property| property.name() == name);
                if !is_one {
                    return Err(format!(
                        "the known issue {} breaks \"{name}\", which is no property",
                        issue.name
                    ));
                }
            }
            for trigger in &issue.triggers {
                if !options.iter().any(|option| option.name == trigger) {
                    return Err(format!(
                        "the known issue {} is triggered by \"{trigger}\", which is none of its options",
                        issue.name
                    ));
                }
            }
            let known = KnownIssue::new(
                leak(&issue.name),
                leak(&issue.about),
                leak_list(&issue.breaks),
            );
            let hazards = issue.hazards.iter().map(|name| {
                let mut all = Hazard::ALL.iter();
                all.find(|hazard| hazard.name() == name)
                    .copied()
                    .ok_or_else(|| {
                        let legal: Vec<&str> = Hazard::ALL.iter().map(|it| it.name()).collect();
                        format!(
                            "the known issue {} has the hazard \"{name}\"; legal: {}",
                            issue.name,
                            legal.join(", ")
                        )
                    })
            });
            let hazards: Vec<Hazard> = hazards.collect::<Result<_, String>>()?;
            issues.push(
                known
                    .triggered_by(leak_list(&issue.triggers))
                    .clear_of(Vec::leak(hazards)),
            );
        }
        Ok(Self {
            supports: Vec::leak(supports.collect()),
            options: Vec::leak(options),
            issues: Vec::leak(issues),
            has_machine: welcome.machine,
        })
    }

    fn has(&self, feature: Feature) -> bool {
        self.supports.contains(&feature)
    }

    /// Whether `bug` can be put on it from outside, and it has what the bug is about.
    fn shows(&self, bug: Bug) -> bool {
        match bug {
            // They are mistakes in Squall's own service, or go by a copy of it.
            Bug::ApplyRetries
            | Bug::GrantHeldLocks
            | Bug::TakeStaleTokens
            | Bug::SnapshotWithoutSessions
            | Bug::SnapshotWithoutTokens
            | Bug::ApplyBeforeCommit
            | Bug::DropApplied
            | Bug::ReplayOnRestart
            | Bug::ReadLocally
            | Bug::ReadBeforeApplied
            | Bug::MixUpReads
                if self.has_machine =>
            {
                false
            }
            // They look into messages.
            Bug::GrantAnyVote | Bug::CountEveryVote | Bug::FlipPayload | Bug::SkipEntry => false,
            // Whether the adapter writes its commit index, and refuses what it does not take, is
            // not known.
            Bug::ForgetCommit | Bug::CommitAhead | Bug::SwallowRefusals | Bug::RevokeRenewed => {
                false
            }
            Bug::SkipSnapshotInstall
            | Bug::IgnoreSnapshotReport
            | Bug::SnapshotWithoutSessions
            | Bug::SnapshotWithoutTokens
            | Bug::CompactBeforeSnapshot
            | Bug::CompactTooFar
            | Bug::LabelSnapshotEarly
            | Bug::ReplayOnRestart => self.has(Feature::Snapshots),
            Bug::SnapshotWithoutConfiguration | Bug::GuessFirstConfiguration => {
                self.has(Feature::Snapshots) && self.has(Feature::SimpleChange)
            }
            Bug::ReadLocally | Bug::AnswerLastRead | Bug::MixUpReads | Bug::ReadBeforeApplied => {
                self.has(Feature::ReadIndex)
            }
            _ => true,
        }
    }
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn leak_list(texts: &[String]) -> &'static [&'static str] {
    Vec::leak(texts.iter().map(|text| leak(text)).collect())
}

/// The processes of a program.
#[derive(Debug)]
struct Pool {
    program: Program,
    /// What the first of them said, and all others are to say.
    welcome: Welcome,
    /// Those that are in no run.
    idle: Mutex<Vec<Child>>,
}

impl Pool {
    fn take(&self) -> Result<Child, ChildError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match idle {
            Some(child) => Ok(child),
            None => self.start(),
        }
    }

    fn start(&self) -> Result<Child, ChildError> {
        let mut child = self.program.start()?;
        match welcome(&mut child)? == self.welcome {
            true => Ok(child),
            false => Err(ChildError::Nonsense(
                "it says something else of itself than when it was first started".to_owned(),
            )),
        }
    }

    fn put_back(&self, child: Child) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(child);
    }
}

/// Runs plans on a program.
struct Storm {
    pool: &'static Pool,
    declared: Declared,
    bug: Option<Bug>,
}

impl Storm {
    fn run_with(
        &self,
        child: Result<Child, ChildError>,
        is_fresh: bool,
        plan: &Plan,
        watch: Observer<'_>,
    ) -> Outcome {
        let link = Rc::new(RefCell::new(Link {
            why_not: child.as_ref().err().map(ToString::to_string),
            child: child.ok(),
            is_reset: false,
            believes_idle: !is_fresh,
            batch: usize::try_from(self.pool.welcome.batch).unwrap_or(usize::MAX),
            takes_snapshots: self.declared.has(Feature::Snapshots),
            has_machine: self.pool.welcome.machine,
            says_waiting: self.pool.welcome.waiting,
            nodes: plan.cluster.nodes(),
            gone: Vec::new(),
        }));
        let before = CURRENT.replace(Some(Rc::clone(&link)));
        let subject = Run {
            link: Rc::clone(&link),
            plan,
            declared: self.declared,
        };
        let outcome = match self.bug {
            None => engine::run(plan, &subject, watch),
            Some(bug) => engine::run(plan, &Injected { subject, bug }, watch),
        };
        CURRENT.set(before);
        // A fresh one has served: the next runs are of the one that has run others before, in which
        // something may be left.
        if let Some(child) = link.borrow_mut().child.take()
            && !is_fresh
        {
            self.pool.put_back(child);
        }
        outcome
    }
}

impl Runner for Storm {
    fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        self.run_with(self.pool.take(), false, plan, watch)
    }

    /// Ticks that the process says are idle are told as well: they are to do nothing.
    fn run_fresh(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        self.run_with(self.pool.start(), true, plan, watch)
    }

    fn supports(&self) -> &'static [Feature] {
        self.declared.supports
    }

    fn own(&self) -> Own {
        Own {
            options: self.declared.options,
            issues: self.declared.issues,
            has_machine: false,
        }
    }
}

/// One run.
struct Run<'p> {
    link: Rc<RefCell<Link>>,
    plan: &'p Plan,
    declared: Declared,
}

impl Subject for Run<'_> {
    type Replica = ProcessNode;

    fn supports(&self) -> &'static [Feature] {
        self.declared.supports
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Parcel>,
    ) -> Result<ProcessNode, BootError> {
        self.link.borrow_mut().begin(self.plan);
        let has_machine = self.link.borrow().has_machine();
        let start = match has_machine {
            true => machine::recover(disk, boot, out)?,
            false => disk.recover(boot, out)?,
        };
        let link = Rc::clone(&self.link);
        Ok(ProcessNode::boot(link, boot, start, out))
    }
}

impl Tamper for Run<'_> {
    /// Nothing: what is in a message, the library alone knows.
    fn tamper(_: &mut Parcel, _: Change) {}
}

thread_local! {
    /// The run of this thread, whose process says messages in words.
    static CURRENT: RefCell<Option<Rc<RefCell<Link>>>> = const { RefCell::new(None) };
}

/// The process of a run. Whatever is wrong with it ends the step, and with it the run; the process
/// is ended too, and another begins the next run.
pub(crate) struct Link {
    /// None where it could not be started, or has been ended.
    child: Option<Child>,
    why_not: Option<String>,
    is_reset: bool,
    /// Ticks that are said to be idle are not told.
    believes_idle: bool,
    batch: usize,
    takes_snapshots: bool,
    has_machine: bool,
    says_waiting: bool,
    nodes: u8,
    /// Nodes that are gone, which the process is to hear of before anything else.
    gone: Vec<NodeId>,
}

impl Link {
    /// How many inputs may come in one step.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }

    pub(crate) fn takes_snapshots(&self) -> bool {
        self.takes_snapshots
    }

    /// The highest id of a node.
    pub(crate) fn nodes(&self) -> u8 {
        self.nodes
    }

    /// How many of so many idle ticks need not be told.
    pub(crate) fn idle(&self, ticks: u64) -> u64 {
        if self.believes_idle { ticks } else { 0 }
    }

    /// The run begins, unless it has.
    fn begin(&mut self, plan: &Plan) {
        if std::mem::replace(&mut self.is_reset, true) {
            return;
        }
        if let Some(child) = &mut self.child {
            child.begins_run();
        }
        self.expect_nothing("reset", |into| request::reset(into, plan));
    }

    /// A node is gone. The process hears of it when it is next asked for something.
    pub(crate) fn is_gone(&mut self, node: NodeId) {
        self.gone.push(node);
    }

    /// Starts a node; `actions` gets what it wants done.
    pub(crate) fn boot(&mut self, node: NodeId, disk: &Disk<'_>, actions: &mut Vec<Action>) {
        self.bury();
        self.ask_for_actions(actions, |into| request::boot(into, node, disk));
    }

    /// Tells a node of what happens to it, behind which so many inputs wait; `actions` gets what it
    /// wants done.
    pub(crate) fn step(
        &mut self,
        node: NodeId,
        now_us: u64,
        idle_ticks: u64,
        waiting: usize,
        told: &[Told],
        actions: &mut Vec<Action>,
    ) {
        self.bury();
        let waiting = self.says_waiting.then_some(waiting as u64);
        self.ask_for_actions(actions, |into| {
            request::step(into, node, now_us, idle_ticks, waiting, told);
        });
    }

    fn bury(&mut self) {
        for node in std::mem::take(&mut self.gone) {
            self.expect_nothing("kill", |into| request::kill(into, node));
        }
    }

    fn expect_nothing(&mut self, what: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let mut actions = Vec::new();
        self.ask_for_actions(&mut actions, write);
        match actions.pop() {
            None => {}
            Some(Action::Failed { text, place }) => self.failed(text, place),
            Some(_) => self.nonsense(&format!("{what} is answered with actions")),
        }
    }

    /// What the state machine of `node` answers to a command that it carries out.
    pub(crate) fn perform(&mut self, node: NodeId, command: &Command) -> Answer {
        self.bury();
        let write = |into: &mut Vec<u8>| request::perform(into, node, command);
        self.ask_machine(write, answer::answer)
    }

    /// What the state machine of `node` answers to a read.
    pub(crate) fn query(&mut self, node: NodeId, command: &Command) -> Answer {
        self.bury();
        let write = |into: &mut Vec<u8>| request::query(into, node, command);
        self.ask_machine(write, answer::answer)
    }

    /// The state machine of `node` as bytes.
    pub(crate) fn snapshot_of(&mut self, node: NodeId) -> Bytes {
        self.bury();
        self.ask_machine(|into| request::snapshot_of(into, node), answer::bytes)
    }

    /// Puts `data` in place of the state machine of `node`.
    pub(crate) fn restore(&mut self, node: NodeId, data: &[u8]) {
        self.bury();
        let write = |into: &mut Vec<u8>| request::restore(into, node, data);
        if !self.ask_machine(write, answer::done) {
            self.nonsense(&format!(
                "the state machine of {node} does not take a snapshot that another has made"
            ));
        }
    }

    fn ask_machine<T>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>),
        read: impl FnOnce(&[u8]) -> Result<T, Nonsense>,
    ) -> T {
        let Some(child) = &mut self.child else {
            self.fail(ChildError::Ended("before".to_owned()));
        };
        let why = match child.ask(write) {
            Ok(content) => match read(content) {
                Ok(read) => return read,
                Err(error) => match answer::failure(content) {
                    Some(Action::Failed { text, place }) => self.failed(text, place),
                    _ => ChildError::Nonsense(error.to_string()),
                },
            },
            Err(error) => error,
        };
        self.fail(why);
    }

    /// Whether nodes have state machines of their own, in the process.
    pub(crate) fn has_machine(&self) -> bool {
        self.has_machine
    }

    fn ask_for_actions(&mut self, actions: &mut Vec<Action>, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(child) = &mut self.child else {
            self.fail(ChildError::Ended("before".to_owned()));
        };
        let why = match child.ask(write) {
            Ok(answer) => match answer::actions(answer, actions) {
                Ok(()) => return,
                Err(error) => ChildError::Nonsense(error.to_string()),
            },
            Err(error) => error,
        };
        self.fail(why);
    }

    /// The process has said what cannot be.
    pub(crate) fn nonsense(&mut self, what: &str) -> ! {
        self.fail(ChildError::Nonsense(what.to_owned()));
    }

    /// The code of the library has failed, and the process goes on.
    pub(crate) fn failed(&mut self, text: String, place: Option<(String, u32)>) -> ! {
        let printed = self.child.as_ref().and_then(Child::printed);
        fail_elsewhere(Panic {
            message: text,
            place: place.map(|(file, line)| Place {
                file,
                line,
                column: 0,
            }),
            printed,
        });
    }

    fn fail(&mut self, why: ChildError) -> ! {
        let message = self.why_not.take().unwrap_or_else(|| why.to_string());
        self.why_not = Some(message.clone());
        let mut child = self.child.take();
        let printed = child.as_mut().and_then(Child::printed_at_end);
        fail_elsewhere(Panic {
            message,
            place: None,
            printed,
        });
    }

    /// A message of the run of this thread in words, where its process has some. What goes wrong is
    /// told by the next step.
    pub(crate) fn describe(data: &[u8]) -> Option<String> {
        CURRENT.with_borrow(|current| {
            let mut link = current.as_ref()?.try_borrow_mut().ok()?;
            let answer = link
                .child
                .as_mut()?
                .ask(|into| request::describe(into, data));
            answer::words(answer.ok()?).ok()?
        })
    }

    /// A reason to halt, which lives as long as the program. Reasons are few: of more than
    /// [`REASONS`], and of ever other ones, nobody would learn more.
    pub(crate) fn keep(&mut self, reason: String) -> &'static str {
        static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(reason.as_str()) {
            return known;
        }
        if kept.len() >= REASONS {
            return "the replica cannot go on";
        }
        let reason = leak(&reason);
        kept.insert(reason);
        reason
    }
}

/// Different reasons to halt that are told in the process's own words.
const REASONS: usize = 256;

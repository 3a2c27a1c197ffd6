//! The process of one run, as its nodes ask it. Knows what is asked and answered, and not what it
//! means for a node.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::answer::{self, Action, Nonsense};
use super::child::{Child, ChildError};
use super::request::{self, Disk, Told};
use squall_core::engine::fail_elsewhere;
use squall_core::ids::NodeId;
use squall_core::invariants::breach::{Panic, Place};
use squall_core::options::Feature;
use squall_core::own::DriverOption;
use squall_core::plan::Plan;
use squall_core::service::{Answer, Command};

thread_local! {
    /// The run of this thread, whose process says messages in words.
    pub(super) static CURRENT: RefCell<Option<Rc<RefCell<Link>>>> = const { RefCell::new(None) };
}

/// The process of a run. Whatever is wrong with it ends the step, and with it the run; the process
/// is ended too, and another begins the next run.
pub(crate) struct Link {
    /// None where it could not be started, or has been ended.
    pub(super) child: Option<Child>,
    pub(super) why_not: Option<String>,
    pub(super) is_reset: bool,
    /// Ticks that are said to be idle are not told.
    pub(super) believes_idle: bool,
    pub(super) batch: usize,
    pub(super) supports: &'static [Feature],
    pub(super) options: &'static [DriverOption],
    pub(super) has_machine: bool,
    pub(super) says_waiting: bool,
    pub(super) uses_streams: bool,
    pub(super) nodes: u8,
    /// Nodes that are gone, which the process is to hear of before anything else.
    pub(super) gone: Vec<NodeId>,
}

impl Link {
    /// How many inputs may come in one step.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }

    /// Whether the process is told what waits.
    pub(crate) fn says_waiting(&self) -> bool {
        self.says_waiting
    }

    /// Whether the process is told of connections.
    pub(crate) fn uses_streams(&self) -> bool {
        self.uses_streams
    }

    /// Whether the process has said that it supports `feature`.
    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.supports.contains(&feature)
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
    pub(crate) fn begin(&mut self, plan: &Plan) {
        if std::mem::replace(&mut self.is_reset, true) {
            return;
        }
        if let Some(child) = &mut self.child {
            child.begins_run();
        }
        let options = self.options;
        self.expect_nothing("reset", |into| request::reset(into, plan, options));
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
            let child = link.child.as_mut()?;
            let asked = child.ask(|into| request::describe(into, data));
            let why = match asked {
                Ok(answer) => match answer::words(answer) {
                    Ok(words) => return words,
                    Err(error) => ChildError::Nonsense(error.to_string()),
                },
                Err(error) => error,
            };
            link.why_not = Some(why.to_string());
            link.child = None;
            None
        })
    }

    /// A reason to halt, which lives as long as the program: without its numbers, so that there are
    /// few. Of more than [`REASONS`] nobody would learn more.
    pub(crate) fn keep(&mut self, reason: &str) -> &'static str {
        static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let reason: String = reason
            .chars()
            .map(|one| if one.is_ascii_digit() { 'N' } else { one })
            .take(200)
            .collect();
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(reason.as_str()) {
            return known;
        }
        if kept.len() >= REASONS {
            return "the replica cannot go on";
        }
        let reason = &*Box::leak(reason.into_boxed_str());
        kept.insert(reason);
        reason
    }
}

/// Different reasons to halt that are told in the process's own words.
const REASONS: usize = 256;

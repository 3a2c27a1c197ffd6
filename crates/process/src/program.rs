//! The subject: a command whose processes host nodes. A run has a process for itself, which goes on
//! to the next run when that is over; a run in a fresh process shows what an earlier one left
//! behind.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answer::{self, Welcome};
use super::child::{self, Child, ChildError};
use super::declared::Declared;
use super::link::{CURRENT, Link};
use super::machine;
use super::node::{Parcel, ProcessNode};
use super::processor::Bound;
use super::request;
use squall_core::bugs::{Bug, Change, Injected, Tamper};
use squall_core::engine::{self, Observer, Outcome};
use squall_core::options::Feature;
use squall_core::own::Own;
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Runner};
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};

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
    /// What is wrong with the name or the features that the user has given, where something is.
    ///
    /// # Errors
    /// Says what is legal.
    pub fn check(&self) -> Result<(), String> {
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        for feature in &self.lacks {
            Feature::try_from(feature.clone()).map_err(|error| format!("lacks: {error}"))?;
        }
        Ok(())
    }

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
    let welcome = welcome(&mut child).map_err(|error| failed(with_printed(&error, &mut child)))?;
    let declared = Declared::of(program, &welcome).map_err(failed)?;
    let about = format!("{} ({command})", welcome.about);
    let name = program.name.clone().unwrap_or_else(|| welcome.name.clone());
    check_name(&name).map_err(failed)?;
    let pool = &*Box::leak(Box::new(Pool {
        program: program.clone(),
        welcome,
        idle: Mutex::new(vec![child]),
        gone: Mutex::new(None),
    }));
    lock(&POOLS).push(pool);
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

fn check_name(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match !name.is_empty() && name.bytes().all(legal) {
        true => Ok(()),
        false => Err(format!(
            "its name is \"{name}\"; legal: lower case letters, digits and hyphens"
        )),
    }
}

/// What is wrong with a process, and what it has printed about it, in one line.
fn with_printed(error: &ChildError, child: &mut Child) -> String {
    let printed = child.printed_at_end();
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let printed = printed.map(|text| format!("; on standard error: {}", one_line(text)));
    format!("{error}{}", printed.unwrap_or_default())
}

/// The processes of all programs.
static POOLS: Mutex<Vec<&'static Pool>> = Mutex::new(Vec::new());

/// Ends the processes that are in no run: each hears that nothing more comes, and has a moment to
/// end by itself. What is run afterwards starts others.
pub fn end_idle() {
    let pools = lock(&POOLS).clone();
    let idle = pools
        .iter()
        .flat_map(|pool| std::mem::take(&mut *lock(&pool.idle)));
    child::end_all(idle.collect());
}

/// Why a process could not be started for a run, where one could not, though it had been before.
pub fn why_gone() -> Option<String> {
    let pools = lock(&POOLS).clone();
    pools.iter().find_map(|pool| lock(&pool.gone).clone())
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

/// The processes of a program.
#[derive(Debug)]
struct Pool {
    program: Program,
    /// What the first of them said, and all others are to say.
    welcome: Welcome,
    /// Those that are in no run.
    idle: Mutex<Vec<Child>>,
    /// Why one could not be started. Whatever is wrong, no run is to blame.
    gone: Mutex<Option<String>>,
}

impl Pool {
    fn take(&self) -> Result<Child, ChildError> {
        let idle = lock(&self.idle).pop();
        match idle {
            Some(child) => Ok(child),
            None => self.start(),
        }
    }

    fn start(&self) -> Result<Child, ChildError> {
        let gone = |why: String| {
            lock(&self.gone).get_or_insert(why);
        };
        let mut child = self
            .program
            .start()
            .inspect_err(|error| gone(error.to_string()))?;
        let welcome = welcome(&mut child).and_then(|welcome| match welcome == self.welcome {
            true => Ok(()),
            false => Err(ChildError::Nonsense(
                "it says something else of itself than when it was first started".to_owned(),
            )),
        });
        match welcome {
            Ok(()) => Ok(child),
            Err(error) => {
                gone(with_printed(&error, &mut child));
                Err(error)
            }
        }
    }

    fn put_back(&self, child: Child) {
        if child.has_ended() {
            return;
        }
        lock(&self.idle).push(child);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let child_id = child.as_ref().ok().map(Child::id);
        let link = Rc::new(RefCell::new(Link {
            why_not: child.as_ref().err().map(ToString::to_string),
            child: child.ok(),
            is_reset: false,
            believes_idle: !is_fresh,
            batch: usize::try_from(self.pool.welcome.batch).unwrap_or(usize::MAX),
            supports: self.declared.supports,
            options: self.declared.options,
            has_machine: self.pool.welcome.machine,
            says_waiting: self.pool.welcome.waiting,
            uses_streams: self.declared.uses_streams,
            nodes: plan.cluster.nodes(),
            gone: Vec::new(),
        }));
        let bound = child_id.map(Bound::with);
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
        drop(bound);
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
            uses_streams: self.declared.uses_streams,
        }
    }

    fn time_elsewhere(&self) -> Duration {
        child::time_of_all()
    }

    fn is_gone(&self) -> Option<String> {
        lock(&self.pool.gone).clone()
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

    fn uses_streams(&self) -> bool {
        self.declared.uses_streams
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

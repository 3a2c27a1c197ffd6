//! The executor of one node: its tasks, its timers, its time and its chance.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use squall_world::hash::mix;

/// Time begins one day in, so that a time-out can be subtracted from it.
const EPOCH_NS: u64 = 86_400_000_000_000;

/// How much time may go by within a step, where nothing else can go on than what waits for that.
/// Waits as short as this let others go first: openraft has one of 1 us before it hears of what
/// was flushed, and the next step may be far off.
const GRAIN_NS: u64 = 10_000;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the tasks of one node, when it is told to. Dropping it drops them all, wherever they are.
#[derive(Debug)]
pub struct Executor(Rc<Core>);

struct Core {
    ready: Arc<Ready>,
    tasks: RefCell<Vec<Task>>,
    free: RefCell<Vec<usize>>,
    /// By deadline, and in the order in which they were set.
    timers: RefCell<BTreeMap<TimerKey, Waker>>,
    timers_set: Cell<u64>,
    /// When the step began.
    begun_ns: Cell<u64>,
    now_ns: Cell<u64>,
    seed: u64,
    draws: Cell<u64>,
    /// Nothing runs any more once this is set.
    stopped: Arc<AtomicBool>,
}

/// Names a timer that is set: its deadline, and a number of its own.
pub(super) type TimerKey = (u64, u64);

#[derive(Default)]
struct Task {
    /// None while it is polled, and when it is over.
    job: Option<Job>,
    flag: Option<Arc<Flag>>,
}

/// Tasks that can go on, in the order in which they were woken.
#[derive(Default)]
struct Ready(Mutex<VecDeque<usize>>);

/// Wakes a task.
struct Flag {
    task: usize,
    is_queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            self.ready.queue().push_back(self.task);
        }
    }
}

impl Ready {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<usize>> {
        self.0.lock().expect("no holder panics")
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("now_ns", &self.now_ns.get())
            .finish_non_exhaustive()
    }
}

/// Makes an executor current for as long as it lives.
#[must_use]
#[derive(Debug)]
pub struct Entered(Option<Rc<Core>>);

impl Entered {
    fn new(core: &Rc<Core>) -> Self {
        Self(CURRENT.with(|current| current.replace(Some(core.clone()))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.take();
        CURRENT.with(|current| drop(current.replace(before)));
    }
}

fn with_current<T>(f: impl FnOnce(&Core) -> T) -> T {
    CURRENT.with(|current| {
        let current = current.borrow();
        f(current.as_ref().expect("openraft runs inside a step"))
    })
}

/// Adds a task to the current executor.
pub(super) fn spawn(job: Job) {
    with_current(|core| core.spawn(job));
}

/// The current executor's time.
pub(super) fn now_ns() -> u64 {
    with_current(|core| core.now_ns.get())
}

/// Whether a deadline of the current executor has come.
pub(super) fn is_due(deadline_ns: u64) -> bool {
    deadline_ns <= now_ns()
}

/// Sets a timer of the current executor.
pub(super) fn set_timer(deadline_ns: u64, waker: Waker) -> TimerKey {
    with_current(|core| {
        let key = (deadline_ns, core.timers_set.get());
        core.timers_set.set(key.1 + 1);
        core.timers.borrow_mut().insert(key, waker);
        key
    })
}

/// Takes a timer away again. An executor that is being dropped has none any more.
pub(super) fn clear_timer(key: TimerKey) {
    CURRENT.with(|current| {
        if let Some(core) = current.borrow().as_ref() {
            core.timers.borrow_mut().remove(&key);
        }
    });
}

/// A number at random.
pub(super) fn draw() -> u64 {
    with_current(|core| {
        core.draws.set(core.draws.get() + 1);
        mix(core.seed, core.draws.get())
    })
}

impl Core {
    fn spawn(&self, job: Job) {
        let mut tasks = self.tasks.borrow_mut();
        let task = self.free.borrow_mut().pop().unwrap_or_else(|| {
            tasks.push(Task::default());
            tasks.len() - 1
        });
        let flag = Arc::new(Flag {
            task,
            is_queued: AtomicBool::new(true),
            ready: self.ready.clone(),
        });
        tasks[task] = Task {
            job: Some(job),
            flag: Some(flag),
        };
        self.ready.queue().push_back(task);
    }

    /// Polls everything that can go on until nothing can, or it is stopped.
    fn run(&self) {
        while !self.stopped.load(Ordering::Relaxed) {
            let next = self.ready.queue().pop_front();
            match next {
                Some(task) => self.poll(task),
                None if self.fire() => {}
                None => return,
            }
        }
    }

    fn poll(&self, task: usize) {
        let (mut job, flag) = {
            let slot = &mut self.tasks.borrow_mut()[task];
            // One that is over may have been woken before it was.
            let (Some(job), Some(flag)) = (slot.job.take(), slot.flag.clone()) else {
                return;
            };
            (job, flag)
        };
        flag.is_queued.store(false, Ordering::Relaxed);
        let waker = Waker::from(flag);
        let polled = job.as_mut().poll(&mut Context::from_waker(&waker));
        match polled {
            Poll::Pending => self.tasks.borrow_mut()[task].job = Some(job),
            Poll::Ready(()) => {
                drop(job);
                self.tasks.borrow_mut()[task].flag = None;
                self.free.borrow_mut().push(task);
            }
        }
    }

    /// Wakes what waits for the next timer, if it is due within the step, and returns whether it
    /// is.
    fn fire(&self) -> bool {
        let mut timers = self.timers.borrow_mut();
        let last_ns = self.begun_ns.get() + GRAIN_NS;
        let next = timers.first_entry();
        let Some(next) = next.filter(|next| next.key().0 <= last_ns) else {
            return false;
        };
        let (deadline_ns, _) = *next.key();
        let waker = next.remove();
        drop(timers);
        self.now_ns.set(deadline_ns.max(self.now_ns.get()));
        waker.wake();
        true
    }

    /// Time is at least this.
    fn go_to(&self, time_ns: u64) {
        let now_ns = time_ns.max(self.now_ns.get());
        self.now_ns.set(now_ns);
        self.begun_ns.set(now_ns);
    }
}

impl Executor {
    /// An executor without tasks, which draws from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::with_stop(seed, Arc::default())
    }

    /// The same, and it runs no task any more once `stopped` is set, by what one of them did.
    pub fn with_stop(seed: u64, stopped: Arc<AtomicBool>) -> Self {
        Self(Rc::new(Core {
            ready: Arc::default(),
            tasks: RefCell::default(),
            free: RefCell::default(),
            timers: RefCell::default(),
            timers_set: Cell::new(0),
            begun_ns: Cell::new(EPOCH_NS),
            now_ns: Cell::new(EPOCH_NS),
            seed,
            draws: Cell::new(0),
            stopped,
        }))
    }

    /// Makes it current, at this time, for as long as what is returned lives. A clock that goes
    /// back is taken to stand still.
    pub fn enter(&self, now_us: u64) -> Entered {
        self.0.go_to(EPOCH_NS + now_us * 1_000);
        Entered::new(&self.0)
    }

    /// Runs all tasks until none of them can go on. It has to be current.
    pub fn run(&self) {
        self.0.run();
    }

    /// Runs all tasks until `future` is over, and lets time jump to the next timer whenever none of
    /// them can go on.
    ///
    /// # Panics
    /// When there is no timer either, and when the executor has been stopped meanwhile.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _entered = Entered::new(&self.0);
        let mut future = std::pin::pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            let is_stopped = self.0.stopped.load(Ordering::Relaxed);
            assert!(!is_stopped, "it is stopped while something waits");
            if self.0.ready.queue().is_empty() {
                let next = self.0.timers.borrow().keys().next().copied();
                let (deadline_ns, _) = next.expect("nothing can go on, ever");
                self.0.go_to(deadline_ns);
            }
            self.0.run();
        }
    }

    /// Tasks that are not over.
    pub fn len(&self) -> usize {
        let tasks = self.0.tasks.borrow();
        tasks.len() - self.0.free.borrow().len()
    }

    /// Whether all tasks are over.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // What a task drops may look for the executor: for its timers, to wake others.
        let _entered = Entered::new(&self.0);
        let tasks = std::mem::take(&mut *self.0.tasks.borrow_mut());
        drop(tasks);
    }
}

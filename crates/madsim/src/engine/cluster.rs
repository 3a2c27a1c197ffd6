//! The nodes of one run: which of them the runtime knows, and what passes between the world and
//! their tasks.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use ::madsim::runtime::Handle;
use ::madsim::task::NodeId as Id;

use squall_core::engine::Task;

use super::incarnation::{Incarnation, serve};

thread_local! {
    /// The cluster of the run that this thread is in. The runtime demands that what starts a node
    /// can
    /// be sent to other threads, though it never sends it, and a replica need not be fit for that.
    static CURRENT: RefCell<Option<Rc<Cluster>>> = const { RefCell::new(None) };
}

/// Until it is dropped, tasks find their cluster.
pub(super) struct Current;

/// Makes `cluster` that of this thread.
///
/// # Panics
/// Inside another run.
pub(super) fn enter(cluster: &Rc<Cluster>) -> Current {
    let before = CURRENT.replace(Some(Rc::clone(cluster)));
    assert!(before.is_none(), "a run on madsim inside a run on madsim");
    Current
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.take();
    }
}

fn current() -> Rc<Cluster> {
    let cluster = CURRENT.with_borrow(|current| current.clone());
    cluster.expect("a node starts inside the run that made it")
}

/// The nodes of one run.
pub(super) struct Cluster {
    runtime: Handle,
    nodes: Vec<Node>,
    /// Tasks that are not dropped yet.
    tasks: Cell<usize>,
    /// The node that was to make a step has made it.
    stepped: Cell<bool>,
    supervisor: RefCell<Option<Waker>>,
}

/// A node, as the runtime knows it.
struct Node {
    id: Cell<Option<Id>>,
    /// Of the incarnation that goes on, or is about to begin.
    incarnation: RefCell<Option<Rc<Incarnation>>>,
    still: Cell<bool>,
}

impl Cluster {
    pub(super) fn new(runtime: Handle, nodes: usize) -> Rc<Self> {
        let node = |_| Node {
            id: Cell::new(None),
            incarnation: RefCell::new(None),
            still: Cell::new(false),
        };
        Rc::new(Self {
            runtime,
            nodes: (0..nodes).map(node).collect(),
            tasks: Cell::new(0),
            stepped: Cell::new(false),
            supervisor: RefCell::new(None),
        })
    }

    /// Starts the node, with a task of the runtime for `task`. Its incarnation ends with
    /// [`Cluster::kill`].
    pub(super) fn start(&self, position: usize, task: Rc<dyn Task>) {
        let node = &self.nodes[position];
        *node.incarnation.borrow_mut() = Some(Rc::new(Incarnation::new(task)));
        node.still.set(false);
        if let Some(id) = node.id.get() {
            self.runtime.restart(id);
            return;
        }
        let first_task = move || {
            let cluster = current();
            let incarnation = cluster.nodes[position].incarnation.borrow().clone();
            let incarnation = incarnation.expect("a node starts after its replica was made");
            serve(incarnation, OneMore::of(cluster))
        };
        let name = format!("n{}", position + 1);
        let built = self.runtime.create_node().name(name).init(first_task);
        node.id.set(Some(built.build().id()));
    }

    /// Wakes the node's task for one step. A node that is stepped goes on, whether or not the
    /// runtime was told.
    pub(super) fn wake(&self, position: usize) {
        self.go_on(position);
        let incarnation = self.nodes[position].incarnation.borrow();
        incarnation
            .as_ref()
            .expect("who is stepped is alive")
            .wake();
    }

    /// The node loses power: its task is dropped, and all that it holds.
    pub(super) fn kill(&self, position: usize) {
        let node = &self.nodes[position];
        node.incarnation.take();
        if let Some(id) = node.id.get() {
            self.runtime.kill(id);
        }
    }

    /// Takes those nodes off the scheduler that are to stand still, and puts back those that are to
    /// go on.
    pub(super) fn keep_still(&self, still: impl Iterator<Item = bool>) {
        for (position, still) in still.enumerate() {
            if still != self.nodes[position].still.get() {
                self.set_still(position, still);
            }
        }
    }

    /// Puts the node back on the scheduler, if it was off.
    fn go_on(&self, position: usize) {
        if self.nodes[position].still.get() {
            self.set_still(position, false);
        }
    }

    #[cold]
    fn set_still(&self, position: usize, still: bool) {
        let node = &self.nodes[position];
        node.still.set(still);
        match node.id.get() {
            Some(id) if still => self.runtime.pause(id),
            Some(id) => self.runtime.resume(id),
            None => {}
        }
    }
}

impl Cluster {
    /// Who is to be woken when a node has made its step.
    pub(super) fn supervised_by(&self, waker: Waker) {
        *self.supervisor.borrow_mut() = Some(waker);
    }

    /// The node that was to make a step has made it.
    pub(super) fn report(&self) {
        self.stepped.set(true);
        if let Some(waker) = &*self.supervisor.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Waits for the step that a node was asked for.
    pub(super) async fn stepped(&self) {
        poll_fn(|_| match self.stepped.take() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Whether a task is still there.
    pub(super) fn has_tasks(&self) -> bool {
        self.tasks.get() > 0
    }
}

/// Counts a task, as long as it is there.
pub(super) struct OneMore(Rc<Cluster>);

impl OneMore {
    fn of(cluster: Rc<Cluster>) -> Self {
        cluster.tasks.set(cluster.tasks.get() + 1);
        Self(cluster)
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.0
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.tasks.set(self.0.tasks.get() - 1);
    }
}

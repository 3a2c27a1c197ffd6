//! A value that is watched: who watches sees the newest, and may miss those before.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};
use std::task::{Context, Poll, Waker};

use openraft_rt::watch::{RecvError, SendError};
use openraft_rt::{OptionalSend, OptionalSync, Watch, WatchReceiver, WatchSender};

/// Values that are watched.
#[derive(Clone, Copy, Debug)]
pub struct NodeWatch;

struct Watched<T> {
    value: RwLock<T>,
    watchers: Mutex<Watchers>,
}

struct Watchers {
    /// Counts changes.
    version: u64,
    senders: usize,
    receivers: usize,
    waiting: Vec<Waker>,
}

/// Remembers whom to wake, once for each task. Who has lost interest is woken for nothing.
pub(super) fn remember(waiting: &mut Vec<Waker>, context: &Context<'_>) {
    let waker = context.waker();
    if !waiting.iter().any(|known| known.will_wake(waker)) {
        waiting.push(waker.clone());
    }
}

impl<T> Watched<T> {
    fn watchers(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().expect("no holder panics")
    }

    fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().expect("no writer panics")
    }

    fn changed(&self) {
        let mut watchers = self.watchers();
        watchers.version += 1;
        watchers.waiting.drain(..).for_each(Waker::wake);
    }
}

/// Where the value is set.
pub struct Sender<T>(Arc<Watched<T>>);

/// Where the value is seen.
pub struct Receiver<T> {
    watched: Arc<Watched<T>>,
    seen: u64,
}

impl Watch for NodeWatch {
    type Sender<T: OptionalSend + OptionalSync> = Sender<T>;
    type Receiver<T: OptionalSend + OptionalSync> = Receiver<T>;
    type Ref<'a, T: OptionalSend + 'a> = RwLockReadGuard<'a, T>;

    fn channel<T: OptionalSend + OptionalSync>(value: T) -> (Sender<T>, Receiver<T>) {
        let watched = Arc::new(Watched {
            value: RwLock::new(value),
            watchers: Mutex::new(Watchers {
                version: 0,
                senders: 1,
                receivers: 1,
                waiting: Vec::new(),
            }),
        });
        (Sender(watched.clone()), Receiver { watched, seen: 0 })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.watchers().senders += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut watchers = self.0.watchers();
        watchers.senders -= 1;
        if watchers.senders == 0 {
            watchers.waiting.drain(..).for_each(Waker::wake);
        }
    }
}

impl<T: OptionalSend + OptionalSync> WatchSender<NodeWatch, T> for Sender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.0.watchers().receivers == 0 {
            return Err(SendError(value));
        }
        let mut place = self.0.value.write().expect("no writer panics");
        let before = std::mem::replace(&mut *place, value);
        drop(place);
        drop(before);
        self.0.changed();
        Ok(())
    }

    fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        let modified = modify(&mut self.0.value.write().expect("no writer panics"));
        if modified {
            self.0.changed();
        }
        modified
    }

    fn borrow_watched(&self) -> RwLockReadGuard<'_, T> {
        self.0.read()
    }

    fn subscribe(&self) -> Receiver<T> {
        let mut watchers = self.0.watchers();
        watchers.receivers += 1;
        Receiver {
            watched: self.0.clone(),
            seen: watchers.version,
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.watched.watchers().receivers += 1;
        Self {
            watched: self.watched.clone(),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.watched.watchers().receivers -= 1;
    }
}

impl<T: OptionalSend + OptionalSync> WatchReceiver<NodeWatch, T> for Receiver<T> {
    async fn changed(&mut self) -> Result<(), RecvError> {
        poll_fn(|context| {
            let mut watchers = self.watched.watchers();
            if watchers.version != self.seen {
                self.seen = watchers.version;
                return Poll::Ready(Ok(()));
            }
            if watchers.senders == 0 {
                return Poll::Ready(Err(RecvError(())));
            }
            remember(&mut watchers.waiting, context);
            Poll::Pending
        })
        .await
    }

    fn borrow_watched(&self) -> RwLockReadGuard<'_, T> {
        self.watched.read()
    }

    fn borrow_and_update(&mut self) -> RwLockReadGuard<'_, T> {
        self.seen = self.watched.watchers().version;
        self.watched.read()
    }
}

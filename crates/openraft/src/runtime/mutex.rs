//! A lock that tasks wait for.

use std::future::Future;

use futures_util::lock::{Mutex, MutexGuard};
use openraft_rt::OptionalSend;

/// A lock that tasks wait for.
#[derive(Debug)]
pub struct NodeMutex<T>(Mutex<T>);

impl<T: OptionalSend + 'static> openraft_rt::Mutex<T> for NodeMutex<T> {
    type Guard<'a> = MutexGuard<'a, T>;

    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn lock(&self) -> impl Future<Output = MutexGuard<'_, T>> + OptionalSend {
        self.0.lock()
    }
}

//! The threads that runs are spread over.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::NoThreads;

/// A pool of `jobs` threads.
///
/// # Errors
/// When the operating system refuses to start one.
pub(crate) fn pool(jobs: usize) -> Result<ThreadPool, NoThreads> {
    let (started, start) = channel();
    let started = Mutex::new(started);
    let tell = move |_| {
        let started = started.lock().map(|started| started.send(()));
        drop(started);
    };
    // One after the other, each with all that it needs before the next one takes what is left of
    // the memory: a thread that gets none as it starts ends the process, while one that cannot
    // be started at all is an error.
    let spawn = |worker: rayon::ThreadBuilder| {
        thread::Builder::new().spawn(|| worker.run())?;
        // Where the thread is gone, the pool will see to it.
        let _ = start.recv();
        Ok(())
    };
    let pool = ThreadPoolBuilder::new()
        .num_threads(jobs)
        .start_handler(tell)
        .spawn_handler(spawn)
        .build();
    pool.map_err(|error| NoThreads {
        jobs,
        why: error.to_string(),
    })
}

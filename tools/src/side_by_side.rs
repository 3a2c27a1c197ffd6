//! Work that is done side by side: each result is told as soon as it is there, and a progress bar
//! says how far it is.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::Error;
use crate::generic::{self, Swept};
use crate::hunt::Hunt;
use crate::table::{self, Row};

/// Does `one` with each of `items`, `jobs` at a time [default: one a processor], and shows how far
/// it is. The results are in the items' order, and lack those that were interrupted.
///
/// # Errors
/// The first that `one` comes to; the others are ended then.
pub fn side_by_side<I: Sync, R: Send + Told>(
    what: &'static str,
    jobs: Option<usize>,
    stop: &AtomicBool,
    items: &[I],
    one: impl Fn(&I) -> Result<Option<R>, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = jobs.unwrap_or(processors).min(items.len());
    let style = ProgressStyle::with_template("{elapsed} {pos}/{len} {msg} {wide_bar} {eta} left")
        .expect("the template is ours");
    let bar = ProgressBar::new(items.len() as u64)
        .with_style(style)
        .with_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    let next = AtomicUsize::new(0);
    let results = Mutex::new((0..items.len()).map(|_| None).collect::<Vec<Option<R>>>());
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    match one(item) {
                        Ok(Some(result)) => {
                            bar.suspend(|| result.tell());
                            results.lock().expect("no panic")[index] = Some(result);
                            bar.inc(1);
                        }
                        Ok(None) => break,
                        Err(error) => {
                            stop.store(true, Ordering::Relaxed);
                            failed.lock().expect("no panic").get_or_insert(error);
                            break;
                        }
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    match failed.into_inner().expect("no panic") {
        Some(error) => Err(error),
        None => Ok(results
            .into_inner()
            .expect("no panic")
            .into_iter()
            .flatten()
            .collect()),
    }
}

/// What is said as soon as a result is there.
pub trait Told {
    /// Says it.
    fn tell(&self) {}
}

impl Told for Hunt {}

impl Told for Swept {
    fn tell(&self) {
        if !self.caught() {
            println!("survives, {}: {}", generic::effect(self), self.name);
        }
    }
}

impl Told for Row {
    fn tell(&self) {
        println!("{}", table::line(self));
    }
}

//! A clock for each node on madsim: what goes by it comes sooner or later as it runs fast or slow.

use std::time::Duration;

use madsim::runtime::{Handle, Runtime};
use madsim::time::TimeHandle;
use squall::madsim::shim::ClockSim;
use squall::madsim::shim::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How long `act` takes on a node with this drift, in milliseconds of the runtime.
fn takes<F: Future<Output = ()> + Send + 'static>(
    drift_ppm: i32,
    act: impl FnOnce() -> F + Send + 'static,
) -> u64 {
    let runtime = Runtime::with_seed_and_config(7, madsim::Config::default());
    runtime.add_simulator::<ClockSim>();
    runtime.block_on(async move {
        let node = Handle::current().create_node().build();
        ClockSim::current().set_drift(node.id(), drift_ppm);
        let start = TimeHandle::current().elapsed();
        node.spawn(async move { act().await }).await.unwrap();
        (TimeHandle::current().elapsed() - start).as_millis() as u64
    })
}

#[test]
fn a_fast_clock_wakes_early_and_a_slow_one_late() {
    let sleeps = || async { sleep(ms(1_000)).await };
    assert_eq!(takes(0, sleeps), 1_000);
    assert_eq!(takes(250_000, sleeps), 800);
    assert_eq!(takes(-200_000, sleeps), 1_250);
}

#[test]
fn whoever_waits_learns_that_the_clock_runs_at_another_speed() {
    let changes = |ppm| {
        move || async move {
            let node = madsim::plugin::node();
            let waits = madsim::task::spawn(sleep(ms(1_000)));
            madsim::time::sleep(ms(500)).await;
            ClockSim::current().set_drift(node, ppm);
            waits.await.unwrap();
        }
    };
    assert_eq!(takes(0, changes(1_000_000)), 750);
    assert_eq!(takes(0, changes(-500_000)), 1_500);
}

#[test]
fn time_outs_and_what_has_elapsed_go_by_the_clock_of_the_node() {
    let gives_up = || async {
        let start = Instant::now();
        let late = timeout(ms(100), std::future::pending::<()>()).await;
        let late = std::io::Error::from(late.unwrap_err());
        assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_millis(), 100);
        assert_eq!(timeout(ms(100), async { 7 }).await, Ok(7));
    };
    assert_eq!(takes(-500_000, gives_up), 200);
}

#[test]
fn ticks_that_are_missed_come_at_once_or_later_or_never() {
    let ticks = |missed| {
        move || async move {
            let mut interval = interval(ms(10));
            interval.set_missed_tick_behavior(missed);
            interval.tick().await;
            sleep(ms(35)).await;
            for _ in 0..4 {
                interval.tick().await;
            }
        }
    };
    assert_eq!(takes(0, ticks(MissedTickBehavior::Burst)), 40);
    assert_eq!(takes(0, ticks(MissedTickBehavior::Skip)), 60);
    assert_eq!(takes(0, ticks(MissedTickBehavior::Delay)), 65);
}

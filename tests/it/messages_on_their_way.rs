//! What becomes of a message that is intercepted on its way.

use squall_core::counters::Counter;
use squall_core::engine::{Happened, Line, Observer, Trigger};
use squall_core::faults::{Intercept, OnItsWay};
use squall_core::plan::{What, When};
use squall_core::replica::MessageKind;

use super::faults::{N1, N2, N3, at_one_second, plan_with, with};

/// How often messages are intercepted, in microseconds.
const EVERY_US: u64 = 500;

/// The append replies to every node are intercepted, whenever one is on its way at the time.
fn interceptions(then: OnItsWay) -> Vec<(When, What)> {
    let mut faults = Vec::new();
    for at_us in (1_000_000..1_300_000).step_by(EVERY_US as usize) {
        for (from, to) in [(N1, N2), (N2, N1), (N1, N3), (N3, N1), (N2, N3), (N3, N2)] {
            let what = What::from(Intercept {
                from,
                to,
                kind: MessageKind::AppendReply,
                nth: 1,
                then,
            });
            faults.push((When::AtUs(at_us), what));
        }
    }
    faults
}

#[test]
fn a_message_is_intercepted_on_its_way() {
    let calm = with(&[]);
    for (then, event) in [
        (OnItsWay::IsLost, Counter::MessageLost),
        (OnItsWay::IsLate(20_000), Counter::MessageDelayed),
        (OnItsWay::ComesAgain(20_000), Counter::MessageDuplicated),
    ] {
        let count = with(&interceptions(then)).counters.get(event);
        let usual = calm.counters.get(event);
        assert!(
            count > usual,
            "{then:?}: {count} times, and {usual} without"
        );
    }
}

/// How many messages arrive at a time at which messages are intercepted.
fn arrivals_on_time(faults: &[(When, What)]) -> usize {
    let mut count = 0;
    let mut line = |line: Line| {
        let arrives = matches!(line.event, Happened::Began(Trigger::Message { .. }));
        let is_then = (1_000_000..1_300_000).contains(&line.time_us);
        count += usize::from(arrives && is_then && line.time_us.is_multiple_of(EVERY_US));
    };
    let watch = Observer {
        lines: Some(&mut line),
        ..Observer::default()
    };
    let runner = squall::subject("raft-rs").unwrap().runner;
    assert_eq!(runner.run(&plan_with(faults), watch).failure, None);
    count
}

#[test]
fn a_message_is_delivered_when_it_is_intercepted() {
    let usual = arrivals_on_time(&[]);
    let hastened = arrivals_on_time(&interceptions(OnItsWay::Arrives));
    assert!(hastened >= usual + 10, "{hastened}, and {usual} without");
}

/// Where nothing is on its way there, nothing happens: only the strike itself is in the digest.
#[test]
fn nothing_is_intercepted_where_nothing_is_on_its_way() {
    let none = |nth| {
        let what = What::from(Intercept {
            from: N1,
            to: N2,
            kind: MessageKind::Snapshot,
            nth,
            then: OnItsWay::IsLost,
        });
        at_one_second(what)
    };
    let outcome = none(1);
    assert_eq!(outcome.digest, none(7).digest);
    assert_eq!(outcome.steps, with(&[]).steps);
}

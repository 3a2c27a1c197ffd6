use super::super::models::{Lock, LockInput, LockOutput};
use super::super::{Budget, Ending, Operation, Verdict, check};
use super::*;

#[test]
fn an_empty_history_is_linearizable() {
    assert!(order(&ZERO, &[]).is_empty());
}

#[test]
fn a_stale_read_is_found() {
    counterexample(&ZERO, &[write(1, 0, 10), read(0, 11, 20)]);
}

#[test]
fn a_value_that_nobody_wrote_is_found() {
    counterexample(&ZERO, &[write(1, 0, 10), read(7, 5, 20)]);
}

#[test]
fn a_value_that_comes_back_is_found() {
    let history = [
        write(1, 0, 10),
        write(2, 11, 20),
        read(2, 21, 30),
        read(1, 31, 40),
    ];
    let found = counterexample(&ZERO, &history);
    assert_eq!((found.prefix, found.stuck), (vec![0, 1, 2], vec![3]));
}

#[test]
fn two_readers_may_not_see_two_writes_in_opposite_orders() {
    let history = [
        write(1, 0, 100),
        write(2, 0, 100),
        read(1, 10, 20),
        read(2, 30, 40),
        read(1, 50, 60),
    ];
    assert_eq!(order(&ZERO, &history[..4]), [0, 2, 1, 3]);
    counterexample(&ZERO, &history);
}

#[test]
fn a_lost_update_is_found() {
    let both = |first, second| {
        [
            compare_and_set(0, 1, first, 0, 10),
            compare_and_set(0, 2, second, 5, 15),
        ]
    };
    assert_eq!(order(&ZERO, &both(true, false)), [0, 1]);
    assert_eq!(order(&ZERO, &both(false, true)), [1, 0]);
    counterexample(&ZERO, &both(true, true));
}

#[test]
fn a_compare_and_set_that_should_have_failed_or_should_not_is_found() {
    counterexample(&ZERO, &[compare_and_set(5, 1, true, 0, 10)]);
    counterexample(&ZERO, &[compare_and_set(0, 1, false, 0, 10)]);
}

#[test]
fn a_failed_compare_and_set_has_no_effect() {
    let history = [compare_and_set(5, 1, false, 0, 10), read(1, 11, 20)];
    counterexample(&ZERO, &history);
}

#[test]
fn an_unknown_write_may_take_effect_long_after() {
    let history = [lost_write(9, 0), read(0, 10, 20), read(9, 1_000, 1_001)];
    assert_eq!(order(&ZERO, &history), [1, 0, 2]);
}

#[test]
fn an_unknown_write_may_never_take_effect() {
    let history = [lost_write(9, 0), write(1, 10, 20), read(1, 1_000, 1_001)];
    assert_eq!(order(&ZERO, &history), [1, 2]);
}

#[test]
fn an_unknown_write_takes_effect_once() {
    let history = [
        lost_write(9, 0),
        read(9, 10, 20),
        write(1, 21, 30),
        read(9, 31, 40),
    ];
    counterexample(&ZERO, &history);
    assert_eq!(order(&ZERO, &history[..3]), [0, 1, 2]);
}

#[test]
fn an_unknown_write_does_not_take_effect_before_its_invocation() {
    counterexample(&ZERO, &[read(9, 0, 10), lost_write(9, 11)]);
    assert_eq!(order(&ZERO, &[read(9, 0, 11), lost_write(9, 11)]), [1, 0]);
}

#[test]
fn an_unknown_compare_and_set_may_have_failed() {
    let input = RegisterInput::CompareAndSet {
        expected: 5,
        new: 6,
    };
    let history = [Operation::unknown(1, input, 0), write(5, 10, 20)];
    order(
        &ZERO,
        &[history[0].clone(), history[1].clone(), read(5, 30, 40)],
    );
    order(
        &ZERO,
        &[history[0].clone(), history[1].clone(), read(6, 30, 40)],
    );
}

#[test]
fn an_operation_that_failed_is_not_looked_at() {
    let failed = Operation {
        client: 1,
        input: RegisterInput::Write(9),
        invoked: 0,
        ending: Ending::Failed,
    };
    assert_eq!(order(&ZERO, &[failed.clone(), read(0, 10, 20)]), [1]);
    counterexample(&ZERO, &[failed, read(9, 10, 20)]);
}

#[test]
fn operations_that_touch_at_a_time_stamp_are_concurrent() {
    assert_eq!(order(&ZERO, &[write(1, 0, 10), read(0, 10, 20)]), [1, 0]);
    assert_eq!(order(&ZERO, &[read(1, 0, 10), write(1, 10, 20)]), [1, 0]);
    assert_eq!(order(&ZERO, &[read(1, 5, 5), write(1, 5, 5)]), [1, 0]);
    assert!(!write(1, 0, 10).precedes(&read(0, 10, 20)));
    assert!(write(1, 0, 10).precedes(&read(0, 11, 20)));
}

#[test]
fn an_append_that_is_applied_twice_is_found() {
    let history = [
        append("k", "a", 0, 10),
        append("k", "b", 5, 15),
        get("k", Some("aba"), 20, 30),
    ];
    counterexample(&KeyValue, &history);
    let input = KeyValueInput::Append {
        key: "k".to_owned(),
        value: "a".to_owned(),
    };
    // Had one been retried after a time-out, it would be right.
    let [a, b, got] = history;
    let history = [a, b, got, Operation::unknown(1, input, 3)];
    assert_eq!(order(&KeyValue, &history), [0, 1, 3, 2]);
}

#[test]
fn keys_are_judged_alone_and_the_order_of_all_respects_real_time() {
    let history = [
        put("b", "1", 0, 100),
        get("b", Some("1"), 10, 20),
        put("a", "2", 30, 40),
        get("a", Some("2"), 50, 60),
        get("b", Some("1"), 70, 80),
    ];
    assert_eq!(order(&KeyValue, &history), [0, 1, 2, 3, 4]);
    let mut stale = history.to_vec();
    stale.push(get("b", None, 90, 95));
    assert_eq!(counterexample(&KeyValue, &stale).key.as_deref(), Some("b"));
}

#[test]
fn an_operation_without_a_key_joins_all_keys() {
    let one_of_two = |seen: &[&str]| {
        [
            put("a", "1", 0, 10),
            put("b", "1", 11, 20),
            keys(seen, 5, 30),
        ]
    };
    order(&KeyValue, &one_of_two(&[]));
    order(&KeyValue, &one_of_two(&["a"]));
    order(&KeyValue, &one_of_two(&["a", "b"]));
    assert_eq!(counterexample(&KeyValue, &one_of_two(&["b"])).key, None);
}

#[test]
fn two_holders_of_a_lock_are_found() {
    let ask = |who, input, output, at| Operation::ok(who, input, output, at, at + 5);
    let grant = LockOutput::Granted;
    let mut history = vec![
        ask(1, LockInput::Acquire(1), grant, 0),
        ask(2, LockInput::TryAcquire(2), LockOutput::Denied, 10),
        ask(2, LockInput::Release(2), LockOutput::Denied, 20),
    ];
    order(&Lock, &history);
    history.push(ask(2, LockInput::Acquire(2), grant, 30));
    counterexample(&Lock, &history);
    // Unless the first asked for its release, and was never told of it.
    history.push(Operation::unknown(1, LockInput::Release(1), 8));
    assert_eq!(order(&Lock, &history), [0, 1, 2, 4, 3]);
}

#[test]
fn a_budget_that_runs_out_says_so() {
    let history = [write(1, 0, 10), read(0, 11, 20)];
    for steps in 0..2 {
        let verdict = check(&ZERO, &history, Budget { steps });
        let undecided = vec![None];
        assert_eq!(
            verdict,
            Verdict::Unknown {
                explored: steps,
                undecided
            }
        );
    }
}

#[test]
fn a_large_key_without_an_answer_does_not_hide_a_small_one_with_a_violation() {
    let mut history: Vec<_> = (0..100).map(|at| put("large", "1", at, at + 50)).collect();
    history.push(get("small", Some("phantom"), 0, 10));
    let verdict = check(&KeyValue, &history, Budget { steps: 20 });
    assert!(matches!(verdict, Verdict::NotLinearizable(it) if it.key.as_deref() == Some("small")));
    let verdict = check(&KeyValue, &history[..100], Budget { steps: 20 });
    assert!(matches!(verdict, Verdict::Unknown { explored: 20, .. }));
}

#[test]
#[should_panic(expected = "operation 1 completes at 4, before its invocation at 5")]
fn an_operation_that_ends_before_it_begins_is_refused() {
    let _ = check(&ZERO, &[write(1, 0, 10), read(0, 5, 4)], Budget::default());
}

#[test]
fn a_counterexample_reads_like_this() {
    let mut history: Vec<_> = (1..10).map(|at| write(at, at.into(), at.into())).collect();
    history.extend([read(9, 20, 30), lost_write(4, 25), read(8, 31, 40)]);
    let text = counterexample(&ZERO, &history).tell(&history);
    expect_test::expect![[r#"
        not linearizable
        an order holds that can be made no longer; its last 8 of 11:
          #3 client 1: Write(4) -> Written  [4, 4]
          #4 client 1: Write(5) -> Written  [5, 5]
          #5 client 1: Write(6) -> Written  [6, 6]
          #6 client 1: Write(7) -> Written  [7, 7]
          #7 client 1: Write(8) -> Written  [8, 8]
          #8 client 1: Write(9) -> Written  [9, 9]
          #9 client 2: Read -> Value(9)  [20, 30]
          #10 client 3: Write(4) -> unknown  [25, ...
        one of these must come next, and none can:
          #11 client 2: Read -> Value(8)  [31, 40]
    "#]]
    .assert_eq(&text);
}

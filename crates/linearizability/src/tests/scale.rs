//! Histories that are too long for an oracle, with answers known by construction.

use super::super::{Budget, Verdict, check};
use super::*;

#[test]
fn a_long_history_of_one_key_overflows_no_stack() {
    let mut history = Vec::new();
    for at in 0..100_000u64 {
        history.push(write((at % 250) as u8, 3 * at, 3 * at + 1));
        history.push(read((at % 250) as u8, 3 * at + 1, 3 * at + 2));
    }
    assert_eq!(order(&ZERO, &history).len(), history.len());
    history.push(read(251, 299_990, 300_001));
    assert!(counterexample(&ZERO, &history).prefix.len() >= 200_000);
}

/// One operation overlaps a thousand others, so that the window of those placed
/// out of order is many words wide.
#[test]
fn a_window_wider_than_a_word_is_remembered_whole() {
    let around = |value| {
        let mut history = vec![write(200, 0, 10_000)];
        for at in 0..1_000u64 {
            history.push(write((at % 100) as u8, 5 * at + 1, 5 * at + 2));
            history.push(read((at % 100) as u8, 5 * at + 3, 5 * at + 4));
        }
        history.push(read(value, 10_001, 10_002));
        history
    };
    assert_eq!(order(&ZERO, &around(200)).len(), 2_002);
    assert_eq!(order(&ZERO, &around(99)).len(), 2_002);
    counterexample(&ZERO, &around(98));
}

/// Pairs of writes at once, of which either may come first: a search that forgets
/// would take 2^40 steps to see that the last read is wrong.
#[test]
fn what_has_been_tried_is_not_tried_again() {
    let mut history = Vec::new();
    for at in 0..40 {
        history.push(write(1, 10 * at, 10 * at + 5));
        history.push(write(2, 10 * at, 10 * at + 5));
    }
    history.push(read(3, 1_000, 1_001));
    let verdict = check(&ZERO, &history, Budget { steps: 1_000 });
    assert!(matches!(verdict, Verdict::NotLinearizable(_)));
}

/// Each subset of these would be a configuration of its own.
#[test]
fn writes_that_timed_out_do_not_double_the_work_each() {
    let mut history: Vec<_> = (0..40).map(|value| lost_write(value, 0)).collect();
    for at in 1..20 {
        history.push(write(100, 10 * at, 10 * at + 5));
        history.push(read(100, 10 * at + 6, 10 * at + 7));
    }
    history.push(read(77, 1_000, 1_001));
    let verdict = check(&ZERO, &history, Budget { steps: 200_000 });
    assert!(matches!(verdict, Verdict::NotLinearizable(_)));
}

/// Each order of these would be tried.
#[test]
fn reads_are_placed_where_they_fit() {
    let mut history: Vec<_> = (0..60).map(|_| read(0, 0, 100)).collect();
    history.push(write(1, 0, 100));
    history.push(read(2, 101, 102));
    let verdict = check(&ZERO, &history, Budget { steps: 1_000 });
    assert!(matches!(verdict, Verdict::NotLinearizable(_)));
}

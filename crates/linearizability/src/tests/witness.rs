use super::super::{Judgement, Verdict, WitnessError, check_witness, judge};
use super::*;

fn judged(history: &[RegisterOperation], positions: &[Option<u64>]) -> Judgement<()> {
    judge(&ZERO, history, positions, Budget::default())
}

#[test]
fn a_witness_that_holds_needs_no_search() {
    let history = [
        write(1, 0, 10),
        read(1, 5, 20),
        write(2, 8, 30),
        read(2, 25, 40),
    ];
    // The read of index 1 and the one of index 2 come after the write there.
    let positions = [Some((1, 0)), Some((1, 1)), Some((2, 0)), Some((2, 1))];
    assert_eq!(
        check_witness(&ZERO, &history, &positions),
        Ok(vec![0, 1, 2, 3])
    );
    let judgement = judge(&ZERO, &history, &positions, Budget { steps: 0 });
    let order = vec![0, 1, 2, 3];
    assert_eq!(judgement.verdict, Verdict::Linearizable { order });
    assert_eq!((judgement.searched, judgement.explored), (0, 0));
}

#[test]
fn reads_at_one_position_are_taken_in_the_order_of_time() {
    let history = [read(0, 11, 20), read(0, 0, 10)];
    assert_eq!(
        check_witness(&ZERO, &history, &[Some(0), Some(0)]),
        Ok(vec![1, 0])
    );
}

#[test]
fn a_witness_that_goes_against_real_time_is_refused_and_the_history_searched() {
    // Each replays well in this order, but the write was over when the read began.
    let history = [read(0, 11, 20), write(1, 0, 10)];
    let positions = [Some(0), Some(1)];
    assert_eq!(
        check_witness(&ZERO, &history, &positions),
        Err(WitnessError::OutOfOrder {
            earlier: 0,
            later: 1
        })
    );
    assert!(matches!(
        judged(&history, &positions).verdict,
        Verdict::NotLinearizable(_)
    ));
    // Touching is not being over.
    let history = [read(0, 10, 20), write(1, 0, 10)];
    assert_eq!(check_witness(&ZERO, &history, &positions), Ok(vec![0, 1]));
}

#[test]
fn real_time_is_held_across_operations_in_between() {
    let history = [read(0, 50, 60), write(1, 5, 70), write(2, 40, 49)];
    assert_eq!(
        check_witness(&ZERO, &history, &[Some(0), Some(1), Some(2)]),
        Err(WitnessError::OutOfOrder {
            earlier: 0,
            later: 2
        })
    );
}

#[test]
fn a_witness_that_does_not_replay_is_refused_and_another_order_found() {
    let history = [write(1, 0, 10), read(1, 5, 20)];
    let positions = [Some(2), Some(1)];
    assert_eq!(
        check_witness(&ZERO, &history, &positions),
        Err(WitnessError::Refused { operation: 1 })
    );
    let judgement = judged(&history, &positions);
    assert_eq!(
        judgement.verdict,
        Verdict::Linearizable { order: vec![0, 1] }
    );
    assert_eq!(judgement.searched, 1);
}

#[test]
fn an_operation_that_returned_needs_a_position() {
    let history = [write(1, 0, 10)];
    assert_eq!(
        check_witness(&ZERO, &history, &[None::<u64>]),
        Err(WitnessError::Unplaced { operation: 0 })
    );
    assert_eq!(judged(&history, &[None]).searched, 1);
}

#[test]
fn an_unknown_operation_took_effect_if_it_has_a_position() {
    let history = [lost_write(9, 0), read(9, 10, 20)];
    assert_eq!(
        check_witness(&ZERO, &history, &[Some(1), Some(2)]),
        Ok(vec![0, 1])
    );
    assert_eq!(
        check_witness(&ZERO, &history, &[None, Some(2)]),
        Err(WitnessError::Refused { operation: 1 })
    );
    let history = [lost_write(9, 30), read(9, 10, 20)];
    assert_eq!(
        check_witness(&ZERO, &history, &[Some(1), Some(2)]),
        Err(WitnessError::OutOfOrder {
            earlier: 0,
            later: 1
        })
    );
}

#[test]
fn only_the_keys_whose_witness_fails_are_searched() {
    let history = [
        put("a", "1", 0, 10),
        get("a", Some("1"), 5, 20),
        put("b", "1", 0, 10),
        get("b", Some("1"), 5, 20),
    ];
    // Right for `b`, and upside down for `a`.
    let positions = [Some(2), Some(1), Some(3), Some(4)];
    let judgement = judge(&KeyValue, &history, &positions, Budget::default());
    assert!(matches!(&judgement.verdict, Verdict::Linearizable { order } if order.len() == 4));
    assert_eq!((judgement.partitions, judgement.searched), (2, 1));
}

#[test]
#[should_panic(expected = "one position, or none, for each operation")]
fn a_witness_of_another_length_is_refused() {
    let _ = judged(&[write(1, 0, 10)], &[]);
}

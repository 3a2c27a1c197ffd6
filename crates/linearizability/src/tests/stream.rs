use super::super::{Stream, StreamError};
use super::*;

#[test]
fn operations_are_taken_by_position_and_not_kept() {
    let mut stream = Stream::new(ZERO);
    for at in 0..1_000u64 {
        // The read comes first, as its answer may.
        stream
            .push((at, 1), read((at % 200) as u8, 10 * at + 2, 10 * at + 8))
            .unwrap();
        stream
            .push((at, 0), write((at % 200) as u8, 10 * at, 10 * at + 9))
            .unwrap();
        stream.settle_before((at, 0)).unwrap();
        assert_eq!(stream.waiting(), 2);
    }
    assert_eq!(stream.finish(), Ok(2_000));
}

#[test]
fn a_read_that_is_wrong_where_it_was_served_fails_the_stream_for_good() {
    let mut stream = Stream::new(ZERO);
    stream.push(1, write(1, 0, 10)).unwrap();
    stream.push(2, read(0, 5, 20)).unwrap();
    let failure = StreamError::Refused { operation: 1 };
    assert_eq!(stream.settle_before(3), Err(failure));
    assert_eq!(stream.push(4, read(1, 30, 40)), Err(failure));
    assert_eq!(stream.settle_before(5), Err(failure));
    assert_eq!(stream.finish(), Err(failure));
}

#[test]
fn an_order_against_real_time_is_found_at_the_end_too() {
    let mut stream = Stream::new(ZERO);
    stream.push(1, read(0, 11, 20)).unwrap();
    stream.push(2, write(1, 0, 10)).unwrap();
    let failure = StreamError::OutOfOrder {
        earlier: 0,
        later: 1,
    };
    assert_eq!(stream.finish(), Err(failure));
}

#[test]
fn what_comes_after_its_place_was_settled_is_refused() {
    let mut stream = Stream::new(ZERO);
    stream.settle_before(5).unwrap();
    stream.settle_before(3).unwrap();
    stream.push(5, write(1, 0, 10)).unwrap();
    let failure = StreamError::Late { operation: 1 };
    assert_eq!(stream.push(4, read(1, 0, 10)), Err(failure));
    assert_eq!(stream.finish(), Err(failure));
}

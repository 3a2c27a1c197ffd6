//! What clients ask for, and what they must not see. For the storm in simulation and for that over
//! real processes.

use squall::linearizability::models::{KeyValue, KeyValueInput as Input, KeyValueOutput as Output};
use squall::linearizability::{self, Budget, Verdict};
use squall::world::rng::Choices;

use crate::state::{Answer, Operation};

/// What a client saw of one operation.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which client.
    pub client: u32,
    /// What it asked for.
    pub asked: Operation,
    /// When, in microseconds.
    pub invoked: u64,
    /// What it was told, and when; none if it gave up.
    pub answered: Option<(Answer, u64)>,
}

/// What the client asks for in its `count`th operation.
pub fn draw(choices: &mut Choices, client: u32, count: u64) -> Operation {
    let key = format!("k{}", choices.below(3));
    let text = |count: u64| format!("{client}.{count} ");
    match choices.below(7) {
        0 | 1 => Operation::Get { key },
        2 => Operation::Put {
            key,
            value: text(count),
        },
        3 => Operation::Append {
            key,
            value: text(count),
        },
        4 => Operation::CompareAndSet {
            key,
            expected: (choices.below(2) == 0).then(|| text(count - 1)),
            new: text(count),
        },
        5 => Operation::Delete { key },
        _ => Operation::Acquire {
            lock: "lock".to_owned(),
            lease_ms: 50,
        },
    }
}

/// What clients saw can be, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanBe {
    /// How many locks they were granted.
    pub grants: usize,
    /// After so many steps it was still open whether operations on some key have an order; none
    /// when all have one.
    pub undecided_after: Option<u64>,
}

/// Judges what clients saw.
///
/// # Errors
/// What cannot be, in words.
pub fn judge(seen: &[Seen]) -> Result<CanBe, String> {
    let history: Vec<_> = seen.iter().filter_map(on_keys).collect();
    let undecided_after = match linearizability::check(&KeyValue, &history, Budget::default()) {
        Verdict::Linearizable { .. } => None,
        Verdict::NotLinearizable(counterexample) => return Err(counterexample.tell(&history)),
        Verdict::Unknown { explored, .. } => Some(explored),
    };
    Ok(CanBe {
        grants: tokens_rise(seen)?,
        undecided_after,
    })
}

/// The operation as the checker has it, if it is one on a key.
fn on_keys(seen: &Seen) -> Option<linearizability::Operation<Input, Output>> {
    let input = match seen.asked.clone() {
        Operation::Get { key } => Input::Get { key },
        Operation::Put { key, value } => Input::Put { key, value },
        Operation::Append { key, value } => Input::Append { key, value },
        Operation::CompareAndSet { key, expected, new } => {
            Input::CompareAndSet { key, expected, new }
        }
        Operation::Delete { key } => Input::Delete { key },
        _ => return None,
    };
    let unknown = || linearizability::Operation::unknown(seen.client, input.clone(), seen.invoked);
    let Some((answer, at)) = &seen.answered else {
        return Some(unknown());
    };
    let output = match answer.clone() {
        Answer::Value(value) => Output::Value(value),
        Answer::Done => Output::Done,
        Answer::Swapped(swapped) => Output::Swapped(swapped),
        Answer::Deleted(deleted) => Output::Deleted(deleted),
        // Whether it was applied before that, the client cannot tell.
        _ => return Some(unknown()),
    };
    let (client, invoked) = (seen.client, seen.invoked);
    Some(linearizability::Operation::ok(
        client, input, output, invoked, *at,
    ))
}

/// A grant that was over before another was asked for has the lower token, or is the same client's.
fn tokens_rise(seen: &[Seen]) -> Result<usize, String> {
    let grants: Vec<(u64, &Seen, u64)> = (seen.iter())
        .filter_map(|seen| match seen.answered {
            Some((Answer::Granted(token), at)) => Some((token, seen, at)),
            _ => None,
        })
        .collect();
    for (token, first, at) in &grants {
        for (later, second, _) in &grants {
            if first.client != second.client && token == later {
                return Err(format!("two clients have token {token}"));
            }
            if second.invoked > *at && token > later {
                return Err(format!("token {later} was given out after {token}"));
            }
        }
    }
    Ok(grants.len())
}

//! The known pitfalls, one test each. What random histories show, against an
//! oracle, is in `tests/it/linearizability.rs`.

mod pitfalls;
mod scale;
mod stream;
mod witness;

use super::models::{
    KeyValue, KeyValueInput, KeyValueOutput, Register, RegisterInput, RegisterOutput,
};
use super::{Budget, Counterexample, Model, Operation, Verdict, check};

type RegisterOperation = Operation<RegisterInput<u8>, RegisterOutput<u8>>;
type KeyValueOperation = Operation<KeyValueInput, KeyValueOutput>;

const ZERO: Register<u8> = Register { initial: 0 };

fn write(value: u8, invoked: u64, completed: u64) -> RegisterOperation {
    let input = RegisterInput::Write(value);
    Operation::ok(1, input, RegisterOutput::Written, invoked, completed)
}

fn lost_write(value: u8, invoked: u64) -> RegisterOperation {
    Operation::unknown(3, RegisterInput::Write(value), invoked)
}

fn read(value: u8, invoked: u64, completed: u64) -> RegisterOperation {
    let output = RegisterOutput::Value(value);
    Operation::ok(2, RegisterInput::Read, output, invoked, completed)
}

fn compare_and_set(
    expected: u8,
    new: u8,
    swapped: bool,
    invoked: u64,
    completed: u64,
) -> RegisterOperation {
    let input = RegisterInput::CompareAndSet { expected, new };
    let output = RegisterOutput::Swapped(swapped);
    Operation::ok(4, input, output, invoked, completed)
}

fn put(key: &str, value: &str, invoked: u64, completed: u64) -> KeyValueOperation {
    let (key, value) = (key.to_owned(), value.to_owned());
    let input = KeyValueInput::Put { key, value };
    Operation::ok(1, input, KeyValueOutput::Done, invoked, completed)
}

fn append(key: &str, value: &str, invoked: u64, completed: u64) -> KeyValueOperation {
    let (key, value) = (key.to_owned(), value.to_owned());
    let input = KeyValueInput::Append { key, value };
    Operation::ok(1, input, KeyValueOutput::Done, invoked, completed)
}

fn get(key: &str, value: Option<&str>, invoked: u64, completed: u64) -> KeyValueOperation {
    let input = KeyValueInput::Get {
        key: key.to_owned(),
    };
    let output = KeyValueOutput::Value(value.map(str::to_owned));
    Operation::ok(2, input, output, invoked, completed)
}

fn keys(keys: &[&str], invoked: u64, completed: u64) -> KeyValueOperation {
    let output = KeyValueOutput::Keys(keys.iter().map(|key| (*key).to_owned()).collect());
    Operation::ok(2, KeyValueInput::Keys, output, invoked, completed)
}

/// The linearization that is found.
#[track_caller]
fn order<M: Model>(model: &M, history: &[Operation<M::Input, M::Output>]) -> Vec<usize> {
    match check(model, history, Budget::default()) {
        Verdict::Linearizable { order } => order,
        Verdict::NotLinearizable(it) => panic!("stuck after {:?} at {:?}", it.prefix, it.stuck),
        Verdict::Unknown { explored, .. } => panic!("unknown after {explored} steps"),
    }
}

#[track_caller]
fn counterexample<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
) -> Counterexample<M::Key> {
    match check(model, history, Budget::default()) {
        Verdict::NotLinearizable(counterexample) => counterexample,
        Verdict::Linearizable { order } => panic!("this order is said to hold: {order:?}"),
        Verdict::Unknown { explored, .. } => panic!("unknown after {explored} steps"),
    }
}

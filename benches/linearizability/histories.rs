//! Histories as a replicated log makes them: eight clients, each with one
//! operation at a time, and effects in the order of the log.

use squall_linearizability::models::{
    KeyValue, KeyValueInput, KeyValueOutput, Register, RegisterInput, RegisterOutput,
};
use squall_linearizability::{Model, Operation};
use squall_world::rng::Choices;

const CLIENTS: u64 = 8;

/// What is drawn.
#[derive(Clone, Copy)]
pub struct Shape {
    pub keys: u64,
    /// Operations whose outcome nobody knows, half of which took effect.
    pub unknown_ppm: u32,
}

/// A history and its witness.
pub struct Kept {
    pub history: Vec<Operation<KeyValueInput, KeyValueOutput>>,
    pub positions: Vec<Option<(u64, u8)>>,
}

pub fn key_value(shape: Shape, operations: u64) -> Kept {
    let mut kept = Kept {
        history: Vec::with_capacity(operations as usize),
        positions: Vec::with_capacity(operations as usize),
    };
    each_key_value(shape, operations, |_, operation, position| {
        kept.history.push(operation);
        kept.positions.push(position);
    });
    kept
}

/// Draws operations in the order of their effects and hands them on, each with its number.
pub fn each_key_value(
    shape: Shape,
    operations: u64,
    mut take: impl FnMut(usize, Operation<KeyValueInput, KeyValueOutput>, Option<(u64, u8)>),
) {
    let mut choices = Choices::labelled(1, "key-value", shape.keys);
    let mut state = KeyValue.initial();
    for at in 0..operations {
        let key = format!("key-{}", choices.below(shape.keys));
        let value = format!("value-{}", choices.below(100));
        let (input, output, class) = match choices.below(4) {
            0 | 1 => {
                let value = state.get(&key).cloned();
                (KeyValueInput::Get { key }, KeyValueOutput::Value(value), 1)
            }
            2 => (KeyValueInput::Put { key, value }, KeyValueOutput::Done, 0),
            _ => {
                let held = state.get(&key).cloned();
                let expected = held.clone().filter(|_| choices.below(2) == 0);
                let swaps = expected == held;
                let input = KeyValueInput::CompareAndSet {
                    key,
                    expected,
                    new: value,
                };
                (input, KeyValueOutput::Swapped(swaps), 0)
            }
        };
        let (invoked, completed) = around(&mut choices, at);
        let client = (at % CLIENTS) as u32;
        let lost = choices.chance_ppm(shape.unknown_ppm);
        let happens = !lost || choices.below(2) == 0;
        if happens {
            let happened = KeyValue.step(&mut state, &input, Some(&output));
            assert!(happened, "the output was made for this state");
        }
        let operation = match lost {
            true => Operation::unknown(client, input, invoked),
            false => Operation::ok(client, input, output, invoked, completed),
        };
        take(at as usize, operation, happens.then_some((at, class)));
    }
}

/// Operation `at` takes effect at time `100 at`. Some seven others may overlap it.
fn around(choices: &mut Choices, at: u64) -> (u64, u64) {
    let instant = 100 * at;
    let span = 100 * CLIENTS / 2;
    let invoked = instant.saturating_sub(choices.below(span));
    (invoked, instant + choices.below(span))
}

pub type RegisterHistory = Vec<Operation<RegisterInput<u64>, RegisterOutput<u64>>>;

/// The hard case: one object and few values.
pub fn register(operations: u64, unknown_ppm: u32) -> RegisterHistory {
    let mut choices = Choices::labelled(1, "register", 0);
    let model = Register { initial: 0 };
    let mut state = 0;
    let mut history = Vec::new();
    for at in 0..operations {
        let (input, output) = match choices.below(3) {
            0 => (RegisterInput::Read, RegisterOutput::Value(state)),
            1 => (
                RegisterInput::Write(choices.below(5)),
                RegisterOutput::Written,
            ),
            _ => {
                let expected = choices.below(5);
                let new = choices.below(5);
                let swapped = RegisterOutput::Swapped(expected == state);
                (RegisterInput::CompareAndSet { expected, new }, swapped)
            }
        };
        let (invoked, completed) = around(&mut choices, at);
        let client = (at % CLIENTS) as u32;
        let lost = choices.chance_ppm(unknown_ppm);
        if !lost || choices.below(2) == 0 {
            assert!(model.step(&mut state, &input, Some(&output)));
        }
        history.push(match lost {
            true => Operation::unknown(client, input, invoked),
            false => Operation::ok(client, input, output, invoked, completed),
        });
    }
    history
}

/// A read, after everything, of a value that nobody wrote.
pub fn phantom(operations: u64) -> Operation<RegisterInput<u64>, RegisterOutput<u64>> {
    let after = 100 * operations + 100 * CLIENTS;
    Operation::ok(
        9,
        RegisterInput::Read,
        RegisterOutput::Value(99),
        after,
        after + 1,
    )
}

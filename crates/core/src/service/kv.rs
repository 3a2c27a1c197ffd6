//! The key-value store.

use serde::{Deserialize, Serialize};

use super::{Answer, Operation};
use squall_world::hash::mix;

/// How many keys there are; others are taken modulo this.
pub const KEYS: u8 = 8;

/// The store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kv {
    cells: [Cell; KEYS as usize],
}

/// What is kept of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Cell {
    value: Option<u64>,
    version: u64,
}

impl Cell {
    #[inline]
    fn apply(&mut self, operation: Operation) -> Answer {
        let after = match operation {
            Operation::Put { value, .. } => Some(value),
            Operation::Append { value, .. } => Some(mix(self.value.unwrap_or(0), value)),
            Operation::Delete { .. } => None,
            Operation::CompareAndSet {
                expected, value, ..
            } if expected == self.value => Some(value),
            Operation::CompareAndSet { .. } => return Answer::Differs { value: self.value },
            _ => return Answer::Value { value: self.value },
        };
        self.value = after;
        self.version += 1;
        Answer::Done {
            version: self.version,
        }
    }
}

impl Kv {
    #[inline]
    pub(super) fn apply(&mut self, operation: Operation) -> Answer {
        let key = operation.key().unwrap_or_default();
        self.cells[usize::from(key % KEYS)].apply(operation)
    }

    pub(super) fn get(&self, key: u8) -> Answer {
        Answer::Value {
            value: self.cells[usize::from(key % KEYS)].value,
        }
    }
}

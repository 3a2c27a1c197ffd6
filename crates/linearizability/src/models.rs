//! Models to begin with: a register, a key-value map, a lock.

use std::collections::BTreeMap;
use std::hash::Hash;

use super::model::Model;

/// One value that is read and written whole.
#[derive(Clone, Debug)]
pub struct Register<V> {
    /// The value before the first write.
    pub initial: V,
}

/// What is asked of a [`Register`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterInput<V> {
    /// Returns the value.
    Read,
    /// Puts a value in its place.
    Write(V),
    /// Puts `new` in its place if it is `expected`.
    CompareAndSet {
        /// The value that it must have.
        expected: V,
        /// The value that it then gets.
        new: V,
    },
}

/// What a [`Register`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterOutput<V> {
    /// To a read: the value.
    Value(V),
    /// To a write.
    Written,
    /// To a compare-and-set: whether the value was the expected one.
    Swapped(bool),
}

impl<V: Clone + Eq + Hash> Model for Register<V> {
    type State = V;
    type Input = RegisterInput<V>;
    type Output = RegisterOutput<V>;
    type Key = ();

    fn initial(&self) -> V {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &mut V,
        input: &RegisterInput<V>,
        output: Option<&RegisterOutput<V>>,
    ) -> bool {
        let (new, fits) = match input {
            RegisterInput::Read => (
                None,
                output
                    .is_none_or(|it| matches!(it, RegisterOutput::Value(value) if value == state)),
            ),
            RegisterInput::Write(value) => (Some(value), returns(output, &RegisterOutput::Written)),
            RegisterInput::CompareAndSet { expected, new } => {
                let swaps = expected == state;
                (
                    swaps.then_some(new),
                    returns(output, &RegisterOutput::Swapped(swaps)),
                )
            }
        };
        if fits && let Some(new) = new {
            state.clone_from(new);
        }
        fits
    }

    fn is_read_only(&self, input: &RegisterInput<V>, output: Option<&RegisterOutput<V>>) -> bool {
        matches!(input, RegisterInput::Read) || output == Some(&RegisterOutput::Swapped(false))
    }
}

/// A map from names to texts. Each key is an object of its own.
#[derive(Clone, Debug, Default)]
pub struct KeyValue;

/// What is asked of a [`KeyValue`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum KeyValueInput {
    /// Returns the value of a key.
    Get {
        /// The key.
        key: String,
    },
    /// Gives a key a value.
    Put {
        /// The key.
        key: String,
        /// Its new value.
        value: String,
    },
    /// Gives a key the value `new` if it has the value `expected`.
    CompareAndSet {
        /// The key.
        key: String,
        /// The value that it must have; `None` when it must have none.
        expected: Option<String>,
        /// The value that it then gets.
        new: String,
    },
    /// Puts a text behind the value of a key; no value counts as the empty one.
    Append {
        /// The key.
        key: String,
        /// What is put behind.
        value: String,
    },
    /// Takes a key out.
    Delete {
        /// The key.
        key: String,
    },
    /// Returns all keys. Touches every object, so a history with this is not split.
    Keys,
}

/// What a [`KeyValue`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum KeyValueOutput {
    /// To a get: the value, if the key has one.
    Value(Option<String>),
    /// To a put or an append.
    Done,
    /// To a compare-and-set: whether the value was the expected one.
    Swapped(bool),
    /// To a delete: whether there was a value.
    Deleted(bool),
    /// To the question for all keys: them, ascending.
    Keys(Vec<String>),
}

impl Model for KeyValue {
    type State = BTreeMap<String, String>;
    type Input = KeyValueInput;
    type Output = KeyValueOutput;
    type Key = String;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(
        &self,
        state: &mut Self::State,
        input: &KeyValueInput,
        output: Option<&KeyValueOutput>,
    ) -> bool {
        match input {
            KeyValueInput::Get { key } => output.is_none_or(
                |it| matches!(it, KeyValueOutput::Value(value) if value.as_ref() == state.get(key)),
            ),
            KeyValueInput::Put { key, value } => {
                let fits = returns(output, &KeyValueOutput::Done);
                if fits {
                    state.insert(key.clone(), value.clone());
                }
                fits
            }
            KeyValueInput::CompareAndSet { key, expected, new } => {
                let swaps = state.get(key) == expected.as_ref();
                let fits = returns(output, &KeyValueOutput::Swapped(swaps));
                if fits && swaps {
                    state.insert(key.clone(), new.clone());
                }
                fits
            }
            KeyValueInput::Append { key, value } => {
                let fits = returns(output, &KeyValueOutput::Done);
                if fits {
                    state.entry(key.clone()).or_default().push_str(value);
                }
                fits
            }
            KeyValueInput::Delete { key } => {
                let fits = returns(output, &KeyValueOutput::Deleted(state.contains_key(key)));
                if fits {
                    state.remove(key);
                }
                fits
            }
            KeyValueInput::Keys => output.is_none_or(
                |it| matches!(it, KeyValueOutput::Keys(keys) if keys.iter().eq(state.keys())),
            ),
        }
    }

    fn key(&self, input: &KeyValueInput) -> Option<String> {
        match input {
            KeyValueInput::Get { key }
            | KeyValueInput::Put { key, .. }
            | KeyValueInput::CompareAndSet { key, .. }
            | KeyValueInput::Append { key, .. }
            | KeyValueInput::Delete { key } => Some(key.clone()),
            KeyValueInput::Keys => None,
        }
    }

    fn is_read_only(&self, input: &KeyValueInput, output: Option<&KeyValueOutput>) -> bool {
        matches!(input, KeyValueInput::Get { .. } | KeyValueInput::Keys)
            || matches!(
                output,
                Some(KeyValueOutput::Swapped(false) | KeyValueOutput::Deleted(false))
            )
    }
}

/// A lock that one holder has at a time, and that does not nest.
#[derive(Clone, Debug, Default)]
pub struct Lock;

/// What is asked of a [`Lock`], and who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockInput {
    /// Waits until the lock is free, and takes it. Returns [`LockOutput::Granted`] only.
    Acquire(u32),
    /// Takes the lock if it is free.
    TryAcquire(u32),
    /// Gives the lock back if the asker holds it.
    Release(u32),
}

/// What a [`Lock`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOutput {
    /// As asked.
    Granted,
    /// It changed nothing: the lock was held, or, to a release, not held by the asker.
    Denied,
}

impl Model for Lock {
    type State = Option<u32>;
    type Input = LockInput;
    type Output = LockOutput;
    type Key = ();

    fn initial(&self) -> Option<u32> {
        None
    }

    fn step(
        &self,
        state: &mut Option<u32>,
        input: &LockInput,
        output: Option<&LockOutput>,
    ) -> bool {
        let (grants, new) = match *input {
            LockInput::Acquire(who) | LockInput::TryAcquire(who) => (state.is_none(), Some(who)),
            LockInput::Release(who) => (*state == Some(who), None),
        };
        if grants {
            let fits = returns(output, &LockOutput::Granted);
            if fits {
                *state = new;
            }
            return fits;
        }
        !matches!(input, LockInput::Acquire(_)) && returns(output, &LockOutput::Denied)
    }

    fn is_read_only(&self, _input: &LockInput, output: Option<&LockOutput>) -> bool {
        output == Some(&LockOutput::Denied)
    }
}

/// Whether `seen` can be `expected`: nobody saw it, or it is.
fn returns<O: PartialEq>(seen: Option<&O>, expected: &O) -> bool {
    seen.is_none_or(|seen| seen == expected)
}

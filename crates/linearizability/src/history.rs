//! What was seen from outside: operations, each with its time and its end.

/// How an operation ended, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Ending<O> {
    /// It returned.
    Ok {
        /// What it returned.
        output: O,
        /// When, on the clock of [`Operation::invoked`].
        at: u64,
    },
    /// The client never learnt: it timed out, lost its connection or crashed. The operation may
    /// take effect at any time after its invocation, however late, or never.
    Unknown,
    /// It is known not to have taken effect, and never to take any. No judgement looks at it.
    /// An error that leaves a doubt is [`Ending::Unknown`].
    Failed,
}

/// One operation of a history.
///
/// Times are any numbers that grow: microseconds, or the place of the event in
/// the order in which the harness saw them. **An operation precedes another only
/// when it completes at a time strictly less than the other's invocation.** Two
/// that touch at one time stamp are concurrent, since nobody can tell which event
/// came first; this can hide a violation and never invents one. Where a clock is
/// too coarse for that, number the events (0, 1, 2, ...) and no two are equal.
///
/// The client is there to be told, and orders nothing: a client whose operation
/// ended as unknown may go on with another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Operation<I, O> {
    /// Who asked for it.
    pub client: u32,
    /// What was asked for.
    pub input: I,
    /// When it was asked for.
    pub invoked: u64,
    /// How it ended.
    pub ending: Ending<O>,
}

impl<I, O> Operation<I, O> {
    /// An operation that returned `output` at `completed`.
    pub fn ok(client: u32, input: I, output: O, invoked: u64, completed: u64) -> Self {
        Self {
            client,
            input,
            invoked,
            ending: Ending::Ok {
                output,
                at: completed,
            },
        }
    }

    /// An operation of which nobody knows whether it took effect.
    pub fn unknown(client: u32, input: I, invoked: u64) -> Self {
        Self {
            client,
            input,
            invoked,
            ending: Ending::Unknown,
        }
    }

    /// What it returned, if that is known.
    pub fn output(&self) -> Option<&O> {
        match &self.ending {
            Ending::Ok { output, .. } => Some(output),
            Ending::Unknown | Ending::Failed => None,
        }
    }

    /// When it returned, if it did.
    pub fn completed(&self) -> Option<u64> {
        match self.ending {
            Ending::Ok { at, .. } => Some(at),
            Ending::Unknown | Ending::Failed => None,
        }
    }

    /// The same, of what is asked and returned by reference.
    pub(super) fn as_ref(&self) -> Operation<&I, &O> {
        Operation {
            client: self.client,
            input: &self.input,
            invoked: self.invoked,
            ending: match &self.ending {
                Ending::Ok { output, at } => Ending::Ok { output, at: *at },
                Ending::Unknown => Ending::Unknown,
                Ending::Failed => Ending::Failed,
            },
        }
    }

    /// Whether this one was over before `other` began.
    pub fn precedes<J, P>(&self, other: &Operation<J, P>) -> bool {
        self.completed().is_some_and(|at| at < other.invoked)
    }
}

/// # Panics
/// When an operation completes before its invocation.
pub(super) fn assert_sound<I, O>(history: &[Operation<I, O>]) {
    for (at, operation) in history.iter().enumerate() {
        assert_one_sound(at, operation);
    }
}

pub(super) fn assert_one_sound<I, O>(at: usize, operation: &Operation<I, O>) {
    if let Some(completed) = operation.completed() {
        assert!(
            operation.invoked <= completed,
            "operation {at} completes at {completed}, before its invocation at {}",
            operation.invoked
        );
    }
}

//! What a judgement says, and the words for it.

use std::fmt::{Debug, Write as _};

use super::history::{Ending, Operation};

/// How much a search may do before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls of [`Model::step`](super::Model::step), over all partitions that are searched. This
    /// bounds the memory too: at most some 100 bytes a call, and what the states hold.
    pub steps: u64,
}

impl Default for Budget {
    /// Ten million steps: seconds, and less than a gigabyte for small states.
    fn default() -> Self {
        Self { steps: 10_000_000 }
    }
}

/// Whether a history is linearizable. Operations are named by their place in the history, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<K> {
    /// It is.
    Linearizable {
        /// A linearization. Operations of unknown outcome that are not in it took no effect.
        order: Vec<usize>,
    },
    /// It is not.
    NotLinearizable(Counterexample<K>),
    /// The budget ran out before either was shown.
    Unknown {
        /// Steps taken, over all partitions.
        explored: u64,
        /// The partitions without an answer; the others are linearizable.
        undecided: Vec<Option<K>>,
    },
}

/// A verdict, and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Judgement<K> {
    /// The verdict.
    pub verdict: Verdict<K>,
    /// Into how many partitions the history fell.
    pub partitions: usize,
    /// How many of them the witness did not settle.
    pub searched: usize,
    /// Steps that the search took.
    pub explored: u64,
}

/// How far the search got in a history that is not linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample<K> {
    /// The partition's key; `None` when the history was not split.
    pub key: Option<K>,
    /// An order that holds, of as many operations as the search could place.
    pub prefix: Vec<usize>,
    /// The operations that returned, and that real time allows to come next after the prefix,
    /// none of which leads any further. One of them is over before anything else may begin.
    pub stuck: Vec<usize>,
}

/// How much of the prefix is told.
const TOLD: usize = 8;

impl<K: Debug> Counterexample<K> {
    /// The counterexample for a person, with the operations of the `history` that it is of.
    ///
    /// # Panics
    /// When it is of another, shorter history.
    pub fn tell<I: Debug, O: Debug>(&self, history: &[Operation<I, O>]) -> String {
        let mut text = match &self.key {
            Some(key) => format!("not linearizable in the operations on {key:?}\n"),
            None => "not linearizable\n".to_owned(),
        };
        let skipped = self.prefix.len().saturating_sub(TOLD);
        let told = self.prefix.len() - skipped;
        match (skipped, told) {
            (0, 0) => text.push_str("nothing can come first\n"),
            (0, _) => text.push_str("this order holds, and can be made no longer:\n"),
            _ => {
                let _ = writeln!(
                    text,
                    "an order holds that can be made no longer; its last {told} of {}:",
                    self.prefix.len()
                );
            }
        }
        for &at in &self.prefix[skipped..] {
            line(&mut text, at, &history[at]);
        }
        text.push_str("one of these must come next, and none can:\n");
        for &at in &self.stuck {
            line(&mut text, at, &history[at]);
        }
        text
    }
}

fn line<I: Debug, O: Debug>(text: &mut String, at: usize, operation: &Operation<I, O>) {
    let Operation {
        client,
        input,
        invoked,
        ending,
    } = operation;
    let _ = write!(text, "  #{at} client {client}: {input:?}");
    let _ = match ending {
        Ending::Ok { output, at } => writeln!(text, " -> {output:?}  [{invoked}, {at}]"),
        Ending::Unknown => writeln!(text, " -> unknown  [{invoked}, ..."),
        Ending::Failed => writeln!(text, " -> failed  [{invoked}]"),
    };
}

//! What a judgement says, and the words for it.

use std::fmt::{self, Debug, Display, Formatter};

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

/// What is told of a counterexample, with the operations themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Excerpt<K, I, O> {
    /// The partition's key; `None` when the history was not split.
    pub key: Option<K>,
    /// How many operations of the prefix come before those that are told.
    pub skipped: u64,
    /// The end of the prefix.
    pub prefix: Vec<Told<I, O>>,
    /// The operations that lead no further: see [`Counterexample::stuck`].
    pub stuck: Vec<Told<I, O>>,
}

/// One operation of a history, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Told<I, O> {
    /// Its place in the history, from 0.
    pub at: u64,
    /// The operation.
    pub operation: Operation<I, O>,
}

impl<K> Counterexample<K> {
    /// What is told of it, with the operations of the `history` that it is of.
    ///
    /// # Panics
    /// When it is of another, shorter history.
    pub fn excerpt<I: Clone, O: Clone>(&self, history: &[Operation<I, O>]) -> Excerpt<K, I, O>
    where
        K: Clone,
    {
        self.excerpt_of(history, K::clone, Operation::clone)
    }

    /// The counterexample for a person, with the operations of the `history` that it is of.
    ///
    /// # Panics
    /// When it is of another, shorter history.
    pub fn tell<I: Debug, O: Debug>(&self, history: &[Operation<I, O>]) -> String
    where
        K: Debug,
    {
        let excerpt = self.excerpt_of(history, |key| key, Operation::as_ref);
        excerpt.to_string()
    }

    fn excerpt_of<'a, L, I, O, J, P>(
        &'a self,
        history: &'a [Operation<I, O>],
        key: impl Fn(&'a K) -> L,
        operation: impl Fn(&'a Operation<I, O>) -> Operation<J, P>,
    ) -> Excerpt<L, J, P> {
        let skipped = self.prefix.len().saturating_sub(TOLD);
        let told = |at: &usize| Told {
            at: *at as u64,
            operation: operation(&history[*at]),
        };
        Excerpt {
            key: self.key.as_ref().map(key),
            skipped: skipped as u64,
            prefix: self.prefix[skipped..].iter().map(told).collect(),
            stuck: self.stuck.iter().map(told).collect(),
        }
    }
}

impl<K: Debug, I: Debug, O: Debug> Display for Excerpt<K, I, O> {
    /// For a person, in several lines.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => writeln!(f, "not linearizable in the operations on {key:?}")?,
            None => writeln!(f, "not linearizable")?,
        }
        let told = self.prefix.len() as u64;
        match (self.skipped, told) {
            (0, 0) => writeln!(f, "nothing can come first")?,
            (0, _) => writeln!(f, "this order holds, and can be made no longer:")?,
            _ => writeln!(
                f,
                "an order holds that can be made no longer; its last {told} of {}:",
                self.skipped.saturating_add(told)
            )?,
        }
        self.prefix
            .iter()
            .try_for_each(|told| write!(f, "{told}"))?;
        writeln!(f, "one of these must come next, and none can:")?;
        self.stuck.iter().try_for_each(|told| write!(f, "{told}"))
    }
}

impl<I: Debug, O: Debug> Display for Told<I, O> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Operation {
            client,
            input,
            invoked,
            ending,
        } = &self.operation;
        write!(f, "  #{} client {client}: {input:?}", self.at)?;
        match ending {
            Ending::Ok { output, at } => writeln!(f, " -> {output:?}  [{invoked}, {at}]"),
            Ending::Unknown => writeln!(f, " -> unknown  [{invoked}, ..."),
            Ending::Failed => writeln!(f, " -> failed  [{invoked}]"),
        }
    }
}

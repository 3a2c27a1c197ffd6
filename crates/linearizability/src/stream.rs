//! A witness followed while the run goes on, in memory that does not grow with it.

use std::collections::BTreeMap;

use super::history::{self, Ending, Operation};
use super::model::Model;
use super::replay::{Fault, Replay};

/// Follows one witness through a run of any length.
///
/// Operations are pushed as they end, in any order, and are taken in the order of
/// their positions once [`Stream::settle_before`] says that no earlier one will
/// come. Only those in between are kept, and the model's state.
///
/// All keys are followed in one order, so a stream is stricter than
/// [`check_witness`](super::check_witness): it also fails where the witness
/// contradicts real time between keys only. A failure proves nothing by itself.
/// Repeat the run with its history kept, and [`judge`](super::judge) that.
///
/// What the caller must not forget: an operation that returned and has no
/// position cannot be pushed, and the history is then to be judged whole.
pub struct Stream<M: Model, P> {
    model: M,
    replay: Replay<M>,
    waiting: Waiting<M, P>,
    settled: Option<P>,
    pushed: usize,
    failure: Option<StreamError>,
}

/// Pushed operations by position, then invocation, then the order of pushes.
type Waiting<M, P> =
    BTreeMap<(P, u64, usize), Operation<<M as Model>::Input, <M as Model>::Output>>;

/// Why a stream's witness proves nothing. Operations are named by the order in which they were
/// pushed, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// It came after its place had been settled.
    #[error("operation {operation} was pushed after its position had been settled")]
    Late {
        /// The operation.
        operation: usize,
    },
    /// The order contradicts real time.
    #[error(
        "operation {later} was over before operation {earlier} began, and comes after it in the witness"
    )]
    OutOfOrder {
        /// The one that comes first in the witness.
        earlier: usize,
        /// The one that came first in time.
        later: usize,
    },
    /// The model gives another output there.
    #[error("operation {operation} returned what the model does not return at its position")]
    Refused {
        /// The operation.
        operation: usize,
    },
}

impl<M: Model, P: Ord> Stream<M, P> {
    /// Starts from the model's initial state.
    pub fn new(model: M) -> Self {
        Self {
            replay: Replay::new(&model),
            model,
            waiting: BTreeMap::new(),
            settled: None,
            pushed: 0,
            failure: None,
        }
    }

    /// Enters an operation. One of unknown outcome that has a position took effect there; one
    /// without, like one that failed, is not to be pushed.
    ///
    /// # Errors
    /// [`StreamError::Late`], and whatever made the stream fail before.
    ///
    /// # Panics
    /// When the operation completes before its invocation, or has failed.
    pub fn push(
        &mut self,
        position: P,
        operation: Operation<M::Input, M::Output>,
    ) -> Result<(), StreamError> {
        let name = self.pushed;
        history::assert_one_sound(name, &operation);
        assert!(
            !matches!(operation.ending, Ending::Failed),
            "operation {name} failed, and so has no place in a witness"
        );
        self.pushed += 1;
        if self
            .settled
            .as_ref()
            .is_some_and(|settled| position < *settled)
        {
            self.fail(StreamError::Late { operation: name });
        }
        if self.failure.is_none() {
            self.waiting
                .insert((position, operation.invoked, name), operation);
        }
        self.so_far()
    }

    /// Takes all operations before `position`: none will be pushed any more that belongs there.
    ///
    /// # Errors
    /// The first place where the witness does not hold, now and in every call after it.
    pub fn settle_before(&mut self, position: P) -> Result<(), StreamError> {
        while let Some(first) = self.waiting.first_entry()
            && first.key().0 < position
        {
            let ((.., name), operation) = first.remove_entry();
            self.take(name, &operation);
        }
        if self
            .settled
            .as_ref()
            .is_none_or(|settled| *settled < position)
        {
            self.settled = Some(position);
        }
        self.so_far()
    }

    /// Takes all that is left, and returns the number of operations in the linearization.
    ///
    /// # Errors
    /// As [`Stream::settle_before`].
    pub fn finish(mut self) -> Result<usize, StreamError> {
        while let Some(((.., name), operation)) = self.waiting.pop_first() {
            self.take(name, &operation);
        }
        self.so_far().map(|()| self.pushed)
    }

    /// How many operations are kept.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn take(&mut self, name: usize, operation: &Operation<M::Input, M::Output>) {
        if self.failure.is_some() {
            return;
        }
        match self.replay.take(&self.model, name, operation) {
            Ok(()) => {}
            Err(Fault::OutOfOrder { after }) => self.fail(StreamError::OutOfOrder {
                earlier: after,
                later: name,
            }),
            Err(Fault::Refused) => self.fail(StreamError::Refused { operation: name }),
        }
    }

    fn fail(&mut self, error: StreamError) {
        self.failure.get_or_insert(error);
        self.waiting.clear();
    }

    fn so_far(&self) -> Result<(), StreamError> {
        self.failure.map_or(Ok(()), Err)
    }
}

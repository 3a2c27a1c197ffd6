//! Following a total order: does it respect real time, and does the model agree?

use super::history::Operation;
use super::model::Model;

/// Why an order is no linearization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The operation was over before `after` began, and yet comes after it.
    OutOfOrder { after: usize },
    /// The model does not take it here.
    Refused,
}

/// An order, up to some operation.
pub(super) struct Replay<M: Model> {
    state: M::State,
    /// The latest invocation so far, and whose it was.
    latest: Option<(u64, usize)>,
}

impl<M: Model> Replay<M> {
    pub(super) fn new(model: &M) -> Self {
        Self {
            state: model.initial(),
            latest: None,
        }
    }

    /// Takes the next operation of the order, which the caller calls `name`.
    ///
    /// Comparing with the latest invocation alone is enough: who is over before
    /// any of the invocations so far is over before the latest.
    pub(super) fn take(
        &mut self,
        model: &M,
        name: usize,
        operation: &Operation<M::Input, M::Output>,
    ) -> Result<(), Fault> {
        if let (Some(completed), Some((invoked, after))) = (operation.completed(), self.latest)
            && completed < invoked
        {
            return Err(Fault::OutOfOrder { after });
        }
        if self
            .latest
            .is_none_or(|(latest, _)| latest < operation.invoked)
        {
            self.latest = Some((operation.invoked, name));
        }
        match model.step(&mut self.state, &operation.input, operation.output()) {
            true => Ok(()),
            false => Err(Fault::Refused),
        }
    }
}

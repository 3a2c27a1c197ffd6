//! A total order that claims to be a linearization, and the proof of the claim.

use super::history::{self, Ending, Operation};
use super::model::Model;
use super::partition;
use super::replay::{Fault, Replay};

/// Why a witness proves nothing. The history may be linearizable all the same. Operations are
/// named by their place in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// An operation that returned has no position.
    #[error("operation {operation} returned, and has no position in the witness")]
    Unplaced {
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
    #[error(
        "operation {operation} returned what the model does not return at its position in the witness"
    )]
    Refused {
        /// The operation.
        operation: usize,
    },
}

/// Verifies that `history` is linearizable in the order of `positions`, which has the place of
/// each operation. Returns a linearization.
///
/// For a replicated log, a write's position is its index, and a read's the index
/// that had been applied where it was served, after the write there: `(index, 0)`
/// and `(index, 1)`. Operations at one position are taken in the order of their
/// invocations, which is right for reads. An operation of unknown outcome with
/// a position took effect there; one without took none. One that returned must have one.
///
/// Each key is followed alone, so an order that contradicts real time between
/// keys only is no error: by locality the history is linearizable in another order.
///
/// # Errors
/// Where the witness does not hold, for the least key with such a place.
///
/// # Panics
/// When an operation completes before its invocation, or there are not as many
/// positions as operations.
pub fn check_witness<M: Model, P: Ord>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    positions: &[Option<P>],
) -> Result<Vec<usize>, WitnessError> {
    history::assert_sound(history);
    assert_as_long(history, positions);
    let orders: Result<Vec<_>, _> = partition::split(model, history)
        .into_iter()
        .map(|partition| follow(model, history, positions, &partition.members))
        .collect();
    Ok(partition::merge(history, orders?))
}

pub(super) fn assert_as_long<I, O, P>(history: &[Operation<I, O>], positions: &[Option<P>]) {
    assert_eq!(
        history.len(),
        positions.len(),
        "a witness has one position, or none, for each operation"
    );
}

/// Follows the witness through the operations `members`.
pub(super) fn follow<M: Model, P: Ord>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    positions: &[Option<P>],
    members: &[usize],
) -> Result<Vec<usize>, WitnessError> {
    let mut order = Vec::with_capacity(members.len());
    for &at in members {
        match (&positions[at], &history[at].ending) {
            (Some(_), _) => order.push(at),
            (None, Ending::Ok { .. }) => return Err(WitnessError::Unplaced { operation: at }),
            (None, Ending::Unknown | Ending::Failed) => {}
        }
    }
    order.sort_by(|&a, &b| {
        let place = |at: usize| (&positions[at], history[at].invoked);
        place(a).cmp(&place(b))
    });
    let mut replay = Replay::new(model);
    for &at in &order {
        replay
            .take(model, at, &history[at])
            .map_err(|fault| match fault {
                Fault::OutOfOrder { after } => WitnessError::OutOfOrder {
                    earlier: after,
                    later: at,
                },
                Fault::Refused => WitnessError::Refused { operation: at },
            })?;
    }
    Ok(order)
}

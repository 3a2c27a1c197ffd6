//! A message with its label, for libraries whose messages do not say enough.

use crate::replica::Label;

/// A message of a library on its way, with its label.
///
/// [`Replica::label`](crate::replica::Replica::label) sees the message alone. A library may name
/// the receiver beside it, or say in it less than the sender promises: that the sender's log ends
/// at 7 is no promise that it is the receiver's log up to there. The sender knows, so the label is
/// made when the message is, and travels with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<M> {
    /// What the message is, to whom it goes, and what its sender promises by it.
    pub label: Label,
    /// The library's own message.
    pub message: M,
}

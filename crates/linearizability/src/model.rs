//! What a service does, one operation at a time: the seam of this module.

use std::hash::Hash;

/// A service as it would be without concurrency or faults.
pub trait Model {
    /// All that the service remembers.
    type State: Clone + Eq + Hash;
    /// What is asked of it.
    type Input;
    /// What it returns.
    type Output;
    /// Names one of the objects that the service is made of; `()` where it is one object.
    type Key: Ord + Clone;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// Carries the operation out on `state` if it can take effect there and `output` is what it
    /// then returns; `None` stands for an output that nobody saw, which is any. Returns whether
    /// it did.
    ///
    /// What it does depends on its arguments only. **When it returns false, `state` is as
    /// it was**; the search holds it to that, and panics.
    fn step(
        &self,
        state: &mut Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> bool;

    /// The one object that the operation reads and changes, or `None` when it may touch more.
    ///
    /// Whether operations on a key are taken, and what they do to it, must depend
    /// on operations on that key only. Then each key's operations are judged
    /// alone, which is what makes long histories cheap. One operation without a key
    /// that took effect, or may have, joins all keys into one history.
    fn key(&self, _input: &Self::Input) -> Option<Self::Key> {
        None
    }

    /// Whether the operation with this output changes no state at all, in whichever state it is
    /// taken: a read, or a compare-and-set that failed. (A deletion of nothing changes nothing
    /// here and something elsewhere: it does not count, unless the output tells the two apart.)
    ///
    /// The search takes such an operation as soon as it fits and tries no other
    /// place for it. The search holds the model to its word, and panics.
    fn is_read_only(&self, _input: &Self::Input, _output: Option<&Self::Output>) -> bool {
        false
    }
}

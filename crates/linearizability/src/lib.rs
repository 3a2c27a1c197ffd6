//! A linearizability checker for histories of operations. Knows nothing of
//! Raft, plans or engines: only a [`Model`] of
//! what one operation does, and a history of when operations began, when they
//! ended and what they returned.
//!
//! A history is linearizable when every operation can be given one instant
//! between its invocation and its completion so that, taken in the order of
//! these instants, each returns what the model returns (Herlihy & Wing,
//! "Linearizability: a correctness condition for concurrent objects", TOPLAS
//! 1990).
//!
//! Two ways lead to an answer, and [`judge`] takes them in this order.
//!
//! - **A witness.** A replicated log is a total order that claims to be a linearization.
//!   [`check_witness`] verifies the claim in the time of a sort; [`Stream`] does so as a run goes
//!   on, in flat memory.
//! - **A search**, where there is no witness or it does not hold: [`check`]. The algorithm is that
//!   of Wing & Gong ("Testing and verifying concurrent objects", JPDC 1993) with the memory of Lowe
//!   ("Testing for linearizability", Concurrency and Computation 2017), of which Athalye's
//!   porcupine is the implementation best known. The problem is NP-complete, so the search has a
//!   [`Budget`], and a search that ends early says so.
//!
//! Both split a history by key first, where the model names one: a history is
//! linearizable if and only if its part for each object is (locality, Herlihy &
//! Wing section 3.2; called P-compositionality by Horn & Kroening, "Faster
//! linearizability checking via P-compositionality", FORTE 2015).
//!
//! ```
//! use squall_linearizability::models::{Register, RegisterInput, RegisterOutput};
//! use squall_linearizability::{Budget, Operation, Verdict, check};
//!
//! let history = [
//!     Operation::ok(1, RegisterInput::Write(7), RegisterOutput::Written, 10, 20),
//!     // Began after the write had ended, and yet knows nothing of it.
//!     Operation::ok(2, RegisterInput::Read, RegisterOutput::Value(0), 30, 40),
//! ];
//! let verdict = check(&Register { initial: 0 }, &history, Budget::default());
//! assert!(matches!(verdict, Verdict::NotLinearizable(_)));
//! ```

mod history;
mod model;
pub mod models;
mod partition;
mod replay;
mod search;
mod stream;
#[cfg(test)]
mod tests;
mod verdict;
mod witness;

pub use history::{Ending, Operation};
pub use model::Model;
pub use stream::{Stream, StreamError};
pub use verdict::{Budget, Counterexample, Excerpt, Judgement, Told, Verdict};
pub use witness::{WitnessError, check_witness};

use partition::Partition;
use search::{Found, Steps};

/// Decides by search alone whether `history` is linearizable.
///
/// # Panics
/// When an operation completes before its invocation, when the model breaks its
/// contract, or when a partition has 2^31 operations or more.
pub fn check<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    budget: Budget,
) -> Verdict<M::Key> {
    history::assert_sound(history);
    let partitions = partition::split(model, history);
    let count = partitions.len();
    let searched = partitions.into_iter().collect();
    search_all(model, history, Vec::new(), searched, count, budget).verdict
}

/// Decides whether `history` is linearizable: by the witness where it holds, and by search in
/// the partitions where it does not.
///
/// `positions` has the place of each operation in the order that is thought to
/// be a linearization; see [`check_witness`] for what it should be. A wrong
/// witness costs time and never changes a verdict that the budget allows.
///
/// # Panics
/// As [`check`], and when there are not as many positions as operations.
pub fn judge<M: Model, P: Ord>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    positions: &[Option<P>],
    budget: Budget,
) -> Judgement<M::Key> {
    history::assert_sound(history);
    witness::assert_as_long(history, positions);
    let partitions = partition::split(model, history);
    let count = partitions.len();
    let (mut orders, mut unsettled) = (Vec::new(), Vec::new());
    for partition in partitions {
        match witness::follow(model, history, positions, &partition.members) {
            Ok(order) => orders.push(order),
            Err(_) => unsettled.push(partition),
        }
    }
    search_all(model, history, orders, unsettled, count, budget)
}

/// Searches the partitions `unsettled`, small ones first: a budget that one large partition
/// would eat has by then decided the others.
fn search_all<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    mut orders: Vec<Vec<usize>>,
    mut unsettled: Vec<Partition<M::Key>>,
    partitions: usize,
    budget: Budget,
) -> Judgement<M::Key> {
    unsettled.sort_by_key(|partition| partition.members.len());
    let searched = unsettled.len();
    let mut steps = Steps::new(budget);
    let mut undecided = Vec::new();
    let mut counterexample = None;
    for Partition { key, members } in unsettled {
        match search::search(model, history, &members, &mut steps) {
            Found::Order(order) => {
                let mut replay = replay::Replay::new(model);
                for &at in &order {
                    let taken = replay.take(model, at, &history[at]);
                    taken.expect("an order that the search found holds when replayed");
                }
                orders.push(order);
            }
            Found::Nothing { prefix, stuck } => {
                counterexample = Some(Counterexample { key, prefix, stuck });
                break;
            }
            Found::OutOfSteps => undecided.push(key),
        }
    }
    let explored = steps.taken();
    let verdict = match counterexample {
        Some(counterexample) => Verdict::NotLinearizable(counterexample),
        None if undecided.is_empty() => Verdict::Linearizable {
            order: partition::merge(history, orders),
        },
        None => Verdict::Unknown {
            explored,
            undecided,
        },
    };
    Judgement {
        verdict,
        partitions,
        searched,
        explored,
    }
}

//! From one history to one for each key, and from an order of each to an order of all.

use std::collections::BTreeMap;

use super::history::{Ending, Operation};
use super::model::Model;

/// The operations that can be judged without looking at any other.
pub(super) struct Partition<K> {
    /// Their key; `None` when the history is not to be split.
    pub(super) key: Option<K>,
    /// Their places in the history, ascending.
    pub(super) members: Vec<usize>,
}

/// Splits `history` by key. Leaves out what can have had no effect and what nobody saw the
/// output of: no linearization needs it.
pub(super) fn split<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
) -> Vec<Partition<M::Key>> {
    let mut whole = Vec::new();
    let mut by_key: BTreeMap<M::Key, Vec<usize>> = BTreeMap::new();
    let mut keyless = false;
    for (at, operation) in history.iter().enumerate() {
        let matters = match operation.ending {
            Ending::Ok { .. } => true,
            Ending::Unknown => !model.is_read_only(&operation.input, None),
            Ending::Failed => false,
        };
        if !matters {
            continue;
        }
        whole.push(at);
        if keyless {
            continue;
        }
        match model.key(&operation.input) {
            Some(key) => by_key.entry(key).or_default().push(at),
            None => keyless = true,
        }
    }
    if keyless {
        return vec![Partition {
            key: None,
            members: whole,
        }];
    }
    by_key
        .into_iter()
        .map(|(key, members)| Partition {
            key: Some(key),
            members,
        })
        .collect()
}

/// One order of all operations, from one of each partition.
///
/// Each operation gets the earliest instant that its partition's order leaves it:
/// the latest invocation up to it. That is not after its own completion, or the
/// partition's order would not respect real time; so the order of these instants
/// respects real time across partitions as well.
pub(super) fn merge<I, O>(history: &[Operation<I, O>], mut orders: Vec<Vec<usize>>) -> Vec<usize> {
    if orders.len() < 2 {
        return orders.pop().unwrap_or_default();
    }
    let mut instants = Vec::with_capacity(orders.iter().map(Vec::len).sum());
    for (partition, order) in orders.into_iter().enumerate() {
        let mut instant = 0;
        for (place, at) in order.into_iter().enumerate() {
            instant = instant.max(history[at].invoked);
            instants.push((instant, partition, place, at));
        }
    }
    instants.sort_unstable();
    instants.into_iter().map(|(.., at)| at).collect()
}

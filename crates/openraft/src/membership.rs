//! Configurations, in openraft's terms and in Squall's, and as the bytes of an entry.

use std::collections::BTreeSet;

use bytes::Bytes;
use squall_core::configuration::Configuration;
use squall_core::ids::NodeSet;

use super::types::{self, Membership};

/// The format of entries that change the configuration.
pub(super) const FORMAT: u8 = 0;

fn set<'i>(ids: impl IntoIterator<Item = &'i u64>) -> NodeSet {
    ids.into_iter().map(|id| types::node(*id)).collect()
}

fn ids(nodes: NodeSet) -> BTreeSet<u64> {
    nodes.iter().map(types::id).collect()
}

/// `membership` in Squall's terms. Who is to learn once a joint configuration is left openraft
/// does not note: the change that leaves it says so. Who asked for the change leaves it, not the
/// leader; where that one is gone, an operator has to.
pub(super) fn configuration(membership: &Membership) -> Configuration {
    let halves = membership.get_joint_config();
    let (outgoing, voters) = match halves.as_slice() {
        [] => (NodeSet::default(), NodeSet::default()),
        [voters] => (NodeSet::default(), set(voters)),
        [old, .., new] => (set(old), set(new)),
    };
    let everyone = set(membership.nodes().map(|(id, ())| id));
    Configuration {
        voters,
        outgoing,
        learners: everyone.without(voters.with(outgoing)),
        learners_next: NodeSet::default(),
        auto_leave: false,
    }
}

/// `configuration` in openraft's terms.
pub(super) fn membership(configuration: &Configuration) -> Membership {
    if configuration.is_empty() {
        return Membership::default();
    }
    let halves = [configuration.outgoing, configuration.voters];
    let halves = halves.into_iter().filter(|half| !half.is_empty());
    Membership::new_with_defaults(halves.map(ids).collect(), ids(configuration.members()))
}

/// `membership` as the data of an entry: the number of halves, then each half and everyone, each
/// with its length before it.
pub(super) fn encode(membership: &Membership) -> Bytes {
    let everyone: BTreeSet<u64> = membership.nodes().map(|(id, ())| *id).collect();
    let halves = membership.get_joint_config();
    let byte = |number: u64| u8::try_from(number).expect("a plan's nodes fit a byte");
    let mut bytes = vec![byte(halves.len() as u64)];
    for ids in halves.iter().chain([&everyone]) {
        bytes.push(byte(ids.len() as u64));
        bytes.extend(ids.iter().map(|id| byte(*id)));
    }
    bytes.into()
}

/// What [`encode`] gave; none for other bytes.
pub(super) fn decode(bytes: &[u8]) -> Option<Membership> {
    let (halves, mut rest) = bytes.split_first()?;
    let mut lists = Vec::new();
    for _ in 0..=*halves {
        let (length, after) = rest.split_first()?;
        let (ids, after) = after.split_at_checked(usize::from(*length))?;
        lists.push(ids.iter().map(|id| u64::from(*id)).collect());
        rest = after;
    }
    let everyone: BTreeSet<u64> = lists.pop()?;
    rest.is_empty()
        .then(|| Membership::new_with_defaults(lists, everyone))
}

//! What goes into a run's digest, as numbers. Everything that could differ
//! between two runs of one plan and would matter to someone goes in.

use crate::ids::{Index, NodeId};
use crate::replica::{Claim, Input, Label, Observation, Reply, ReplyOutcome, SyncId, SyncResult};
use crate::storage::{Chain, Record};
use squall_world::hash::mix;

/// A message that is stepped into a replica.
#[inline]
pub(super) fn delivery(from: NodeId) -> u64 {
    2 | u64::from(from.0) << 8
}

/// A sync's end that is stepped into a replica.
#[inline]
pub(super) fn synced(sync: SyncId, result: SyncResult) -> u64 {
    match result {
        SyncResult::Done => 3 | sync.0 << 8,
        SyncResult::Failed => 4 | sync.0 << 8,
    }
}

/// What is stepped into a replica.
pub(super) fn input<M>(input: &Input<M>) -> u64 {
    match input {
        Input::Tick => 1,
        Input::Deliver { from, .. } => delivery(*from),
        Input::Synced { sync, result } => synced(*sync, *result),
        Input::Request(request) => 5 | request.sequence << 8,
        Input::Read(request) => 8 | request.sequence << 8,
        Input::Admin(_) => 9,
        Input::Unreachable { peer } => 6 | u64::from(peer.0) << 8,
        Input::SnapshotSent { peer, delivered } => {
            7 | u64::from(peer.0) << 8 | u64::from(*delivered) << 16
        }
        Input::Connection { peer, stands } => {
            10 | u64::from(peer.0) << 8 | u64::from(*stands) << 16
        }
    }
}

/// What a replica reports.
#[inline(always)]
pub(super) fn observation(seen: &Observation) -> u64 {
    match *seen {
        Observation::Started {
            term,
            vote,
            last,
            commit,
            applied,
            state,
            configuration,
        } => {
            let vote = vote.map_or(0, |vote| u64::from(vote.0));
            let configuration = configuration.hash();
            [term, vote, last, commit, applied, state, configuration]
                .into_iter()
                .fold(1, mix)
        }
        Observation::Role { role, term } => mix(2 + role as u64, term),
        // The two that come all the time: what they are folded into mixes them.
        Observation::Committed { index } => 7 ^ index.rotate_left(8),
        Observation::Applied { index, state } => 8 ^ index.rotate_left(8) ^ state,
        Observation::Installed { index, state } => mix(mix(9, index), state),
        Observation::SnapshotTaken { index } => mix(10, index),
        Observation::Configured {
            index,
            configuration,
        } => mix(mix(11, index), configuration.hash()),
        Observation::ReadConfirmed { index } => mix(12, index),
        Observation::Transfer { to } => mix(14, to.map_or(0, |to| to.0.into())),
        Observation::Did(event) => mix(13, event as u64),
        Observation::Broke(_) => 15,
    }
}

/// What a replica writes. An entry's content is in its chain.
#[inline]
pub(super) fn record(record: &Record, chain: Chain) -> u64 {
    let written = match record {
        Record::HardState(hard) => {
            let vote = hard.vote.map_or(0, |vote| u64::from(vote.0));
            mix(hard.term << 8 | vote, 11)
        }
        Record::Entry { index, .. } => return entry(*index, chain),
        Record::Commit { index } => return commit(*index, chain),
        Record::LogReset { next } => mix(*next, 13),
        Record::LogCompact { through } => mix(*through, 14),
        Record::Snapshot(snapshot) => mix(mix(snapshot.index, snapshot.term), 15),
    };
    mix(written, chain.0)
}

/// An entry that a replica writes.
#[inline]
pub(super) fn entry(index: Index, chain: Chain) -> u64 {
    12 ^ index.rotate_left(8) ^ chain.0
}

/// A commit index that a replica writes.
#[inline]
pub(super) fn commit(index: Index, chain: Chain) -> u64 {
    16 ^ index.rotate_left(8) ^ chain.0
}

/// What a replica sends, and to whom.
#[inline]
pub(super) fn label(label: &Label) -> u64 {
    let claim = match label.claim {
        Claim::Nothing => 0,
        Claim::Appended { index } => index << 1,
        Claim::Voted { candidate } => u64::from(candidate.0) << 1 | 1,
    };
    (label.term << 16 | u64::from(label.to.0) << 8 | label.kind as u64) ^ claim.rotate_left(40)
}

/// What a replica answers a client.
pub(super) fn reply(reply: &Reply) -> u64 {
    let outcome = match reply.outcome {
        ReplyOutcome::Applied { index, answer } => mix(index << 1 | 1, answer.hash()),
        ReplyOutcome::Read { index, answer } => mix(index << 1, answer.hash()),
        ReplyOutcome::Refused { leader } => leader.map_or(0, |leader| leader.0.into()),
    };
    mix(reply.sequence << 32 | u64::from(reply.client), outcome)
}

#[cfg(test)]
mod tests {
    use crate::ids::Role;
    use crate::invariants::Property;
    use crate::replica::{LibraryEvent, MessageKind};

    /// Digests of old runs hang on them.
    #[test]
    fn the_numbers_in_digests_stay() {
        assert_eq!([Role::Follower as u64, Role::Leader as u64], [0, 3]);
        let doings = [
            LibraryEvent::DroppedProposal,
            LibraryEvent::Campaigned,
            LibraryEvent::ChangedOtherwise,
        ];
        assert_eq!(doings.map(|event| event as u64), [0, 9, 12]);
        for (number, kind) in MessageKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, number);
        }
        let properties = [
            Property::ElectionSafety,
            Property::LockSafety,
            Property::NoPanic,
            Property::ReadIndex,
            Property::Answered,
        ];
        assert_eq!(
            properties.map(|property| property as u64),
            [0, 11, 13, 14, 15]
        );
        let mut numbers: Vec<usize> = Property::ALL.iter().map(|it| *it as usize).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..Property::ALL.len()));
    }
}

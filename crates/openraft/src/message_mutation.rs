//! Messages changed on their way, for injected bugs that do.

use squall_core::bugs::{Bug, Change, Tamper};
use squall_core::invariants::Property;
use squall_core::replica::Message;

use super::messages::{Body, Request};
use super::types::{self, Mode, Payload};
use super::{Command, Openraft};

/// An index that no log of a run gets to.
const FAR: u64 = 1 << 40;

impl<C: Mode> Tamper for Openraft<C> {
    fn tamper(message: &mut Message<Self>, change: Change) {
        match (change, &mut message.message.body) {
            (Change::FlatterCandidate, Body::Request(Request::Vote(ask))) => {
                ask.last_log_id = types::entry_id::<C>(FAR, types::term_of_vote::<C>(&ask.vote));
            }
            (Change::FlipPayload, Body::Request(Request::Append(append))) => {
                if let Some(Payload::Normal(Command(data))) =
                    append.entries.last_mut().map(C::payload_mut)
                    && !data.is_empty()
                {
                    let mut flipped = data.to_vec();
                    flipped[0] ^= 1;
                    *data = flipped.into();
                }
            }
            (Change::SkipEntry, Body::Request(Request::Append(append)))
                if append.entries.len() > 1 =>
            {
                append.entries.remove(0);
            }
            _ => {}
        }
    }

    /// openraft counts a vote only where the answer names the vote that was asked for, and a
    /// refusal names the refuser's own. What becomes of a snapshot it learns by its own time-out.
    fn can(bug: Bug) -> bool {
        !matches!(bug, Bug::CountEveryVote | Bug::IgnoreSnapshotReport)
    }

    fn caught_by(bug: Bug) -> Property {
        match bug {
            // openraft has no read at a node that does not lead, and no name for one.
            Bug::ReadLocally => Property::Linearizability,
            Bug::SnapshotWithoutTokens => Property::LockSafety,
            Bug::GuessFirstConfiguration => Property::LogMatching,
            Bug::CompactTooFar => Property::NoPanic,
            _ => bug.caught_by(),
        }
    }
}

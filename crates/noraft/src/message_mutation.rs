//! Changes to noraft's messages, for injected bugs.

use noraft::LogEntries;

use super::{Message, Noraft, messages};
use squall_core::bugs::{Bug, Change, Tamper};
use squall_core::invariants::Property;

impl Tamper for Noraft {
    fn tamper(message: &mut Message, change: Change) {
        let Message::Raft {
            message, content, ..
        } = message
        else {
            return;
        };
        match (change, message) {
            (Change::FlatterCandidate, noraft::Message::RequestVoteCall { last_position, .. }) => {
                *last_position = messages::position(u64::MAX / 2, u64::MAX / 2)
            }
            (Change::FlipPayload, _) => {
                let last = content.last_mut().filter(|data| !data.is_empty());
                if let Some(data) = last {
                    let mut flipped = data.to_vec();
                    flipped[0] ^= 1;
                    *data = flipped.into();
                }
            }
            (Change::SkipEntry, noraft::Message::AppendEntriesCall { entries, .. })
                if entries.len() > 1 =>
            {
                let rest: Vec<_> = entries.iter().skip(1).collect();
                *entries = LogEntries::from_iter(entries.prev_position(), rest);
                content.remove(0);
            }
            _ => {}
        }
    }

    /// A voter of noraft's says no only to a candidate of an older term, by its own newer
    /// one: there is no refusal that could be taken for a vote. noraft stores no commit
    /// index. A log that lost its beginning is sent anew, and is rarely missed.
    fn can(bug: Bug) -> bool {
        !matches!(
            bug,
            Bug::CountEveryVote
                | Bug::ForgetCommit
                | Bug::CommitAhead
                | Bug::CompactBeforeSnapshot
                | Bug::SwallowRefusals
                // What is asked of a node that leads no more is refused.
                | Bug::RevokeRenewed
        )
    }

    /// noraft's messages have no room for a hole: what follows a lost entry moves up.
    fn caught_by(bug: Bug) -> Property {
        match bug {
            Bug::SkipEntry => Property::LogMatching,
            other => other.caught_by(),
        }
    }
}

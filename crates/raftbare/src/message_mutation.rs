//! Changes to raftbare's messages, for injected bugs.

use raftbare::LogEntries;

use super::{Content, Message, Raftbare, messages};
use squall_core::bugs::{Bug, Change, Tamper};
use squall_core::invariants::Property;

impl Tamper for Raftbare {
    fn tamper(message: &mut Message, change: Change) {
        let Content { raft, data, .. } = &mut message.message;
        match (change, raft) {
            (
                Change::FlatterCandidate,
                raftbare::Message::RequestVoteCall { last_position, .. },
            ) => *last_position = messages::position(u64::MAX / 2, u64::MAX / 2),
            (Change::FlipPayload, _) => {
                let last = data.last_mut().filter(|data| !data.is_empty());
                if let Some(data) = last {
                    let mut flipped = data.to_vec();
                    flipped[0] ^= 1;
                    *data = flipped.into();
                }
            }
            (Change::SkipEntry, raftbare::Message::AppendEntriesCall { entries, .. })
                if entries.len() > 1 =>
            {
                let rest: Vec<_> = entries.iter().skip(1).collect();
                *entries = LogEntries::from_iter(entries.prev_position(), rest);
                data.remove(0);
            }
            _ => {}
        }
    }

    /// A voter of raftbare's says no only to a candidate of an older term, by its own newer one:
    /// there is no refusal that could be taken for a vote. The driver stores no commit index, takes
    /// no snapshots, and applies at once what is committed.
    fn can(bug: Bug) -> bool {
        !matches!(
            bug,
            Bug::CountEveryVote
                | Bug::ForgetCommit
                | Bug::CommitAhead
                | Bug::SkipSnapshotInstall
                | Bug::IgnoreSnapshotReport
                | Bug::SnapshotWithoutSessions
                | Bug::SnapshotWithoutTokens
                | Bug::SnapshotWithoutConfiguration
                | Bug::GuessFirstConfiguration
                | Bug::CompactBeforeSnapshot
                | Bug::CompactTooFar
                | Bug::LabelSnapshotEarly
                | Bug::ReplayOnRestart
                | Bug::ReadBeforeApplied
                | Bug::SwallowRefusals
                // What is asked of a node that leads no more is refused.
                | Bug::RevokeRenewed
        )
    }

    /// raftbare's messages have no room for a hole: what follows a lost entry moves up.
    fn caught_by(bug: Bug) -> Property {
        match bug {
            Bug::SkipEntry => Property::LogMatching,
            other => other.caught_by(),
        }
    }
}

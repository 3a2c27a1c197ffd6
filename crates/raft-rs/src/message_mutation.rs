//! Changes to the library's messages, for injected bugs.

use raft::eraftpb::Message;

use super::RaftRs;
use squall_core::bugs::{Change, Tamper};

impl Tamper for RaftRs {
    fn tamper(message: &mut Message, change: Change) {
        match change {
            Change::FlatterCandidate => {
                message.index = u64::MAX / 2;
                message.log_term = u64::MAX / 2;
            }
            Change::GrantVote => message.reject = false,
            Change::FlipPayload => {
                let last = message.mut_entries().last_mut();
                if let Some(entry) = last.filter(|entry| !entry.data.is_empty()) {
                    let mut data = entry.data.to_vec();
                    data[0] ^= 1;
                    entry.data = data.into();
                }
            }
            Change::SkipEntry => {
                if message.entries.len() > 1 {
                    message.mut_entries().remove(0);
                }
            }
        }
    }
}

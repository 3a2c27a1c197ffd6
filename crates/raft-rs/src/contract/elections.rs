//! Who is told to stand for election, who says that it was, and how often a leader gives a sign of
//! incarnation.

use raft::eraftpb::{Message, MessageType};
use raft::{Raft, Storage};

use super::leader_stickiness::TRANSFER;
use squall_core::ids::Term;

/// `raft` has sent these because of a message of the kind of `cause` in the name of `from`.
///
/// # Panics
/// When a successor is told to stand that lacks entries (dissertation, section 3.10), when a
/// candidate says of itself what is not so, or when a leader tells itself what it tells its
/// followers.
pub(super) fn sent<S: Storage>(
    raft: &Raft<S>,
    messages: &[Message],
    cause: MessageType,
    from: u64,
) {
    for message in messages {
        match message.get_msg_type() {
            MessageType::MsgAppend | MessageType::MsgHeartbeat => {
                // Unless that answers a forged message.
                let to_itself = message.to == raft.id && from != raft.id;
                assert!(!to_itself, "a leader sends nothing to itself");
            }
            MessageType::MsgTimeoutNow => {
                let progress = raft.prs().get(message.to);
                let last = raft.raft_log.last_index();
                assert!(
                    progress.is_some_and(|progress| progress.matched == last),
                    "who is told to stand for election has all of the leader's log"
                );
            }
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => {
                let says = *message.context == *TRANSFER;
                let is_told = cause == MessageType::MsgTimeoutNow;
                assert_eq!(
                    says, is_told,
                    "who stands because its leader told it to says so, and nobody else"
                );
            }
            _ => {}
        }
    }
}

/// A leader's heartbeats.
#[derive(Debug, Default)]
pub(super) struct Beats {
    term: Option<Term>,
    /// Ticks since the last that were sent at a tick, in this term.
    since: Option<usize>,
}

impl Beats {
    /// A node that leads in term `leads` has sent these, at a tick or not.
    ///
    /// # Panics
    /// When ticks bring heartbeats more often than every `least`.
    #[inline]
    pub(super) fn see(
        &mut self,
        leads: Option<Term>,
        messages: &[Message],
        is_tick: bool,
        least: usize,
    ) {
        if self.term != leads {
            *self = Self {
                term: leads,
                since: None,
            };
        }
        if !is_tick || leads.is_none() {
            return;
        }
        self.since = self.since.map(|ticks| ticks + 1);
        let beats = |message: &Message| message.get_msg_type() == MessageType::MsgHeartbeat;
        if messages.iter().any(beats) {
            assert!(
                self.since.is_none_or(|ticks| ticks >= least),
                "a leader sends heartbeats every {least} ticks"
            );
            self.since = Some(0);
        }
    }
}

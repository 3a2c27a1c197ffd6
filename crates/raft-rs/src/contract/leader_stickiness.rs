//! With check-quorum, a follower that has heard from a leader within the shortest election time-out
//! is bound to it: it answers no candidate of a later term, unless the leader itself has made that
//! one stand (dissertation, sections 4.2.3 and 3.10). Leases rest on it, and that leaders are not
//! deposed by those who have left. A vote that should not have been given is seldom
//! missed by anyone, so the driver looks. It counts ticks by itself.

use raft::eraftpb::{Message, MessageType};
use raft::raw_node::RawNode;
use raft::{StateRole, Storage};

/// What a transfer's candidate says in its vote requests. The library keeps the constant to itself.
pub(super) const TRANSFER: &[u8] = b"CampaignTransfer";

/// How long ago one node has heard from whom it follows.
#[derive(Debug)]
pub(super) struct Bond {
    /// The shortest election time-out, in ticks.
    election_ticks: u32,
    /// Ticks since it has heard from a leader; none in this incarnation when it has not.
    heard: Option<u32>,
}

impl Bond {
    pub(super) fn new(election_ticks: u32) -> Self {
        Self {
            election_ticks,
            heard: None,
        }
    }

    /// The node ticks.
    #[inline]
    pub(super) fn tick(&mut self) {
        self.heard = self.heard.map(|ticks| ticks.saturating_add(1));
    }

    /// Steps `message` into `raw`, which has check-quorum on. What it heard while that was off is
    /// not known.
    ///
    /// # Panics
    /// When it answers a candidate though it is bound to a leader.
    #[inline(never)]
    pub(super) fn step<S: Storage>(&mut self, raw: &mut RawNode<S>, message: Message) {
        let forbidden = self.forbids(raw, &message);
        let (kind, from, term) = (message.get_msg_type(), message.from, message.term);
        let before = raw.raft.term;
        let _ = raw.step(message);
        assert!(
            !forbidden || raw.raft.term == before,
            "with check-quorum, who has just heard from a leader answers no candidate"
        );
        let leads = matches!(
            kind,
            MessageType::MsgAppend | MessageType::MsgHeartbeat | MessageType::MsgSnapshot
        );
        if leads && term == raw.raft.term && raw.raft.leader_id == from {
            self.heard = Some(0);
        }
    }

    /// Whether `raw` must not go over to the term of `message`, which it is about to step.
    fn forbids<S: Storage>(&self, raw: &RawNode<S>, message: &Message) -> bool {
        let raft = &raw.raft;
        message.get_msg_type() == MessageType::MsgRequestVote
            && message.term > raft.term
            && raft.state == StateRole::Follower
            && raft.leader_id != raft::INVALID_ID
            && self.heard.is_some_and(|ticks| ticks < self.election_ticks)
            && *message.context != *TRANSFER
    }
}

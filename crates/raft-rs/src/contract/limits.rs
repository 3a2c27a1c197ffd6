//! How much the library may hand over, send and take at a time.

use std::collections::VecDeque;

use protobuf::Message as _;
use raft::eraftpb::{Entry, Message, MessageType};
use raft::raw_node::RawNode;
use raft::{GetEntriesContext, Raft, Storage};

use squall_core::ids::{Index, Term};
use squall_core::options::RaftOptions;

/// Bytes of entries that are handed over, or sent, at once. One entry may always go.
#[derive(Debug)]
pub(super) struct Limits {
    committed: u64,
    message: u64,
}

impl Limits {
    pub(super) fn new(options: &RaftOptions) -> Self {
        Self {
            committed: options.max_committed_size_per_ready,
            message: options.max_size_per_message,
        }
    }

    /// Whether messages come near their limit.
    pub(super) fn are_small(&self) -> bool {
        self.message < RaftOptions::default().max_size_per_message
    }

    pub(super) fn set_committed(&mut self, most: u64) {
        self.committed = most;
    }

    /// # Panics
    /// When `entries`, more than one, are more than the library may hand over.
    pub(super) fn committed(&self, entries: &[Entry]) {
        if self.committed >= RaftOptions::default().max_committed_size_per_ready {
            // Nothing comes near.
            return;
        }
        let bytes = size(entries);
        assert!(
            bytes <= self.committed,
            "at most {} bytes of committed entries are handed over at once, or one entry; these are {bytes}",
            self.committed
        );
    }

    /// # Panics
    /// When one of `messages`, which are not batched, has more than a message may have.
    pub(super) fn sent(&self, messages: &[Message]) {
        if !self.are_small() {
            return;
        }
        for message in messages {
            let entries = &message.entries;
            if entries.len() > 1 {
                let bytes = size(entries);
                assert!(
                    bytes <= self.message,
                    "a message has at most {} bytes of entries, or one entry; this one has {bytes}",
                    self.message
                );
            }
        }
    }
}

fn size(entries: &[Entry]) -> u64 {
    let sizes = entries.iter().map(|entry| u64::from(entry.compute_size()));
    sizes.sum()
}

/// A leader that batches has one append on its way out for each peer, and another only where
/// entries do not join on.
///
/// # Panics
/// When one of `new` could have gone with one that was there before it.
pub(super) fn batched(old: &[Message], new: &[Message]) {
    for (at, message) in new.iter().enumerate() {
        let is_append = |other: &&Message| {
            other.get_msg_type() == MessageType::MsgAppend && other.to == message.to
        };
        let mut earlier = old.iter().chain(&new[..at]);
        if message.get_msg_type() != MessageType::MsgAppend {
            continue;
        }
        let Some(first) = earlier.find(is_append) else {
            continue;
        };
        let joins = match (first.entries.last(), message.entries.first()) {
            (Some(last), Some(next)) => last.index + 1 == next.index,
            _ => true,
        };
        assert!(
            !joins,
            "with batching, entries go with the append to their receiver that waits to be sent"
        );
    }
}

/// What a leader has taken from its own clients and not committed, oldest first.
#[derive(Debug)]
pub(super) struct Uncommitted {
    /// None where the library counts nothing.
    most: Option<u64>,
    term: Term,
    taken: VecDeque<(Index, u64)>,
}

impl Uncommitted {
    pub(super) fn new(options: &RaftOptions) -> Self {
        Self {
            most: Some(options.max_uncommitted_size)
                .filter(|most| *most != 0 && *most != raft::NO_LIMIT),
            term: 0,
            taken: VecDeque::new(),
        }
    }

    /// `raft`, which leads, has taken a command of `bytes` as its last entry. What others passed on
    /// is not counted, so that this is less than the library counts, never more.
    ///
    /// # Panics
    /// When it should have refused that. A command is always taken where nothing else is
    /// uncommitted.
    pub(super) fn taken<S: Storage>(&mut self, raft: &Raft<S>, bytes: u64) {
        let Some(most) = self.most else {
            return;
        };
        if self.term != raft.term {
            self.term = raft.term;
            self.taken.clear();
        }
        let committed = raft.raft_log.committed;
        let is_committed = |(index, _): &(_, _)| *index <= committed;
        while self.taken.front().is_some_and(is_committed) {
            self.taken.pop_front();
        }
        let before: u64 = self.taken.iter().map(|(_, bytes)| bytes).sum();
        assert!(
            before == 0 || bytes == 0 || before + bytes <= most,
            "a leader takes at most {most} bytes of commands that are not committed; it has {before} and took {bytes} more"
        );
        self.taken.push_back((raft.raft_log.last_index(), bytes));
        let counted = raft.uncommitted_size() as u64;
        assert!(
            counted >= before + bytes,
            "{counted} bytes are said to be uncommitted of at least {}",
            before + bytes
        );
    }

    /// `raw`, which leads, has refused a command of `bytes`. What is not applied is more than what
    /// the library counts, never less.
    ///
    /// # Panics
    /// When there was room for it.
    pub(super) fn refused<S: Storage>(&self, raw: &RawNode<S>, bytes: u64) {
        let raft = &raw.raft;
        if raft.lead_transferee.is_some() || raft.prs().get(raft.id).is_none() {
            return; // It takes nothing then.
        }
        let log = &raft.raft_log;
        let context = GetEntriesContext::empty(false);
        let Ok(waiting) = log.entries(log.applied + 1, None, context) else {
            return;
        };
        let waiting: u64 = waiting.iter().map(|entry| entry.data.len() as u64).sum();
        assert!(
            self.most.is_some_and(|most| waiting + bytes > most),
            "a leader refuses a command of {bytes} bytes though only {waiting} are not applied"
        );
    }
}

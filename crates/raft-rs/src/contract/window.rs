//! How many appends with entries are on their way to each follower. Counted are those that the
//! library sends while it replicates, and until they are answered; what is not seen here makes the
//! count smaller than the library's, never larger.

use std::collections::VecDeque;

use raft::eraftpb::{Message, MessageType};
use raft::{ProgressState, Raft, Storage};

use squall_core::ids::{Index, Term};
use squall_core::options::RaftOptions;

/// The windows of one leader.
#[derive(Debug)]
pub(super) struct Window {
    /// Of a peer that is new.
    most: usize,
    /// Whether any may be filled.
    is_small: bool,
    term: Term,
    peers: Vec<Peer>,
}

#[derive(Debug)]
struct Peer {
    id: u64,
    most: usize,
    /// It was replicated to after the last input.
    replicates: bool,
    /// The last index of each append, oldest first.
    on_their_way: VecDeque<Index>,
}

impl Window {
    pub(super) fn new(options: &RaftOptions) -> Self {
        let most = options.max_inflight_messages as usize;
        Self {
            most,
            is_small: options.max_inflight_messages < RaftOptions::default().max_inflight_messages,
            term: 0,
            peers: Vec::new(),
        }
    }

    /// Whether there is any point in counting.
    pub(super) fn is_small(&self) -> bool {
        self.is_small
    }

    /// Each peer that there is gets a window of `most`.
    pub(super) fn set<S: Storage>(&mut self, raft: &Raft<S>, most: usize) {
        self.is_small = true;
        for (id, _) in raft.prs().iter() {
            self.peer(*id).most = most;
        }
    }

    /// A change that names these was carried out. Who has left is new when it comes back, in one
    /// and the same change, too.
    pub(super) fn configured<S: Storage>(&mut self, raft: &Raft<S>, named: &[u64]) {
        self.peers.retain(|peer| raft.prs().get(peer.id).is_some());
        for peer in &mut self.peers {
            if named.contains(&peer.id) {
                peer.most = peer.most.max(self.most);
            }
        }
        self.forget();
    }

    /// The library begins anew with a leader's snapshot, and all peers are new.
    pub(super) fn renew(&mut self) {
        self.peers.clear();
    }

    fn forget(&mut self) {
        for peer in &mut self.peers {
            peer.on_their_way.clear();
        }
    }

    fn peer(&mut self, id: u64) -> &mut Peer {
        let at = self.peers.iter().position(|peer| peer.id == id);
        let at = at.unwrap_or_else(|| {
            self.peers.push(Peer {
                id,
                most: self.most,
                replicates: false,
                on_their_way: VecDeque::new(),
            });
            self.peers.len() - 1
        });
        &mut self.peers[at]
    }

    /// A leader is about to be told this in its term.
    pub(super) fn answered(&mut self, answer: &Message) {
        if !self.is_small {
            return;
        }
        let sent = &mut self.peer(answer.from).on_their_way;
        match answer.get_msg_type() {
            MessageType::MsgAppendResponse if !answer.reject => {
                while sent.front().is_some_and(|last| *last <= answer.index) {
                    sent.pop_front();
                }
            }
            // Then a full window opens by one, for the oldest may be lost.
            MessageType::MsgHeartbeatResponse => drop(sent.pop_front()),
            _ => {}
        }
    }

    /// `raft`, which leads in `term`, has sent these.
    ///
    /// # Panics
    /// When more is on its way to one of them than there may be.
    pub(super) fn sent<S: Storage>(&mut self, raft: &Raft<S>, term: Term, messages: &[Message]) {
        if !self.is_small {
            return;
        }
        if self.term != term {
            self.term = term;
            self.forget();
        }
        for (id, progress) in raft.prs().iter() {
            let peer = self.peer(*id);
            let replicates = progress.state == ProgressState::Replicate;
            // What went out before is not in the window that has been opened since.
            if !replicates || !peer.replicates {
                peer.on_their_way.clear();
            }
            peer.replicates = replicates;
        }
        for message in messages {
            let Some(last) = message.entries.last().map(|entry| entry.index) else {
                continue;
            };
            let peer = self.peer(message.to);
            if message.get_msg_type() == MessageType::MsgAppend && peer.replicates {
                assert!(
                    peer.on_their_way.len() < peer.most,
                    "at most {} appends are on their way to a follower",
                    peer.most
                );
                peer.on_their_way.push_back(last);
            }
        }
    }
}

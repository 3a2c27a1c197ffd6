//! What a server tells of itself, for whoever checks it: [`Probe`] is who listens, and [`Teller`]
//! finds out what there is to tell. In production nobody listens, and the compiler drops the calls.

use raft::eraftpb::{Entry, HardState, Message};
use raft::{RawNode, StateRole};

use crate::state::State;
use crate::store::Store;

/// What a server starts with.
#[derive(Clone, Debug)]
pub struct Started {
    /// The term on its disk.
    pub term: u64,
    /// Its vote in that term; 0 for none.
    pub vote: u64,
    /// The index and the term that its log begins after.
    pub log_start: (u64, u64),
    /// The entries in its log.
    pub entries: Vec<Entry>,
    /// The index of its snapshot, to which its state machine has applied the log; 0 for none.
    pub snapshot: u64,
    /// The term of the entry at that index.
    pub snapshot_term: u64,
    /// How far it knows the log to be committed.
    pub commit: u64,
    /// A hash of its state machine.
    pub state: u64,
}

/// Whoever listens. Each call comes as soon as the thing has happened, in the order in which things
/// happen.
pub trait Probe: Clone + Send + Sync + 'static {
    /// Whether anybody does. Work that is done for the probe alone is done then only.
    const LISTENS: bool;

    /// The server has read its disk.
    fn started(&self, started: Started);
    /// It has this role in this term from now on.
    fn role(&self, role: StateRole, term: u64);
    /// It has written this term and vote; 0 for no vote. Not durable yet.
    fn voted(&self, term: u64, vote: u64);
    /// It has written an entry, in place of whatever was there and behind. Not durable yet.
    fn appended(&self, entry: &Entry);
    /// All that it has written to its log is durable.
    fn synced(&self);
    /// It sends this message to another server.
    fn sent(&self, message: &Message);
    /// It knows the log to be committed up to here.
    fn committed(&self, index: u64);
    /// It has applied the entry at this index; `state` is a hash of its state machine after it.
    fn applied(&self, index: u64, state: u64);
    /// A snapshot of its own is durable, and its log begins after `start` (index and term) now.
    fn compacted(&self, index: u64, term: u64, start: (u64, u64));
    /// A leader's snapshot is durable, has taken the place of its log, and is its state machine
    /// now.
    fn installed(&self, index: u64, term: u64, state: u64);
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Probe for Nobody {
    const LISTENS: bool = false;

    fn started(&self, _: Started) {}
    fn role(&self, _: StateRole, _: u64) {}
    fn voted(&self, _: u64, _: u64) {}
    fn appended(&self, _: &Entry) {}
    fn synced(&self) {}
    fn sent(&self, _: &Message) {}
    fn committed(&self, _: u64) {}
    fn applied(&self, _: u64, _: u64) {}
    fn compacted(&self, _: u64, _: u64, _: (u64, u64)) {}
    fn installed(&self, _: u64, _: u64, _: u64) {}
}

/// Tells a probe what changes in a server, and nothing twice.
#[derive(Debug)]
pub struct Teller<P> {
    probe: P,
    role: (StateRole, u64),
    vote: (u64, u64),
    commit: u64,
}

impl<P: Probe> Teller<P> {
    /// The server has read its disk and made this of it.
    pub fn started(probe: P, raw: &RawNode<Store>, state: &State) -> Self {
        let (log, snapshot) = (&raw.store().log, &raw.store().snapshot);
        if P::LISTENS {
            probe.started(Started {
                term: log.hard.term,
                vote: log.hard.vote,
                log_start: log.start,
                entries: log.entries.clone(),
                snapshot: snapshot.get_metadata().index,
                snapshot_term: snapshot.get_metadata().term,
                commit: log.hard.commit,
                state: state.hash(),
            });
        }
        Self {
            probe,
            role: (StateRole::Follower, log.hard.term),
            vote: (log.hard.term, log.hard.vote),
            commit: log.hard.commit,
        }
    }

    /// It is about to write these entries and this hard state. Who no longer leads says so before,
    /// for only then may it write over entries; who leads from now on, after.
    pub fn writes(&mut self, raw: &RawNode<Store>, entries: &[Entry], hard: Option<&HardState>) {
        if raw.raft.state != StateRole::Leader {
            self.role(raw);
        }
        if let Some(hard) = hard
            && self.vote != (hard.term, hard.vote)
        {
            self.vote = (hard.term, hard.vote);
            self.probe.voted(hard.term, hard.vote);
        }
        entries.iter().for_each(|entry| self.probe.appended(entry));
        self.role(raw);
        self.commit(raw);
    }

    fn role(&mut self, raw: &RawNode<Store>) {
        let role = (raw.raft.state, raw.raft.term);
        if self.role != role {
            self.role = role;
            self.probe.role(role.0, role.1);
        }
    }

    /// It may know more to be committed.
    pub fn commit(&mut self, raw: &RawNode<Store>) {
        let commit = raw.raft.raft_log.committed;
        if commit > self.commit {
            self.commit = commit;
            self.probe.committed(commit);
        }
    }

    /// All that it has written is durable.
    pub fn synced(&self) {
        self.probe.synced();
    }

    /// It sends a message.
    pub fn sends(&self, message: &Message) {
        self.probe.sent(message);
    }

    /// It has applied the entry at this index.
    pub fn applied(&self, index: u64, state: &State) {
        if P::LISTENS {
            self.probe.applied(index, state.hash());
        }
    }

    /// Its own newest snapshot is durable, and a log that begins anew.
    pub fn compacted(&self, store: &Store) {
        let meta = store.snapshot.get_metadata();
        self.probe.compacted(meta.index, meta.term, store.log.start);
    }

    /// A leader's snapshot is durable, and is its state now.
    pub fn installed(&mut self, store: &Store, state: &State) {
        let meta = store.snapshot.get_metadata();
        self.commit = self.commit.max(meta.index);
        if P::LISTENS {
            self.probe.installed(meta.index, meta.term, state.hash());
        }
    }
}

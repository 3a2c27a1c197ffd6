//! `RawNode` for a server on raft-rs: a `use` line puts it in place of the library's, and it
//! reports to the probe by itself. The server says what only the server knows: that it has synced,
//! and what it has applied.
//!
//! It also replaces the election time-outs that raft 0.7.0 draws, which no seed controls, by the
//! run's own.

use std::hash::{Hash, Hasher as _};
use std::ops::{Deref, DerefMut};

use raft::eraftpb::{Entry, HardState, Message, Snapshot};
use raft::{Config, GetEntriesContext, LightReady, RawNode as Library, Ready, StateRole, Storage};
use rustc_hash::FxHasher;

use super::{Incarnation, Probe, Started};
use squall_core::ids::Role;
use squall_core::replica::Label;
use squall_raft_rs::{entry, label, written_hard_state};
use squall_world::rng::Choices;

/// A `RawNode` that reports for one incarnation of a node, the one that it is made in. Numbers of
/// nodes are those of raft-rs.
///
/// The loop around it is the usual one: send the messages of a `Ready`, write its entries and its
/// hard state, sync, send the messages that wait for that, advance.
pub struct RawNode<S: Storage> {
    raw: Library<S>,
    teller: Teller,
}

struct Teller {
    probe: Probe,
    /// The role and the term that it has reported.
    role: (StateRole, u64),
    /// The term and the vote.
    vote: (u64, u64),
    commit: u64,
    /// Messages that wait until what was written is durable.
    waiting: Vec<Label>,
    choices: Choices,
    timeout: Option<usize>,
    /// The role and the term that the time-out was drawn in.
    drawn_in: (StateRole, u64),
}

impl<S: Storage> Deref for RawNode<S> {
    type Target = Library<S>;

    fn deref(&self) -> &Library<S> {
        &self.raw
    }
}

impl<S: Storage> DerefMut for RawNode<S> {
    fn deref_mut(&mut self) -> &mut Library<S> {
        &mut self.raw
    }
}

impl<S: Storage> RawNode<S> {
    /// A server that has read its disk, whose state machine is as it was at the very start: it
    /// applies its log anew.
    ///
    /// # Errors
    /// The library's.
    ///
    /// # Panics
    /// Outside of an incarnation of a server under the storm, and when the storage does not have
    /// what it says it has.
    pub fn new(config: &Config, store: S, logger: &slog::Logger) -> raft::Result<Self> {
        let raw = Library::new(config, store, logger)?;
        Ok(Self::telling(raw, 0))
    }

    /// A server that has read its disk, whose state machine is that of its snapshot.
    ///
    /// # Errors
    /// The library's.
    ///
    /// # Panics
    /// As [`RawNode::new`].
    pub fn with_state(
        config: &Config,
        store: S,
        logger: &slog::Logger,
        state: &impl Hash,
    ) -> raft::Result<Self> {
        let raw = Library::new(config, store, logger)?;
        Ok(Self::telling(raw, hash(state)))
    }

    fn telling(raw: Library<S>, state: u64) -> Self {
        let teller = Teller::started(&Incarnation::current(), &raw, state);
        Self { raw, teller }
    }

    /// As the library's, after the run's own time-out.
    pub fn tick(&mut self) -> bool {
        let Self { raw, teller } = self;
        let now = (raw.raft.state, raw.raft.term);
        if now != teller.drawn_in || raw.raft.election_elapsed == 0 {
            teller.drawn_in = now;
            teller.timeout = None;
        }
        let least = raw.raft.election_timeout() as u64;
        let drawn = || teller.choices.between(least, 2 * least - 1) as usize;
        let timeout = *teller.timeout.get_or_insert_with(drawn);
        raw.raft.set_randomized_election_timeout(timeout);
        raw.tick()
    }

    /// As the library's. What is in it is reported as about to be sent and written; a snapshot is
    /// reported by [`RawNode::installed`].
    pub fn ready(&mut self) -> Ready {
        let ready = self.raw.ready();
        self.teller.ready(&self.raw, &ready);
        ready
    }

    /// All that was written is durable. What waited for that is reported as sent.
    pub fn synced(&mut self) {
        // Nothing is written while a sync is under way.
        self.teller.probe.synced(self.teller.probe.sync_begins());
        self.teller.send_waiting();
    }

    /// As the library's. Messages that wait for a sync that never came are reported as sent now.
    pub fn advance(&mut self, ready: Ready) -> LightReady {
        self.teller.send_waiting();
        let light = self.raw.advance(ready);
        self.teller.commit(&self.raw);
        self.teller.send(light.messages());
        light
    }

    /// The server has applied the entry at this index; `state` is its state machine then.
    pub fn applied(&self, index: u64, state: &impl Hash) {
        self.teller.probe.applied(index, hash(state));
    }

    /// A leader's snapshot is durable, with the `Ready` that it came in, and is the server's state
    /// machine now.
    pub fn installed(&mut self, snapshot: &Snapshot, ready: &Ready, state: &impl Hash) {
        let meta = snapshot.get_metadata();
        let teller = &mut self.teller;
        teller.commit = teller.commit.max(meta.index);
        let place = (meta.index, meta.term);
        teller.probe.installed(place, hash(state));
        teller.writes(ready.hs(), ready.entries());
        self.synced();
    }

    /// A snapshot of the server's own at this index and term is durable, and so is a log that
    /// begins after `log_start`.
    pub fn compacted(&self, snapshot: (u64, u64), log_start: u64) {
        self.teller.probe.compacted(snapshot, log_start);
    }
}

impl Teller {
    fn started<S: Storage>(incarnation: &Incarnation, raw: &Library<S>, state: u64) -> Self {
        let kept = "a storage has what it says that it has";
        let hard = raw.store().initial_state().expect(kept).hard_state;
        let first = raw.store().first_index().expect(kept);
        let last = raw.store().last_index().expect(kept);
        let context = GetEntriesContext::empty(false);
        let entries = match first <= last {
            true => raw.store().entries(first, last + 1, None, context),
            false => Ok(Vec::new()),
        };
        let snapshot = match first - 1 {
            0 => (0, 0),
            index => (index, raw.store().term(index).expect(kept)),
        };
        incarnation.probe.started(&Started {
            term: hard.term,
            vote: written_hard_state(&hard).vote,
            log_start: first - 1,
            entries: entries.expect(kept).iter().map(entry).collect(),
            snapshot,
            commit: hard.commit,
            state,
        });
        Self {
            probe: incarnation.probe.clone(),
            role: (StateRole::Follower, hard.term),
            vote: (hard.term, hard.vote),
            commit: hard.commit,
            waiting: Vec::new(),
            choices: Choices::labelled(incarnation.seed, "election time-outs", 0),
            timeout: None,
            drawn_in: (StateRole::Follower, 0),
        }
    }

    fn ready<S: Storage>(&mut self, raw: &Library<S>, ready: &Ready) {
        self.send(ready.messages());
        // Who no longer leads says so before it writes, for only then may it write over entries;
        // who leads from now on, after.
        if raw.raft.state != StateRole::Leader {
            self.role(raw);
        }
        if ready.snapshot().is_empty() {
            self.writes(ready.hs(), ready.entries());
        }
        self.role(raw);
        // With a leader's snapshot the library takes for committed what is not written yet:
        // `installed` tells of that.
        if ready.snapshot().is_empty() {
            self.commit(raw);
        }
        self.waiting = ready.persisted_messages().iter().map(label).collect();
    }

    fn send(&self, messages: &[Message]) {
        messages
            .iter()
            .for_each(|message| self.probe.sent(&label(message)));
    }

    fn send_waiting(&mut self) {
        for label in std::mem::take(&mut self.waiting) {
            self.probe.sent(&label);
        }
    }

    fn writes(&mut self, hard: Option<&HardState>, entries: &[Entry]) {
        if let Some(hard) = hard
            && self.vote != (hard.term, hard.vote)
        {
            self.vote = (hard.term, hard.vote);
            self.probe.voted(hard.term, written_hard_state(hard).vote);
        }
        for it in entries {
            self.probe.appended(it.index, &entry(it));
        }
    }

    fn role<S: Storage>(&mut self, raw: &Library<S>) {
        let role = (raw.raft.state, raw.raft.term);
        if self.role != role {
            self.role = role;
            let role = match role.0 {
                StateRole::Follower => Role::Follower,
                StateRole::PreCandidate => Role::PreCandidate,
                StateRole::Candidate => Role::Candidate,
                StateRole::Leader => Role::Leader,
            };
            self.probe.role(role, raw.raft.term);
        }
    }

    fn commit<S: Storage>(&mut self, raw: &Library<S>) {
        let commit = raw.raft.raft_log.committed;
        if commit > self.commit {
            self.commit = commit;
            self.probe.committed(commit);
        }
    }
}

fn hash(state: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    state.hash(&mut hasher);
    hasher.finish()
}

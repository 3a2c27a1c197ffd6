//! What drivers around raft 0.7.0 have in common, for those that are to be put under the
//! storm: the library's types in the harness's terms and back, recovery, election
//! time-outs that a seed decides, and its log. See `examples/bring_your_own.rs`.

use raft::eraftpb::{Entry, EntryType, HardState, Message};
use raft::raw_node::Ready;
use raft::storage::MemStorage;
use raft::{Config, Raft, RawNode, ReadOnlyOption, StateRole, Storage};

use super::messages;
use squall_core::ids::{Index, NodeId, Term};
use squall_core::replica::{BootContext, BrokenPromise, Observation, Output, Start};
use squall_core::storage::{EntryKind, Record, StableState};

pub use super::log::logger;
pub use super::messages::{
    conf_state, configuration, describe, entry, label, node, role, snapshot, written_hard_state,
};
pub use super::timeouts::Timeouts;

/// The library's configuration for a node's settings.
pub fn config(boot: &BootContext<'_>, start: &Start) -> Config {
    let (id, options) = (boot.id, boot.raft);
    Config {
        id: id.0.into(),
        election_tick: options.election_ticks as usize,
        heartbeat_tick: options.heartbeat_ticks as usize,
        applied: start.state.snapshot_index(),
        max_size_per_msg: options.max_size_per_message,
        max_inflight_msgs: options.max_inflight_messages as usize,
        check_quorum: options.check_quorum,
        pre_vote: options.pre_vote,
        skip_bcast_commit: options.skip_broadcast_commit,
        batch_append: options.batch_append,
        priority: options.priorities.get(id.position()).copied().unwrap_or(0),
        max_committed_size_per_ready: options.max_committed_size_per_ready,
        read_only_option: match options.lease_reads {
            true => ReadOnlyOption::LeaseBased,
            false => ReadOnlyOption::Safe,
        },
        max_uncommitted_size: match options.max_uncommitted_size {
            0 => raft::NO_LIMIT,
            limit => limit,
        },
        ..Config::default()
    }
}

/// The hard state that a disk kept, as the library reads it.
pub fn hard_state(state: &StableState) -> HardState {
    HardState {
        term: state.hard.term,
        vote: state.hard.vote.map_or(0, |id| id.0.into()),
        commit: state.commit,
        ..HardState::default()
    }
}

/// The entries that a disk kept, as the library reads them.
pub fn entries(state: &StableState) -> impl Iterator<Item = Entry> {
    state.log.iter().map(|(index, entry)| {
        let mut restored = Entry {
            index,
            term: entry.term,
            data: messages::library_data(entry.data.clone()),
            ..Entry::default()
        };
        restored.set_entry_type(match entry.kind {
            EntryKind::Normal => EntryType::EntryNormal,
            EntryKind::Configuration(1) => EntryType::EntryConfChange,
            EntryKind::Configuration(_) => EntryType::EntryConfChangeV2,
        });
        restored
    })
}

/// The library's own storage, with what a disk kept.
///
/// # Panics
/// When there are entries that do not join on to the snapshot: recovery sees to that.
pub fn mem_storage(start: &Start) -> MemStorage {
    let storage = MemStorage::new_with_conf_state(conf_state(&start.configuration));
    let mut core = storage.wl();
    if let Some(kept) = &start.state.snapshot {
        core.apply_snapshot(messages::snapshot(kept))
            .expect("newer than nothing");
    }
    let entries: Vec<Entry> = entries(&start.state).collect();
    core.append(&entries).expect("they join on");
    core.set_hardstate(hard_state(&start.state));
    drop(core);
    storage
}

/// Writes the hard state and the entries of `ready`, term and vote first and the commit index last,
/// and puts them into the library's own storage as well.
///
/// # Panics
/// When entries do not join on, which the library never asks for.
pub fn write(ready: &Ready, storage: &MemStorage, out: &mut Output<Message>) {
    let mut core = storage.wl();
    if let Some(hard) = ready.hs() {
        out.write(Record::HardState(written_hard_state(hard)));
    }
    for one in ready.entries() {
        out.write(Record::Entry {
            index: one.index,
            entry: entry(one),
        });
    }
    if let Some(hard) = ready.hs() {
        out.write(Record::Commit { index: hard.commit });
        core.set_hardstate(hard.clone());
    }
    core.append(ready.entries()).expect("they join on");
}

/// Whom `raw` takes for the leader.
pub fn leader<S: Storage>(raw: &RawNode<S>) -> Option<NodeId> {
    let id = raw.raft.leader_id;
    (id != raft::INVALID_ID).then(|| node(id))
}

/// What a node has reported last.
#[derive(Clone, Copy, Debug)]
pub struct Reported {
    role: StateRole,
    term: Term,
    transferee: Option<u64>,
    commit: Index,
}

impl Reported {
    /// What it starts with, which [`squall_core::replica::Recovered::recover`] has reported.
    pub fn new<S: Storage>(raw: &RawNode<S>) -> Self {
        Self {
            role: raw.raft.state,
            term: raw.raft.term,
            transferee: None,
            commit: raw.raft.raft_log.committed,
        }
    }

    /// Reports role, term and leadership transfer where they are new: to be called after every call
    /// of the library. Whether they were.
    #[inline(always)]
    pub fn role<S: Storage>(&mut self, raw: &RawNode<S>, out: &mut Output<Message>) -> bool {
        let raft = &raw.raft;
        if (raft.state, raft.term) != (self.role, self.term)
            || raft.lead_transferee != self.transferee
        {
            self.promises(raft, out);
            self.new_role(raft.state, raft.term, raft.lead_transferee, out);
            return true;
        }
        false
    }

    /// raft-rs promises beyond Raft that only voters stand (`Raft::promotable`), on a time-out,
    /// when told to by a leader, when asked to and after a snapshot; and it hands leadership to
    /// voters alone. It alone knows who votes by the configuration that it decides by.
    #[cold]
    #[inline(never)]
    fn promises<S: Storage>(&self, raft: &Raft<S>, out: &mut Output<Message>) {
        let votes = |id: u64| raft.prs().conf().voters().contains(id);
        let stands = self.role == StateRole::Follower && raft.state != StateRole::Follower;
        if stands && !votes(raft.id) {
            out.observe(Observation::Broke(BrokenPromise::StoodWithoutVote {
                role: role(raft.state),
                term: raft.term,
            }));
        }
        let handed = raft
            .lead_transferee
            .filter(|_| raft.lead_transferee != self.transferee);
        if let Some(to) = handed.filter(|to| !votes(*to)) {
            out.observe(Observation::Broke(BrokenPromise::HandedOverToNoVoter {
                to: node(to),
                term: raft.term,
            }));
        }
    }

    #[cold]
    #[inline(never)]
    fn new_role(
        &mut self,
        state: StateRole,
        term: Term,
        transferee: Option<u64>,
        out: &mut Output<Message>,
    ) {
        if transferee != self.transferee {
            self.transferee = transferee;
            let to = transferee.map(node);
            out.observe(Observation::Transfer { to });
        }
        if (state, term) == (self.role, self.term) {
            return;
        }
        (self.role, self.term) = (state, term);
        out.observe(Observation::Role {
            role: role(state),
            term,
        });
    }

    /// Reports all of it.
    pub fn report<S: Storage>(&mut self, raw: &RawNode<S>, out: &mut Output<Message>) {
        self.role(raw, out);
        self.commit(raw, out);
    }

    /// Reports the commit index where it is new: to be called when what it speaks of is written.
    #[inline]
    pub fn commit<S: Storage>(&mut self, raw: &RawNode<S>, out: &mut Output<Message>) {
        let index = raw.raft.raft_log.committed;
        if index != self.commit {
            self.commit = index;
            out.observe(Observation::Committed { index });
        }
    }
}

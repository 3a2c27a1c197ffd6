//! The subject `raft-rs`: tikv's `raft` 0.7.0, unmodified, behind an honest
//! driver. Only this folder names the library.

mod apply;
mod driver;
mod log;
mod messages;
mod operate;
mod reads;
mod store;
mod tamper;
mod timeouts;

use std::cell::{Cell, RefCell};

use raft::eraftpb::{Entry, EntryType, HardState};
use raft::raw_node::RawNode;
use raft::{Config, ReadOnlyOption};

use crate::configuration::Configuration;
use crate::indexed::Indexed;
use crate::options::{DriverOptions, RaftOptions};
use crate::replica::{Birth, BootError, Observation, Output, Recovered, Subject};
use crate::stable::{EntryKind, Record, StableState};
use crate::types::NodeId;

pub use driver::RaftRsNode;
pub use raft::eraftpb::Message;

use store::Store;

/// tikv's `raft` 0.7.0.
#[derive(Clone, Copy, Debug, Default)]
pub struct RaftRs;

impl Subject for RaftRs {
    type Replica = RaftRsNode;

    fn boot(
        &self,
        birth: &Birth<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<RaftRsNode, BootError> {
        if let Some(journal) = disk.rotten.first() {
            return Err(BootError::Corrupt(*journal));
        }
        let mut state = disk.state;
        let on_disk = state.hard;
        if let Some(reset) = state.mend() {
            out.write(reset);
        }
        let hard = state.hard;
        let snapshot_index = state.snapshot_index();
        let mut service = birth.service.clone();
        let mut configuration = birth.configuration;
        if let Some(snapshot) = &state.snapshot {
            let whole = service.restore(&snapshot.data);
            assert!(whole, "a snapshot is whole or not there");
            configuration = snapshot.configuration;
        }
        out.observe(Observation::Started {
            term: hard.term,
            vote: hard.vote,
            last: state.log.last().max(snapshot_index),
            commit: state.commit,
            applied: snapshot_index,
            state: service.state(),
            configuration,
        });
        let config = config(birth.id, birth.raft, snapshot_index);
        let logger = log::logger(birth.log.clone());
        let store = store(state, &configuration, birth.driver);
        let raw =
            RawNode::new(&config, store, &logger).expect("a validated plan makes a valid Config");
        let mut node = RaftRsNode::new(birth, raw, service);
        if birth.raft.group_commit {
            node.raw.raft.enable_group_commit(true);
            node.assign_groups();
        }
        // A term raised by recovery must be durable before a message carries it.
        if (hard.term, hard.vote) != (on_disk.term, on_disk.vote) {
            out.write(Record::HardState(hard));
            node.sync_before_anything(out);
        }
        Ok(node)
    }
}

fn config(id: NodeId, options: &RaftOptions, applied: u64) -> Config {
    Config {
        id: id.0.into(),
        election_tick: options.election_ticks as usize,
        heartbeat_tick: options.heartbeat_ticks as usize,
        applied,
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

fn store(state: StableState, configuration: &Configuration, driver: &DriverOptions) -> Store {
    let mut hard = HardState::default();
    hard.term = state.hard.term;
    hard.vote = state.hard.vote.map_or(0, |id| id.0.into());
    hard.commit = state.commit;
    let mut log = Indexed::starting_at(state.log.first());
    for (index, entry) in state.log.iter() {
        let mut restored = Entry {
            index,
            term: entry.term,
            data: entry.data.clone(),
            ..Entry::default()
        };
        restored.set_entry_type(match entry.kind {
            EntryKind::Normal => EntryType::EntryNormal,
            EntryKind::Configuration(1) => EntryType::EntryConfChange,
            EntryKind::Configuration(_) => EntryType::EntryConfChangeV2,
        });
        log.push(restored);
    }
    let snapshot = state.snapshot.as_ref().map(messages::snapshot);
    Store {
        hard,
        conf: messages::conf_state(configuration),
        term_before: state.term_before_log,
        log,
        snapshot: snapshot.unwrap_or_default(),
        wanted: Cell::new(false),
        fetches: driver.fetch_us > 0,
        asked: RefCell::default(),
    }
}

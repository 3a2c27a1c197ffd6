//! The subject `raft-rs`: tikv's `raft` 0.7.0, unmodified, behind an honest
//! driver. Only this crate, and what `squall-madsim` has for servers, name the library.

mod apply;
mod codec;
mod contract;
mod driver;
pub mod kit;
mod known_issues;
mod log;
mod message_mutation;
mod messages;
mod operator_requests;
mod reads;
mod schedule;
mod store;
mod timeouts;

use std::cell::{Cell, RefCell};

use raft::raw_node::RawNode;

use squall_core::configuration::Configuration;
use squall_core::log_vec::Indexed;
use squall_core::options::{DriverOptions, Feature};
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::registry::{RegisteredSubject, with_bugs};
use squall_core::replica::{BootContext, BootError, Next, Output, Recovered, Subject};
use squall_core::storage::StableState;

pub use driver::RaftRsNode;
pub use messages::{entry, label, node, written_hard_state};
pub use raft::eraftpb::Message;

use store::Store;

/// tikv's `raft` 0.7.0.
#[derive(Clone, Copy, Debug, Default)]
pub struct RaftRs;

/// The subject `raft-rs`, then it with each injected bug.
pub fn subjects() -> Vec<RegisteredSubject> {
    let about = "tikv's raft 0.7.0, unmodified, behind an honest driver";
    with_bugs("raft-rs", about, RaftRs)
}

impl Subject for RaftRs {
    type Replica = RaftRsNode;

    fn supports(&self) -> &'static [Feature] {
        Feature::ALL
    }

    fn options(&self) -> &'static [DriverOption] {
        known_issues::OPTIONS
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        known_issues::ISSUES
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<RaftRsNode, BootError> {
        let start = disk.recover(boot, out)?;
        let config = kit::config(boot, &start);
        let logger = kit::logger(boot);
        let store = store(start.state, &start.configuration, boot.driver);
        let raw =
            RawNode::new(&config, store, &logger).expect("a validated plan makes a valid Config");
        let mut node = RaftRsNode::new(boot, raw, start.service);
        if boot.raft.group_commit {
            node.raw.raft.enable_group_commit(true);
            node.assign_groups();
        }
        if start.next == Next::WaitForSync {
            node.sync_before_anything(out);
        }
        Ok(node)
    }
}

fn store(state: StableState, configuration: &Configuration, driver: &DriverOptions) -> Store {
    let mut log = Indexed::starting_at(state.log.first());
    for entry in kit::entries(&state) {
        log.push(entry);
    }
    let snapshot = state.snapshot.as_ref().map(messages::snapshot);
    Store {
        hard: kit::hard_state(&state),
        conf: messages::conf_state(configuration),
        term_before: state.term_before_log,
        log,
        snapshot: snapshot.unwrap_or_default(),
        wanted: Cell::new(false),
        fetches: driver.fetch_us > 0,
        asked: RefCell::default(),
    }
}

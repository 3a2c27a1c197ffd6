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
mod read_back;
mod reads;
mod reproduction;
mod schedule;
pub mod storage;
mod store;
mod timeouts;

use squall_core::options::Feature;
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::registry::{RegisteredSubject, with_bugs};
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};

pub use driver::{RaftNode, RaftRsNode};
pub use messages::{entry, label, node, written_hard_state};
pub use raft::eraftpb::Message;

use storage::{LogStorage, WithStorage};

/// tikv's `raft` 0.7.0.
#[derive(Clone, Copy, Debug, Default)]
pub struct RaftRs;

/// The subject `raft-rs`, then it with each injected bug.
pub fn subjects() -> Vec<RegisteredSubject> {
    let about = "tikv's raft 0.7.0, unmodified, behind an honest driver";
    let mut subjects = with_bugs("raft-rs", about, RaftRs);
    let honest = subjects
        .remove(0)
        .with_reproducer(&reproduction::Reproductions);
    subjects.insert(0, honest);
    subjects
}

/// tikv's `raft` 0.7.0 behind the driver of [`RaftRs`], on a storage of your own. It has the
/// features, options and known issues of [`RaftRs`]; entries are fetched in the background where
/// the storage declares that it does so ([`LogStorage::FETCHES`]).
///
/// It goes wherever a subject does: `squall::check(with_storage::<MyStorage>())`, or
/// `RegisteredSubject::new("my-storage", "my storage", with_storage::<MyStorage>())` for
/// `squall::cli::main`.
pub fn with_storage<S: LogStorage>() -> WithStorage<S> {
    WithStorage::NEW
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
        RaftRsNode::boot(boot, disk, out)
    }
}

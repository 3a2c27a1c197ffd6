//! What a subject does not have is left out of its plans.

use super::{Cluster, Fault, Plan};
use crate::options::{DriverOptions, Feature, Persistence, RaftOptions};

impl Plan {
    /// The first feature that the plan asks for and that is none of `supports`.
    pub fn asks_for_more_than(&self, supports: &[Feature]) -> Option<Feature> {
        let missing = Feature::missing_from(supports).find(|feature| self.asks_for(*feature));
        missing.or_else(|| self.lacks_a_way_to_change(supports))
    }

    /// A fault that changes the configuration in whichever way there is, where there is none.
    fn lacks_a_way_to_change(&self, supports: &[Feature]) -> Option<Feature> {
        let cannot = |fault: &Fault| !fault.what.kind().is_supported(supports);
        let lacks = self.faults.iter().any(cannot);
        lacks.then_some(Feature::SimpleChange)
    }

    fn asks_for(&self, feature: Feature) -> bool {
        let mut without = self.clone();
        let Self {
            cluster,
            raft,
            driver,
            ..
        } = &mut without;
        // Snapshots are due now and then in any plan that does not keep them from being so.
        if feature != Feature::Snapshots {
            leave_out([feature], cluster, raft, driver);
        }
        let by_fault = self
            .faults
            .iter()
            .any(|fault| fault.what.asks_for(feature, self));
        by_fault || without != *self
    }
}

/// Sets options that ask for these features to their plain values.
pub fn leave_out(
    features: impl IntoIterator<Item = Feature>,
    cluster: &mut Cluster,
    raft: &mut RaftOptions,
    driver: &mut DriverOptions,
) {
    let plain = RaftOptions::default();
    let plain_driver = DriverOptions::default();
    for feature in features {
        match feature {
            Feature::AsynchronousPersistence => driver.persistence = Persistence::Synchronous,
            Feature::PreVote => raft.pre_vote = false,
            Feature::CheckQuorum => raft.check_quorum = false,
            Feature::Priorities => raft.priorities.clear(),
            Feature::FlowControl => {
                raft.max_inflight_messages = plain.max_inflight_messages;
                raft.max_committed_size_per_ready = plain.max_committed_size_per_ready;
            }
            Feature::MessageSize => raft.max_size_per_message = plain.max_size_per_message,
            Feature::Batching => {
                raft.batch_append = false;
                raft.skip_broadcast_commit = false;
            }
            Feature::UncommittedLimit => raft.max_uncommitted_size = 0,
            Feature::GroupCommit => raft.group_commit = false,
            Feature::AsynchronousFetch => driver.fetch_us = 0,
            Feature::LeaseReads => raft.lease_reads = false,
            Feature::ReadIndex => driver.read_context = plain_driver.read_context,
            Feature::Learners => {
                cluster.spares += cluster.learners;
                cluster.learners = 0;
            }
            Feature::LaterFirstTerm => {
                cluster.first_term = 0;
                cluster.first_index = 0;
            }
            // They are due when the log has grown by more than a run can write.
            Feature::Snapshots => {
                driver.snapshot_every_bytes = u64::MAX;
                cluster.first_index = 0;
            }
            Feature::SimpleChange
            | Feature::JointChange
            | Feature::ExplicitLeave
            | Feature::Demotion
            | Feature::Forwarding
            | Feature::Transfer
            | Feature::Campaign
            | Feature::RequestSnapshot
            | Feature::Settings
            // What the library makes of asynchronous persistence: no plan asks for it.
            | Feature::CommitBeforeLeaderDisk => {}
        }
    }
    // Leases need a leader that steps down when it hears from no quorum.
    raft.lease_reads &= raft.check_quorum;
}

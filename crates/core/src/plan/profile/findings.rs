//! Knobs for what is known to make the library under test fail: each takes the trigger of one
//! finding out of plans, and no more than the trigger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::options::{DriverOptions, Persistence, RaftOptions};
use crate::plan::{Cluster, Plan};

/// Knobs for the triggers of known defects of the library under test. Off, the
/// generator leaves the trigger out, so that a sweep shows what is new; on, it
/// may draw it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Findings {
    /// `batch_append` in a driver that steps several inputs before it handles the output.
    pub batch_append_with_batched_inputs: bool,
    /// `pre_vote` with unequal priorities in a cluster that starts at term 0.
    pub pre_vote_with_priorities_at_term_zero: bool,
    /// Unequal priorities where only a bare majority is left.
    pub priorities_with_bare_quorum: bool,
    /// A received snapshot is installed in the background while the library ticks on.
    pub background_snapshot_install: bool,
    /// A single voter beside nodes that learn or have yet to join.
    pub lone_voter_with_peers: bool,
    /// A leader that is removed, or made a learner, goes on as one.
    pub removed_leader_runs_on: bool,
    /// A change may leave one voter, with entries on their way to its disk.
    pub sole_voter_with_unsaved_entries: bool,
    /// Check-quorum is on at some nodes and off at others for good.
    pub mixed_check_quorum: bool,
    /// Reads by lease where a leader may lose touch with its followers.
    pub lease_reads_of_a_cut_off_leader: bool,
    /// Knobs of issues that subjects declare, as older profiles have them here: see
    /// [`Profile::known_issues`](super::Profile::known_issues), into which they go.
    #[serde(flatten)]
    pub(super) declared: BTreeMap<String, bool>,
}

impl Findings {
    /// Takes the triggers that are off out of a plan's settings.
    pub fn leave_out(
        &self,
        cluster: &mut Cluster,
        raft: &mut RaftOptions,
        driver: &mut DriverOptions,
    ) {
        if raft.batch_append && !self.batch_append_with_batched_inputs {
            driver.inputs_per_ready = 1;
        }
        let ranked = raft.pre_vote && !raft.priorities.is_empty();
        if ranked && !self.pre_vote_with_priorities_at_term_zero {
            cluster.first_term = cluster.first_term.max(1);
        }
        if cluster.voters == 1 && !self.lone_voter_with_peers {
            // It tells its peers of a term when that is durable.
            driver.send_after_sync = true;
        }
        driver.applied_when_installed =
            driver.snapshot_install_us > 0 && self.background_snapshot_install;
    }

    /// How many voters may be removed or demoted in a run.
    pub fn removals(&self, plan: &Plan) -> usize {
        let driver = &plan.driver;
        let saves_first =
            driver.persistence == Persistence::Synchronous && driver.inputs_per_ready == 1;
        let may_stand = saves_first || self.sole_voter_with_unsaved_entries;
        let may_tell = driver.send_after_sync || self.lone_voter_with_peers;
        match may_stand && may_tell {
            true => usize::MAX,
            // Two voters are left.
            false => usize::from(plan.cluster.voters).saturating_sub(2),
        }
    }

    /// Whether `batch_append` may be switched on while nodes run.
    pub(in crate::plan) fn may_batch(&self, plan: &Plan) -> bool {
        plan.driver.inputs_per_ready == 1 || self.batch_append_with_batched_inputs
    }
}

//! What numbers a profile may have.

use std::path::Path;

use super::{Profile, ProfileError, Share};
use crate::plan::MAX_VOTERS;

impl Profile {
    pub(super) fn validate(&self, path: &Path) -> Result<(), ProfileError> {
        let impossible = |field: String, value: String, legal: &str| ProfileError::Impossible {
            path: path.to_path_buf(),
            field,
            value,
            legal: legal.to_owned(),
        };
        if self.voters.is_empty() || self.voters.iter().any(|n| !(1..=MAX_VOTERS).contains(n)) {
            let value = format!("{:?}", self.voters);
            return Err(impossible(
                "voters".into(),
                value,
                "a list of sizes from 1 to 9",
            ));
        }
        let mut percents = vec![
            ("quorum_heal_percent".to_owned(), self.quorum_heal_percent),
            ("skewed_clocks_percent".into(), self.skewed_clocks_percent),
            (
                "later_first_term_percent".into(),
                self.later_first_term_percent,
            ),
            ("ordinal_percent".into(), self.ordinal_percent),
            ("overwrite_percent".into(), self.overwrite_percent),
            ("milestone_percent".into(), self.milestone_percent),
            ("cluster_percent".into(), self.cluster_percent),
            ("bridge_percent".into(), self.bridge_percent),
            ("membership_percent".into(), self.membership_percent),
            ("workload.crash_percent".into(), self.workload.crash_percent),
            (
                "workload.fresh_lease_reads_percent".into(),
                self.workload.fresh_lease_reads_percent,
            ),
            (
                "workload.leases_by_leader_percent".into(),
                self.workload.leases_by_leader_percent,
            ),
            (
                "raft.lease_reads_percent".into(),
                self.raft.lease_reads_percent,
            ),
            (
                "raft.uncommitted_limit_percent".into(),
                self.raft.uncommitted_limit_percent,
            ),
            (
                "raft.group_commit_percent".into(),
                self.raft.group_commit_percent,
            ),
            (
                "driver.background_build_percent".into(),
                self.driver.background_build_percent,
            ),
            (
                "driver.background_fetch_percent".into(),
                self.driver.background_fetch_percent,
            ),
            (
                "driver.other_orders_percent".into(),
                self.driver.other_orders_percent,
            ),
            (
                "driver.reused_read_context_percent".into(),
                self.driver.reused_read_context_percent,
            ),
            (
                "network.small_capacity_percent".into(),
                self.network.small_capacity_percent,
            ),
            ("raft.pre_vote_percent".into(), self.raft.pre_vote_percent),
            (
                "raft.check_quorum_percent".into(),
                self.raft.check_quorum_percent,
            ),
            (
                "raft.small_inflight_percent".into(),
                self.raft.small_inflight_percent,
            ),
            (
                "raft.small_messages_percent".into(),
                self.raft.small_messages_percent,
            ),
            (
                "raft.small_ready_percent".into(),
                self.raft.small_ready_percent,
            ),
            (
                "raft.batch_append_percent".into(),
                self.raft.batch_append_percent,
            ),
            (
                "raft.skip_broadcast_commit_percent".into(),
                self.raft.skip_broadcast_commit_percent,
            ),
            (
                "raft.priorities_percent".into(),
                self.raft.priorities_percent,
            ),
            (
                "driver.asynchronous_percent".into(),
                self.driver.asynchronous_percent,
            ),
            (
                "driver.batched_inputs_percent".into(),
                self.driver.batched_inputs_percent,
            ),
            (
                "driver.large_batches_percent".into(),
                self.driver.large_batches_percent,
            ),
            (
                "driver.apply_lag_percent".into(),
                self.driver.apply_lag_percent,
            ),
            (
                "driver.background_install_percent".into(),
                self.driver.background_install_percent,
            ),
            (
                "driver.burst_ticks_percent".into(),
                self.driver.burst_ticks_percent,
            ),
        ];
        let hour_us = 3_600_000_000;
        let mut ranges = vec![
            ("tick_us".to_owned(), self.tick_us, 100, 10_000_000),
            ("storm_ticks".into(), self.storm_ticks, 1, 10_000_000),
            (
                "network.delay_max_us".into(),
                self.network.delay_max_us,
                1,
                hour_us,
            ),
            ("sync_max_us".into(), self.sync_max_us, 0, hour_us),
            ("workload.clients".into(), self.workload.clients, 0, 10_000),
            (
                "workload.think_max_us".into(),
                self.workload.think_max_us,
                1,
                hour_us,
            ),
            (
                "workload.padding_max_bytes".into(),
                self.workload.padding_max_bytes,
                0,
                1 << 20,
            ),
            ("workload.retries".into(), self.workload.retries, 0, 1_000),
            (
                "workload.reads_percent".into(),
                self.workload.reads_percent,
                0,
                100,
            ),
            (
                "workload.locks_percent".into(),
                self.workload.locks_percent,
                0,
                100,
            ),
            (
                "raft.election_ticks".into(),
                self.raft.election_ticks,
                4,
                10_000,
            ),
            (
                "driver.snapshot_every_bytes".into(),
                self.driver.snapshot_every_bytes,
                1,
                1 << 40,
            ),
            (
                "driver.keep_entries".into(),
                self.driver.keep_entries,
                0,
                1 << 32,
            ),
        ];
        for (name, rate) in [
            ("loss", self.network.loss),
            ("duplicate", self.network.duplicate),
            ("reorder", self.network.reorder),
            ("tail", self.network.tail),
        ] {
            percents.push((format!("network.{name}.percent"), rate.percent));
            ranges.push((format!("network.{name}.ppm"), rate.ppm, 0, 1_000_000));
        }
        for (kind, mix) in &self.faults {
            let name = kind.name();
            percents.push((format!("faults.{name}.percent"), mix.percent));
            ranges.push((format!("faults.{name}.count"), mix.count, 0, 10_000));
        }
        for (field, percent) in percents {
            if percent > 100 {
                return Err(impossible(field, percent.to_string(), "0 to 100"));
            }
        }
        for share in &self.shares {
            ranges.push((
                "shares.percent".into(),
                share.percent,
                0,
                Share::MOST_PERCENT,
            ));
        }
        for (field, [low, high], least, most) in ranges {
            if low > high || low < least || high > most {
                let value = format!("[{low}, {high}]");
                return Err(impossible(
                    format!("{field} (legal: {least} to {most})"),
                    value,
                    "a low and a high end, in that order, both legal",
                ));
            }
        }
        let storm_us = self.storm_ticks[1].saturating_mul(self.tick_us[1]);
        if storm_us > 24 * hour_us {
            return Err(impossible(
                "storm_ticks times tick_us".into(),
                format!("up to {storm_us} us"),
                "at most a day",
            ));
        }
        self.validate_cost()
            .map_err(|too_much| ProfileError::Impossible {
                path: path.to_path_buf(),
                field: too_much.field,
                value: too_much.value,
                legal: too_much.legal,
            })?;
        let required = self.require.iter().map(|name| ("require", name));
        let shared = self.shares.iter();
        let shared =
            shared.flat_map(|share| [("shares.event", &share.event), ("shares.of", &share.of)]);
        for (field, name) in required.chain(shared) {
            if crate::counters::Counter::named(name).is_none() {
                return Err(impossible(
                    field.into(),
                    format!("\"{name}\""),
                    "names of `sometimes` events, as a sweep's summary prints them",
                ));
            }
        }
        Ok(())
    }
}

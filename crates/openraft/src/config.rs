//! A plan's options as openraft's configuration.

use std::sync::Arc;

use openraft::{Config, SnapshotPolicy};
use squall_core::replica::BootContext;

/// Bytes that an entry takes in a message, by and large: openraft counts entries.
const ENTRY_BYTES: u64 = 64;

/// The configuration of one node. openraft counts milliseconds of the node's clock, and a plan
/// ticks of it.
///
/// A follower waits for its leader's lease to end (`election_timeout_max`), and then for its own
/// time-out: between one and three quarters and twice the plan's `election_ticks`. The time between
/// heartbeats is also how long openraft waits for an answer, so it is no shorter than three fifths
/// of `election_ticks`, whatever the plan's `heartbeat_ticks`.
pub(super) fn config(boot: &BootContext<'_>) -> Arc<Config> {
    let raft = boot.raft;
    let ms = |ticks: u32| u64::from(ticks) * boot.tick_us / 1_000;
    let longest_ms = ms(raft.election_ticks).max(8);
    let shortest_ms = longest_ms * 3 / 4;
    // A leader that gives a snapshot up sends another, and its peer installs one after the other.
    let install_ms = boot.driver.snapshot_install_us / 1_000;
    let heartbeat_ms = ms(raft.heartbeat_ticks).max(longest_ms * 3 / 5);
    let config = Config {
        cluster_name: "squall".to_owned(),
        election_timeout_min: shortest_ms,
        election_timeout_max: longest_ms,
        heartbeat_interval: heartbeat_ms.min(shortest_ms - 1),
        install_snapshot_timeout: longest_ms + 2 * install_ms,
        max_payload_entries: (raft.max_size_per_message / ENTRY_BYTES).clamp(1, 300),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: boot.driver.keep_entries,
        // Of openraft's own, which begins at 200 ms, a plan's time-outs are no multiples.
        backoff: format!(
            "{heartbeat_ms}ms {}ms ...{}ms",
            2 * heartbeat_ms,
            4 * heartbeat_ms
        ),
        enable_pre_vote: Some(raft.pre_vote),
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    Arc::new(
        config
            .validate()
            .expect("plans have options that are valid"),
    )
}

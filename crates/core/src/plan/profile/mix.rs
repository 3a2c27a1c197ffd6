//! How often what exists in a run: the groups of numbers in a profile. Every `percent` is of runs,
//! 0 to 100; every pair is a range, both ends included.

use serde::{Deserialize, Serialize};

/// The network in ordinary times.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkMix {
    /// Longest ordinary delay, in microseconds.
    pub delay_max_us: [u64; 2],
    /// Loss at all times.
    pub loss: RateMix,
    /// Duplication at all times.
    pub duplicate: RateMix,
    /// Reordering at all times.
    pub reorder: RateMix,
    /// Long delays at all times.
    pub tail: RateMix,
    /// Runs in which links hold only a few messages.
    pub small_capacity_percent: u8,
}

/// Something that exists in some runs, at some rate.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateMix {
    /// Runs in which it exists.
    pub percent: u8,
    /// Its rate there, in messages a million.
    pub ppm: [u64; 2],
}

/// What clients do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadMix {
    /// How many there are.
    pub clients: [u64; 2],
    /// Longest pause between two commands, in microseconds.
    pub think_max_us: [u64; 2],
    /// Longest ballast of a command, in bytes.
    pub padding_max_bytes: [u64; 2],
    /// How often a client tries again.
    pub retries: [u64; 2],
    /// Runs in which clients crash.
    pub crash_percent: u8,
    /// Reads that go around the log, in percent.
    pub reads_percent: [u64; 2],
    /// Operations on locks, in percent.
    pub locks_percent: [u64; 2],
    /// Runs, of those with reads by lease, in which these are promised to be fresh.
    #[serde(default)]
    pub fresh_lease_reads_percent: u8,
    /// Runs in which whoever leads ends the leases of locks, by its own clock.
    #[serde(default)]
    pub leases_by_leader_percent: u8,
}

/// Which Raft options vary: runs in which each differs from a plain setting.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaftMix {
    /// Runs with pre-vote.
    pub pre_vote_percent: u8,
    /// Runs with check-quorum.
    pub check_quorum_percent: u8,
    /// Election time-out, in ticks.
    pub election_ticks: [u64; 2],
    /// Runs with a small window of append messages, down to one.
    pub small_inflight_percent: u8,
    /// Runs with small append messages, down to one entry.
    pub small_messages_percent: u8,
    /// Runs in which committed entries come in small portions, down to one.
    pub small_ready_percent: u8,
    /// Runs with batch-append.
    pub batch_append_percent: u8,
    /// Runs with skip-broadcast-commit.
    pub skip_broadcast_commit_percent: u8,
    /// Runs with election priorities.
    pub priorities_percent: u8,
    /// Runs, of those with check-quorum, in which reads go by lease.
    #[serde(default)]
    pub lease_reads_percent: u8,
    /// Runs with a limit on uncommitted proposals.
    #[serde(default)]
    pub uncommitted_limit_percent: u8,
    /// Runs with group commit.
    #[serde(default)]
    pub group_commit_percent: u8,
}

/// Which driver options vary.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverMix {
    /// Runs with asynchronous persistence.
    pub asynchronous_percent: u8,
    /// Runs in which several inputs are stepped before the output is handled.
    pub batched_inputs_percent: u8,
    /// Of those, runs in which up to 256 are, and not up to 16: so many wait at a node that comes
    /// back from a long pause or sync.
    #[serde(default)]
    pub large_batches_percent: u8,
    /// Runs in which entries are applied late.
    pub apply_lag_percent: u8,
    /// Runs in which a received snapshot is installed in the background.
    pub background_install_percent: u8,
    /// Runs in which the state machine builds snapshots in the background.
    #[serde(default)]
    pub background_build_percent: u8,
    /// Runs in which entries are fetched in the background.
    #[serde(default)]
    pub background_fetch_percent: u8,
    /// Runs, for each, with another order of persisting, sending, applying and acknowledging.
    #[serde(default)]
    pub other_orders_percent: u8,
    /// Runs in which a retried read has the name of the one before.
    #[serde(default)]
    pub reused_read_context_percent: u8,
    /// Bytes of log growth between snapshots.
    pub snapshot_every_bytes: [u64; 2],
    /// Entries kept before a snapshot.
    pub keep_entries: [u64; 2],
    /// Runs in which missed ticks are made up for in a burst.
    pub burst_ticks_percent: u8,
}

/// One kind of fault.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultMix {
    /// Runs in which it exists.
    pub percent: u8,
    /// How many there are then.
    pub count: [u64; 2],
}

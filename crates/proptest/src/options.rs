//! Options of the library and its driver, the network, and what clients do. Each shrinks to what is
//! plain.

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::*;

use super::skewed;
use squall_core::options::{DriverOptions, MissedTicks, Persistence, RaftOptions, ReadContext};
use squall_core::plan::{DiskOptions, MAX_NODES, Workload};
use squall_world::network::LinkOptions;

/// The options of a plan: the library's, its driver's, and how long a sync takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The library's.
    pub raft: RaftOptions,
    /// Its driver's.
    pub driver: DriverOptions,
    /// The disk's.
    pub disk: DiskOptions,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            raft: RaftOptions::default(),
            driver: DriverOptions::default(),
            disk: DiskOptions {
                sync_min_us: 100,
                sync_max_us: 500,
            },
        }
    }
}

/// Options of the library, of its driver, and of the disk.
pub fn options() -> impl Strategy<Value = Settings> + Send + Sync {
    (raft(), driver(), disk()).prop_map(|(raft, driver, disk)| Settings { raft, driver, disk })
}

fn disk() -> impl Strategy<Value = DiskOptions> {
    skewed(50..50_000).prop_map(|sync_max_us| DiskOptions {
        sync_min_us: sync_max_us / 8,
        sync_max_us,
    })
}

fn raft() -> impl Strategy<Value = RaftOptions> {
    let plain = RaftOptions::default();
    let switches = [0.4, 0.4, 0.3, 0.3].map(weighted);
    let sizes = (
        prop_oneof![3 => Just(plain.max_inflight_messages), 1 => 1..8u32],
        prop_oneof![3 => Just(plain.max_size_per_message), 1 => 0..200u64],
        prop_oneof![3 => Just(plain.max_committed_size_per_ready), 1 => 0..200u64],
        prop_oneof![4 => Just(None), 1 => (1..400u64).prop_map(Some)],
    );
    let ticks = prop_oneof![Just((10, 2)), (5..=20u32, 1..=5u32)];
    let priorities = prop_oneof![4 => Just(Vec::new()), 1 => vec(0..4i64, usize::from(MAX_NODES))];
    let whole = (switches, sizes, ticks, priorities);
    whole.prop_map(
        |(switches, sizes, (election_ticks, heartbeat_ticks), priorities)| {
            let [pre_vote, check_quorum, batch_append, skip_broadcast_commit] = switches;
            let (inflight, size, committed, uncommitted) = sizes;
            RaftOptions {
                pre_vote,
                check_quorum,
                batch_append,
                skip_broadcast_commit,
                election_ticks,
                heartbeat_ticks: heartbeat_ticks.min(election_ticks / 4),
                max_inflight_messages: inflight,
                max_size_per_message: size,
                max_committed_size_per_ready: committed,
                max_uncommitted_size: uncommitted.map_or(0, |more| size + more),
                // As many as there are nodes, once that is known.
                priorities,
                ..RaftOptions::default()
            }
        },
    )
}

fn driver() -> impl Strategy<Value = DriverOptions> {
    let plain = DriverOptions::default();
    let switches = [0.5, 0.2, 0.2, 0.5, 0.3].map(weighted);
    let sizes = (
        prop_oneof![2 => Just(plain.inputs_per_ready), 1 => 2..16u32],
        prop_oneof![Just(plain.snapshot_every_bytes), 400..20_000u64],
        prop_oneof![Just(plain.keep_entries), 0..20u64],
    );
    let late_us = || prop_oneof![3 => Just(0), 1 => 1..100_000u64];
    let late = [late_us(), late_us(), late_us()];
    (switches, sizes, late).prop_map(|(switches, sizes, [apply_lag_us, build_us, fetch_us])| {
        let [asynchronous, later, newest, burst, reused] = switches;
        let (inputs_per_ready, snapshot_every_bytes, keep_entries) = sizes;
        DriverOptions {
            persistence: match asynchronous {
                true => Persistence::Asynchronous,
                false => Persistence::Synchronous,
            },
            inputs_per_ready,
            snapshot_every_bytes,
            keep_entries,
            apply_lag_us,
            snapshot_build_us: build_us,
            fetch_us,
            send_after_sync: later,
            acknowledge_newest: newest,
            missed_ticks: match burst {
                true => MissedTicks::Burst,
                false => MissedTicks::Skip,
            },
            read_context: match reused {
                true => ReadContext::Request,
                false => ReadContext::Fresh,
            },
            ..DriverOptions::default()
        }
    })
}

/// A network that loses, doubles, reorders and delays.
pub fn network() -> impl Strategy<Value = LinkOptions> + Send + Sync {
    let rate = || prop_oneof![2 => Just(0u32), 1 => 1_000..200_000u32];
    let rates = [rate(), rate(), rate(), rate()];
    let capacity = prop_oneof![4 => Just(1_024u32), 1 => 2..8u32];
    let whole = (
        skewed(200..40_000),
        1..8u64,
        rates,
        skewed(0..400_000),
        capacity,
    );
    whole.prop_map(|(delay_max_us, part, rates, tail_max_us, capacity)| {
        let [loss_ppm, duplicate_ppm, reorder_ppm, tail_ppm] = rates;
        LinkOptions {
            delay_min_us: delay_max_us / part,
            delay_max_us,
            loss_ppm,
            duplicate_ppm,
            reorder_ppm,
            tail_ppm,
            tail_max_us,
            capacity,
        }
    })
}

/// Clients of the key-value store and the locks.
pub fn workload() -> impl Strategy<Value = Workload> + Send + Sync {
    let percents = [
        prop_oneof![Just(0u8), 1..30u8].sboxed(),
        (0..=100u8).sboxed(),
        (0..=60u8).sboxed(),
    ];
    let whole = (
        0..=4u32,
        1_000..100_000u64,
        20_000..600_000u64,
        0..4u32,
        percents,
        0..300u32,
        100_000..1_000_000u64,
    );
    whole.prop_map(
        |(clients, think_max_us, timeout_us, retries, percents, padding_max_bytes, lease_us)| {
            let [crash_percent, reads_percent, locks_percent] = percents;
            Workload {
                clients,
                think_min_us: think_max_us / 10,
                think_max_us,
                timeout_us,
                retries,
                crash_percent,
                reads_percent,
                locks_percent,
                lease_us,
                fresh_lease_reads: false,
                leases_by_leader: false,
                settings_stay: false,
                priorities_stay: false,
                padding_max_bytes,
            }
        },
    )
}

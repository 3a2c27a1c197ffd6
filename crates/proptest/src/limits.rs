//! Options, networks, clients and settings at the ends of what a plan may ask for: no limit, none
//! at all, the least and the most. Drawn apart from the ordinary ones, for what is extreme in one
//! thing shows little of the others.
//!
//! The ends are those of [`Plan::validate`](squall_core::plan::Plan::validate), except where a run
//! would take too long: the library is told of every tick that passes, so what a driver takes for
//! its work is at most a minute, and clients send no more than some ten thousand commands.

use proptest::prelude::*;
use proptest::sample::select;

use super::faults::{Faults, asked_of_nodes};
use super::options::Settings;
use super::{Count, Plans};
use squall_core::operator::{Admin, Setting};
use squall_core::options::{DriverOptions, MissedTicks, Persistence, RaftOptions, ReadContext};
use squall_core::plan::{DiskOptions, MAX_NODES, MAX_TIME_US, Workload};
use squall_world::network::LinkOptions;

/// The longest that a driver's work may take, in microseconds.
const LONG_US: u64 = 60_000_000;

/// Messages on a link: those that never arrive are kept, each with up to the whole log, so that
/// more would be more than a run may hold.
const FEW: u32 = 8;

/// Every message, in parts of a million.
const ALL_PPM: u32 = 1_000_000;

/// Ticks of an election time-out, at least, with a driver that batches.
const LEAST_WITH_BATCHES: u32 = 4;

/// What is plain, or an end.
fn ends<T: Clone + std::fmt::Debug + Send + Sync + 'static>(
    plain: T,
    ends: &[T],
) -> impl Strategy<Value = T> + Send + Sync + use<T> {
    prop_oneof![2 => Just(plain), 3 => select(ends.to_vec())]
}

impl Plans {
    /// All of it at its ends: options, network, clients, and so many settings that are changed at
    /// run time.
    pub fn at_limits(self, settings: impl Into<Count>) -> Self {
        self.with_options(options_at_limits())
            .with_network(network_at_limits())
            .with_workload(workload_at_limits())
            .with_faults(settings_at_limits(settings))
    }
}

/// Options of the library, of its driver, and of the disk, each plain or at an end of what it may
/// be.
pub fn options_at_limits() -> impl Strategy<Value = Settings> + Send + Sync {
    (raft(), driver(), disk()).prop_map(|(mut raft, driver, disk)| {
        if driver.inputs_per_ready > 1 {
            raft.election_ticks = raft.election_ticks.max(LEAST_WITH_BATCHES);
        }
        Settings { raft, driver, disk }
    })
}

fn disk() -> impl Strategy<Value = DiskOptions> + Send + Sync {
    let plain = Settings::default().disk;
    let pair = (plain.sync_min_us, plain.sync_max_us);
    ends(
        pair,
        &[(0, 0), (0, MAX_TIME_US), (MAX_TIME_US, MAX_TIME_US)],
    )
    .prop_map(|(sync_min_us, sync_max_us)| DiskOptions {
        sync_min_us,
        sync_max_us,
    })
}

fn raft() -> impl Strategy<Value = RaftOptions> + Send + Sync {
    let plain = RaftOptions::default();
    let sizes = (
        ends(plain.max_inflight_messages, &[1, 65_536]),
        ends(plain.max_size_per_message, &[0, 1, u64::MAX]),
        ends(plain.max_committed_size_per_ready, &[0, 1, u64::MAX]),
        // In place of 1 as little as may be.
        ends(plain.max_uncommitted_size, &[1, u64::MAX - 1, u64::MAX]),
    );
    let ticks = ends((10, 2), &[(2, 1), (4, 1), (10_000, 1), (10_000, 2_500)]);
    let priority = || select(vec![i64::MIN, -1, 0, 1, i64::MAX]);
    let priorities = prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(priority(), usize::from(MAX_NODES)),
    ];
    let whole = (any::<[bool; 4]>(), sizes, ticks, priorities);
    whole.prop_map(
        |(switches, sizes, (election_ticks, heartbeat_ticks), priorities)| {
            let [pre_vote, check_quorum, batch_append, skip_broadcast_commit] = switches;
            let (max_inflight_messages, max_size_per_message, committed, uncommitted) = sizes;
            RaftOptions {
                pre_vote,
                check_quorum,
                batch_append,
                skip_broadcast_commit,
                election_ticks,
                heartbeat_ticks,
                max_inflight_messages,
                max_size_per_message,
                max_committed_size_per_ready: committed,
                max_uncommitted_size: match uncommitted {
                    0 => 0,
                    least => least.max(max_size_per_message),
                },
                // As many as there are nodes, once that is known.
                priorities,
                ..RaftOptions::default()
            }
        },
    )
}

fn driver() -> impl Strategy<Value = DriverOptions> + Send + Sync {
    let plain = DriverOptions::default();
    let sizes = (
        ends(plain.inputs_per_ready, &[2, 10_000]),
        ends(plain.snapshot_every_bytes, &[1, u64::MAX]),
        ends(plain.keep_entries, &[0, 1 << 32]),
    );
    let late_us = || ends(0, &[1, LONG_US]);
    let late = [late_us(), late_us(), late_us(), late_us()];
    (any::<[bool; 5]>(), sizes, late).prop_map(|(switches, sizes, late)| {
        let [asynchronous, later, newest, burst, reused] = switches;
        let (inputs_per_ready, snapshot_every_bytes, keep_entries) = sizes;
        let [
            apply_lag_us,
            snapshot_install_us,
            snapshot_build_us,
            fetch_us,
        ] = late;
        DriverOptions {
            persistence: match asynchronous {
                true => Persistence::Asynchronous,
                false => Persistence::Synchronous,
            },
            inputs_per_ready,
            snapshot_every_bytes,
            keep_entries,
            apply_lag_us,
            snapshot_install_us,
            snapshot_build_us,
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

/// A network of which each number is plain or at an end: messages that all are lost, or come after
/// a week.
pub fn network_at_limits() -> impl Strategy<Value = LinkOptions> + Send + Sync {
    let plain = LinkOptions::default();
    let delays = [(0, 0), (0, MAX_TIME_US), (MAX_TIME_US, MAX_TIME_US)];
    let rate = || ends(0, &[1, ALL_PPM]);
    let whole = (
        ends((plain.delay_min_us, plain.delay_max_us), &delays),
        [rate(), rate(), rate(), rate()],
        ends(0, &[1, MAX_TIME_US]),
        ends(FEW, &[1]),
    );
    whole.prop_map(|(delay, rates, tail_max_us, capacity)| {
        let [loss_ppm, duplicate_ppm, reorder_ppm, tail_ppm] = rates;
        // Where no message arrives before the run ends, all of them would be kept.
        let is_late = delay.1 == MAX_TIME_US || tail_max_us == MAX_TIME_US;
        let capacity = match is_late {
            true => capacity.min(LinkOptions::default().capacity),
            false => capacity,
        };
        LinkOptions {
            delay_min_us: delay.0,
            delay_max_us: delay.1,
            loss_ppm,
            duplicate_ppm,
            reorder_ppm,
            tail_ppm,
            tail_max_us,
            capacity,
        }
    })
}

/// Clients of which each number is plain or at an end.
pub fn workload_at_limits() -> impl Strategy<Value = Workload> + Send + Sync {
    let percents = [ends(0u8, &[100]), ends(50, &[0, 100]), ends(30, &[0, 100])];
    // How many, and how long they think: many that hardly think would send more than a run can
    // take.
    let pace = ends(
        (4, 1_000, 20_000),
        &[
            (0, 0, 0),
            (1, 0, 100),
            (1, MAX_TIME_US, MAX_TIME_US),
            (4, 0, MAX_TIME_US),
            (1_000, 0, 4_000_000),
        ],
    );
    // For how long one waits for an answer, and how often it asks again: a thousand times at once
    // would be a log of a million entries.
    let patience = ends(
        (200_000, 2),
        &[
            (1, 0),
            (1, 10),
            (20_000, 1_000),
            (MAX_TIME_US, 0),
            (MAX_TIME_US, 1_000),
        ],
    );
    let whole = (
        pace,
        patience,
        percents,
        ends(100, &[0, 1 << 20]),
        ends(500_000, &[0, MAX_TIME_US]),
    );
    whole.prop_map(
        |(pace, (timeout_us, retries), percents, padding_max_bytes, lease_us)| {
            let (clients, think_min_us, think_max_us) = pace;
            // Of so much from many clients, or many times in a log, a run would take gigabytes.
            let padding_max_bytes = match clients > 4 || retries > 2 || think_max_us < 20_000 {
                true => 0,
                false => padding_max_bytes,
            };
            let [crash_percent, reads_percent, locks_percent] = percents;
            Workload {
                clients,
                think_min_us,
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

/// Operators that set what can be set at run time to an end of what it may be.
pub fn settings_at_limits(count: impl Into<Count>) -> Faults {
    let priority = select(vec![i64::MIN, -1, 0, 1, i64::MAX]);
    let setting = prop_oneof![
        any::<bool>().prop_map(Setting::SkipBroadcastCommit),
        any::<bool>().prop_map(Setting::CheckQuorum),
        priority.prop_map(Setting::Priority),
        select(vec![0, 1, 65_536]).prop_map(Setting::MaxInflight),
        select(vec![0, 1, u64::MAX]).prop_map(Setting::MaxCommittedSize),
    ];
    asked_of_nodes(count, setting.prop_map(Admin::Set).sboxed())
}

//! Plain options: whatever a plan sets out of the ordinary goes back to what is
//! plain, all of it at once if that will do, else one thing at a time.

use super::trial::Trial;
use squall_core::options::{DriverOptions, RaftOptions};
use squall_core::plan::{ClockOptions, Fault, Heal, Plan, What};
use squall_core::service::Operation;

/// The time of a tick, of a message and of a sync in a plain plan, in microseconds.
const TICK_US: u64 = 10_000;
const DELAY_US: u64 = 1_000;
const SYNC_US: u64 = 100;

/// How long a client waits, and pauses, in a plain plan, in microseconds.
const TIMEOUT_US: u64 = 1_000_000;
const THINK_US: u64 = 10_000;

/// One thing made plain.
type Plain = fn(&mut Plan);

/// Sets one field of a group of options to its default.
macro_rules! defaults {
    ($group:ident, $options:ty: $($field:ident),* $(,)?) => {
        &[$(|plan| plan.$group.$field = <$options>::default().$field,)*]
    };
}

const RAFT: &[Plain] = defaults!(raft, RaftOptions:
    priorities, lease_reads, pre_vote, check_quorum, election_ticks, heartbeat_ticks,
    max_inflight_messages, max_size_per_message, max_committed_size_per_ready, batch_append,
    skip_broadcast_commit, max_uncommitted_size, group_commit,
);

const DRIVER: &[Plain] = defaults!(driver, DriverOptions:
    persistence, inputs_per_ready, apply_lag_us, snapshot_every_bytes, keep_entries,
    snapshot_install_us, snapshot_build_us, fetch_us, send_after_sync, acknowledge_newest,
    read_context, missed_ticks, own,
);

/// The lease of a lock, where it had no end.
const LEASE_US: u64 = 1_000_000;

const WORLD: &[Plain] = &[
    |plan| plan.heal = Heal::Everyone,
    |plan| {
        plan.workload.leases_by_leader = false;
        for asked in plan.script.iter_mut().flatten() {
            if let Operation::Acquire { lease_us, .. }
            | Operation::TryAcquire { lease_us, .. }
            | Operation::Renew { lease_us, .. } = &mut asked.operation
            {
                *lease_us = (*lease_us).min(LEASE_US);
            }
        }
    },
    |plan| plan.cluster.clocks.fill(ClockOptions::default()),
    |plan| {
        // Who gets an empty disk needs a snapshot to learn the configuration from.
        let replaces = |fault: &Fault| matches!(fault.what, What::ReplaceDisk(_));
        plan.cluster.first_index = u64::from(plan.faults.iter().any(replaces));
    },
    |plan| {
        // What a snapshot stands for has a term.
        plan.cluster.first_term = u64::from(plan.cluster.first_index > 0);
    },
    |plan| plan.cluster.tick_us = TICK_US,
    |plan| plan.network.loss_ppm = 0,
    |plan| plan.network.duplicate_ppm = 0,
    |plan| plan.network.reorder_ppm = 0,
    |plan| {
        plan.network.tail_ppm = 0;
        plan.network.tail_max_us = 0;
    },
    |plan| plan.network.capacity = plan.network.capacity.max(1_024),
    |plan| (plan.network.delay_min_us, plan.network.delay_max_us) = (DELAY_US, DELAY_US),
    |plan| plan.network.delay_min_us = plan.network.delay_max_us,
    |plan| (plan.disk.sync_min_us, plan.disk.sync_max_us) = (SYNC_US, SYNC_US),
    |plan| plan.disk.sync_min_us = plan.disk.sync_max_us,
];

/// What a plan with a script still reads of its workload, and what it does not.
const WORKLOAD: &[Plain] = &[
    |plan| plan.workload.timeout_us = TIMEOUT_US,
    |plan| plan.workload.settings_stay = false,
    |plan| plan.workload.priorities_stay = false,
    |plan| plan.workload.retries = 0,
    |plan| plan.workload.crash_percent = 0,
    |plan| plan.workload.padding_max_bytes = 0,
    |plan| plan.workload.locks_percent = 0,
    |plan| plan.workload.reads_percent = 0,
    |plan| (plan.workload.think_min_us, plan.workload.think_max_us) = (THINK_US, THINK_US),
    |plan| plan.workload.lease_us = TIMEOUT_US,
];

/// What is at least simple, where it cannot be plain: snapshots as often as can be.
/// With them, few entries do what many had to.
const EXTREME: &[Plain] = &[
    |plan| {
        if plan.driver.snapshot_every_bytes != DriverOptions::default().snapshot_every_bytes {
            plan.driver.snapshot_every_bytes = 1;
        }
    },
    |plan| {
        if plan.driver.keep_entries != DriverOptions::default().keep_entries {
            plan.driver.keep_entries = 0;
        }
    },
];

/// Sets to plain values what need not be out of the ordinary.
pub(super) fn simplify(trial: &mut Trial<'_>) {
    let all = || WORLD.iter().chain(WORKLOAD).chain(RAFT).chain(DRIVER);
    let mut plain = trial.best().clone();
    all().for_each(|make_plain| make_plain(&mut plain));
    if trial.takes_reseeded(&plain) {
        return;
    }
    for group in [WORLD, WORKLOAD, RAFT, DRIVER] {
        let mut plan = trial.best().clone();
        group.iter().for_each(|make_plain| make_plain(&mut plan));
        trial.takes_reseeded(&plan);
    }
    for option in trial.best().driver.own.clone().into_keys() {
        let mut plan = trial.best().clone();
        plan.driver.own.remove(&option);
        trial.takes_reseeded(&plan);
    }
    for make_plain in all().chain(EXTREME) {
        let mut plan = trial.best().clone();
        make_plain(&mut plan);
        if plan != *trial.best() {
            trial.takes_reseeded(&plan);
        }
    }
}

//! Counts which options a run had, so that a sweep's summary shows that each was tried.

use crate::counters::{Counter, Counters};
use crate::operator::Setting;
use crate::options::{MissedTicks, Persistence, RaftOptions};
use crate::plan::Plan;

/// Sizes up to this many bytes are small: they cut messages and portions down to a few entries.
const SMALL_BYTES: u64 = 200;

/// Windows of up to this many messages are small.
const SMALL_WINDOW: u32 = 8;

pub(super) fn count(plan: &Plan, counters: &mut Counters) {
    let (raft, driver) = (&plan.raft, &plan.driver);
    let plain = RaftOptions::default();
    let asynchronous = driver.persistence == Persistence::Asynchronous;
    let options = [
        (raft.pre_vote, Counter::WithPreVote),
        (raft.check_quorum, Counter::WithCheckQuorum),
        (
            raft.max_inflight_messages <= SMALL_WINDOW,
            Counter::WithSmallInflight,
        ),
        (
            raft.max_size_per_message <= SMALL_BYTES,
            Counter::WithSmallMessages,
        ),
        (
            raft.max_committed_size_per_ready <= SMALL_BYTES,
            Counter::WithSmallReady,
        ),
        (raft.batch_append, Counter::WithBatchAppend),
        (raft.skip_broadcast_commit, Counter::WithSkipBroadcastCommit),
        (!raft.priorities.is_empty(), Counter::WithPriorities),
        (raft.lease_reads, Counter::WithLeaseReads),
        (
            raft.max_uncommitted_size != plain.max_uncommitted_size,
            Counter::WithUncommittedLimit,
        ),
        (raft.group_commit, Counter::WithGroupCommit),
        (!asynchronous, Counter::WithSynchronousPersistence),
        (asynchronous, Counter::WithAsynchronousPersistence),
        (driver.inputs_per_ready > 1, Counter::WithBatchedInputs),
        (driver.apply_lag_us > 0, Counter::WithApplyLag),
        (driver.send_after_sync, Counter::WithSendAfterSync),
        (
            driver.acknowledge_newest && asynchronous,
            Counter::WithAcknowledgeNewest,
        ),
        (!driver.own.is_empty(), Counter::WithOwnOptions),
        (
            driver.snapshot_build_us > 0,
            Counter::WithBackgroundSnapshots,
        ),
        (
            driver.snapshot_install_us > 0,
            Counter::WithBackgroundInstall,
        ),
        (
            driver.missed_ticks == MissedTicks::Burst,
            Counter::WithBurstTicks,
        ),
    ];
    for (on, event) in options {
        counters.add(event, on.into());
    }
}

pub(super) fn switched(setting: Setting) -> Counter {
    match setting {
        Setting::BatchAppend(_) => Counter::BatchAppendSwitched,
        Setting::SkipBroadcastCommit(_) => Counter::SkipBroadcastCommitSwitched,
        Setting::CheckQuorum(_) => Counter::CheckQuorumSwitched,
        Setting::Priority(_) => Counter::PriorityChanged,
        Setting::MaxInflight(_) => Counter::MaxInflightChanged,
        Setting::MaxCommittedSize(_) => Counter::MaxCommittedSizeChanged,
        Setting::GroupCommit(_) => Counter::GroupCommitSwitched,
    }
}

//! Counts which options a run had, so that a sweep's summary shows that each was tried.

use crate::counters::{Counters, Event};
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
        (raft.pre_vote, Event::WithPreVote),
        (raft.check_quorum, Event::WithCheckQuorum),
        (
            raft.max_inflight_messages <= SMALL_WINDOW,
            Event::WithSmallInflight,
        ),
        (
            raft.max_size_per_message <= SMALL_BYTES,
            Event::WithSmallMessages,
        ),
        (
            raft.max_committed_size_per_ready <= SMALL_BYTES,
            Event::WithSmallReady,
        ),
        (raft.batch_append, Event::WithBatchAppend),
        (raft.skip_broadcast_commit, Event::WithSkipBroadcastCommit),
        (!raft.priorities.is_empty(), Event::WithPriorities),
        (raft.lease_reads, Event::WithLeaseReads),
        (
            raft.max_uncommitted_size != plain.max_uncommitted_size,
            Event::WithUncommittedLimit,
        ),
        (raft.group_commit, Event::WithGroupCommit),
        (!asynchronous, Event::WithSynchronousPersistence),
        (asynchronous, Event::WithAsynchronousPersistence),
        (driver.inputs_per_ready > 1, Event::WithBatchedInputs),
        (driver.apply_lag_us > 0, Event::WithApplyLag),
        (driver.send_after_sync, Event::WithSendAfterSync),
        (
            driver.acknowledge_newest && asynchronous,
            Event::WithAcknowledgeNewest,
        ),
        (
            driver.advance_whole && !asynchronous,
            Event::WithAdvanceWhole,
        ),
        (driver.snapshot_build_us > 0, Event::WithBackgroundSnapshots),
        (driver.snapshot_install_us > 0, Event::WithBackgroundInstall),
        (
            driver.missed_ticks == MissedTicks::Burst,
            Event::WithBurstTicks,
        ),
    ];
    for (on, event) in options {
        counters.add(event, on.into());
    }
}

pub(super) fn switched(setting: Setting) -> Event {
    match setting {
        Setting::BatchAppend(_) => Event::BatchAppendSwitched,
        Setting::SkipBroadcastCommit(_) => Event::SkipBroadcastCommitSwitched,
        Setting::CheckQuorum(_) => Event::CheckQuorumSwitched,
        Setting::Priority(_) => Event::PriorityChanged,
        Setting::MaxInflight(_) => Event::MaxInflightChanged,
        Setting::MaxCommittedSize(_) => Event::MaxCommittedSizeChanged,
        Setting::GroupCommit(_) => Event::GroupCommitSwitched,
    }
}

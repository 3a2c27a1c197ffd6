//! Where reads by lease are promised to be fresh, the plan stays within what the promise needs.
//!
//! A lease holds while clocks run alike and a leader and its followers keep in touch. In raft 0.7.0
//! a leader looks only every election time-out whether it has heard from a quorum since the last look,
//! while followers feel bound to it for one election time-out: where they may lose touch, a lease read
//! may be stale, with perfect clocks (see `FINDINGS.md`).

use super::{ClockOptions, Fault, Plan, What};
use crate::admin::Admin;

/// Keeps clocks and nodes running alike: no lease holds otherwise, in any implementation.
pub(super) fn keep_time(plan: &mut Plan) {
    let prompt_us = plan.prompt_us().max(1);
    plan.disk.sync_max_us = plan.disk.sync_max_us.min(prompt_us);
    plan.disk.sync_min_us = plan.disk.sync_min_us.min(plan.disk.sync_max_us);
    plan.cluster.clocks.fill(ClockOptions::default());
    let stalls = |fault: &Fault| {
        matches!(
            fault.what,
            What::Pause { .. } | What::SlowDisk { .. } | What::Jump { .. } | What::Drift { .. }
        )
    };
    plan.faults.retain(|fault| !stalls(fault));
}

/// Takes out of a plan what may part a leader from its followers, or free them of it.
pub(super) fn keep_in_touch(plan: &mut Plan) {
    let prompt_us = plan.prompt_us().max(1);
    let traffic = &mut plan.network;
    traffic.delay_max_us = traffic.delay_max_us.min(prompt_us);
    traffic.delay_min_us = traffic.delay_min_us.min(traffic.delay_max_us);
    (traffic.tail_ppm, traffic.loss_ppm, traffic.reorder_ppm) = (0, 0, 0);
    traffic.capacity = traffic.capacity.max(1_024);
    plan.schedule = None;
    plan.faults.retain(keeps_in_touch);
}

fn keeps_in_touch(fault: &Fault) -> bool {
    match &fault.what {
        What::Crash { .. }
        | What::FailSync { .. }
        | What::FullDisk { .. }
        | What::Rot { .. }
        | What::DuplicateMessage { .. }
        | What::Change { .. } => true,
        What::Ask { admin, .. } => match admin {
            // Both lead to an election that asks no follower whether it is still bound.
            Admin::TransferLeader { .. } | Admin::Campaign => false,
            Admin::Change(_) | Admin::RequestSnapshot | Admin::Ping | Admin::Set(_) => true,
        },
        What::Pause { .. }
        | What::Cut { .. }
        | What::Split { .. }
        | What::IsolateLeader { .. }
        | What::Trouble { .. }
        | What::Burst { .. }
        | What::SlowNode { .. }
        | What::SlowDisk { .. }
        | What::LoseMessage
        | What::DelayMessage { .. }
        | What::Jump { .. }
        | What::Drift { .. } => false,
    }
}

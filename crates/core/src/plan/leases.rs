//! Where reads by lease are promised to be fresh, the plan stays within what the promise needs.
//!
//! A lease holds while clocks run alike. Where a leader looks only every election time-out whether
//! it has heard from a quorum since the last look, while followers feel bound to it for one
//! election time-out, the two must keep in touch as well: otherwise a lease read may be stale with
//! perfect clocks ([`Hazard::LeaseReadsOfACutOffLeader`](crate::own::Hazard)). It is stale for no
//! longer than that, though: what such a read may show is bounded, where clocks run true and
//! messages are prompt or lost.

use super::{ClockOptions, Fault, Plan, What, When};
use crate::faults::{Ask, Cut, Split};
use crate::ids::NodeId;
use crate::operator::Admin;

/// How old what a lease read shows may be where that is bounded, in election time-outs: the two
/// after which a leader that is cut off steps down, and one for what was on its way.
pub(super) const LAG_ELECTIONS: u64 = 3;

/// Keeps clocks and nodes running alike: no lease holds otherwise, in any implementation.
pub(super) fn keep_time(plan: &mut Plan) {
    let prompt_us = plan.prompt_us().max(1);
    plan.disk.sync_max_us = plan.disk.sync_max_us.min(prompt_us);
    plan.disk.sync_min_us = plan.disk.sync_min_us.min(plan.disk.sync_max_us);
    plan.cluster.clocks.fill(ClockOptions::default());
    plan.faults.retain(|fault| fault.what.lease().keeps_time);
}

/// Takes out of a plan what may part a leader from its followers, or free them of it. In some plans
/// one link may be cut instead, and no node goes down: who is beyond that link stands for election,
/// and is refused by those who hear of the leader. One end of it stands on request, too, as soon as
/// the link is cut and its log is not yet behind. It must be only the one: who has stood himself is
/// bound to nobody.
pub(super) fn keep_in_touch(plan: &mut Plan) {
    keep_prompt(plan);
    plan.network.reorder_ppm = 0;
    let tick_us = plan.cluster.tick_us;
    match cut_link(plan) {
        Some(link) => {
            let faults = std::mem::take(&mut plan.faults);
            plan.faults = faults
                .into_iter()
                .flat_map(|fault| on_link(fault, link, tick_us))
                .collect();
        }
        None => plan
            .faults
            .retain(|fault| fault.what.lease().keeps_in_touch),
    }
}

/// Whether nothing in a plan may part a leader from its followers. Of a plan with one link that is
/// cut this is not so sure.
pub(super) fn are_in_touch(plan: &Plan) -> bool {
    let traffic = &plan.network;
    traffic.delay_max_us <= plan.prompt_us()
        && (traffic.tail_ppm, traffic.loss_ppm, traffic.reorder_ppm) == (0, 0, 0)
        && plan.schedule.is_none()
        && plan
            .faults
            .iter()
            .all(|fault| fault.what.lease().keeps_in_touch)
}

/// The link of the first cut, where that is to be the only one. A node that restarts or has just
/// joined is bound to nobody, and in a cluster of two a link is all.
fn cut_link(plan: &Plan) -> Option<(NodeId, NodeId)> {
    let may = plan.cluster.voters >= 3 && !plan.changes_membership() && plan.seed.is_multiple_of(2);
    let nodes = plan.nodes();
    let link = |fault: &Fault| match &fault.what {
        What::Cut(Cut { from, to, .. }) => Some((*from.first()?, *to.first()?)),
        What::Split(Split { side, .. }) => {
            let other = nodes.iter().find(|node| !side.contains(node))?;
            Some((*side.first()?, *other))
        }
        _ => None,
    };
    plan.faults.iter().filter(|_| may).find_map(link)
}

/// What becomes of a fault where only this link may be cut.
fn on_link(fault: Fault, (one, other): (NodeId, NodeId), tick_us: u64) -> Vec<Fault> {
    let stand = |when: When| {
        let when = match when {
            When::AtUs(at_us) => When::AtUs(at_us + tick_us),
            ordinal => ordinal,
        };
        let (node, admin) = (Some(one), Admin::Campaign);
        Fault {
            when,
            what: What::Ask(Ask { node, admin }),
        }
    };
    let cut = |when: When, from: NodeId, to: NodeId, for_us: u64| Fault {
        when,
        what: What::Cut(Cut {
            from: vec![from],
            to: vec![to],
            for_us,
        }),
    };
    match fault.what {
        What::Cut(Cut {
            ref from, for_us, ..
        }) => {
            let back = from.contains(&other);
            let (from, to) = if back { (other, one) } else { (one, other) };
            vec![cut(fault.when, from, to, for_us), stand(fault.when)]
        }
        What::Split(Split { for_us, .. }) => vec![
            cut(fault.when, one, other, for_us),
            cut(fault.when, other, one, for_us),
            stand(fault.when),
        ],
        What::DuplicateMessage(_) => vec![fault],
        What::Ask(_) if fault.what.lease().keeps_in_touch => vec![fault],
        _ => Vec::new(),
    }
}

/// Lets messages be prompt or lost.
fn keep_prompt(plan: &mut Plan) {
    let prompt_us = plan.prompt_us().max(1);
    let traffic = &mut plan.network;
    traffic.delay_max_us = traffic.delay_max_us.min(prompt_us);
    traffic.delay_min_us = traffic.delay_min_us.min(traffic.delay_max_us);
    (traffic.tail_ppm, traffic.loss_ppm, traffic.reorder_ppm) = (0, 0, 0);
    traffic.capacity = traffic.capacity.max(1_024);
    plan.schedule = None;
}

/// Whether the plan is one of those in which lease reads are to be bounded. Where members come, a
/// leader takes them for active before it has heard from them.
pub(super) fn may_be_bounded(plan: &Plan) -> bool {
    !plan.changes_membership() && plan.seed.is_multiple_of(2)
}

/// Keeps a plan within what bounds the age of a lease read.
pub(super) fn bound(plan: &mut Plan) {
    keep_time(plan);
    keep_prompt(plan);
    plan.faults.retain(|fault| fault.what.lease().is_prompt);
}

/// Whether a plan is within that.
pub(super) fn are_bounded(plan: &Plan) -> bool {
    let prompt_us = plan.prompt_us();
    let traffic = &plan.network;
    !plan.changes_membership()
        && plan.schedule.is_none()
        && plan
            .cluster
            .clocks
            .iter()
            .all(|clock| *clock == ClockOptions::default())
        && plan.disk.sync_max_us <= prompt_us
        && traffic.delay_max_us <= prompt_us
        && (traffic.tail_ppm, traffic.reorder_ppm) == (0, 0)
        && plan.faults.iter().all(|fault| fault.what.lease().is_prompt)
}

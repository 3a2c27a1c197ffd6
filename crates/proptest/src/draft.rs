//! From the parts that a strategy has drawn to a plan that can be run.

use super::changes::Wishes;
use super::faults::STORM_US;
use super::options::Settings;
use squall_core::ids::NodeId;
use squall_core::options::Feature;
use squall_core::own::Hazard;
use squall_core::plan::{
    ClockOptions, Cluster, Fault, Heal, KeptClearOf, Plan, VERSION, When, Workload, leave_out,
};
use squall_world::network::LinkOptions;

/// Microseconds between two ticks.
const TICK_US: u64 = 10_000;

/// Election time-outs for convergence after the storm; a run ends as soon as it has converged.
const PATIENCE_ELECTIONS: u64 = 400;

/// The parts of a plan.
pub(super) struct Draft {
    pub(super) seed: u64,
    pub(super) voters: u8,
    pub(super) storm_us: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) changes: Wishes,
    pub(super) options: Settings,
    pub(super) network: LinkOptions,
    pub(super) workload: Workload,
}

impl Draft {
    pub(super) fn into_plan(self, subject: &str, supports: &[Feature]) -> Plan {
        let Settings {
            mut raft,
            mut driver,
            disk,
        } = self.options;
        let joins = u64::from(self.changes.spares > 0);
        let mut cluster = Cluster {
            voters: self.voters,
            learners: self.changes.learners,
            spares: self.changes.spares,
            tick_us: TICK_US,
            first_term: joins,
            first_index: match self.changes.joins_by_log {
                true => 0,
                false => joins,
            },
            clocks: Vec::new(),
        };
        leave_out(
            Feature::missing_from(supports),
            &mut cluster,
            &mut raft,
            &mut driver,
        );
        raft.priorities.truncate(cluster.nodes().into());
        let clear_of = KeptClearOf::these(Hazard::ALL.iter().copied());
        clear_of.settle(&mut cluster, &mut raft, &mut driver);
        cluster.clocks = vec![ClockOptions::default(); cluster.nodes().into()];
        let election_us = u64::from(raft.election_ticks) * TICK_US;
        // What is late after the storm is late several times over.
        let patience_us = 20
            * (driver.apply_lag_us
                + driver.snapshot_install_us
                + driver.snapshot_build_us
                + driver.fetch_us);
        let mut plan = Plan {
            version: VERSION,
            seed: self.seed,
            subject: subject.to_owned(),
            command: None,
            profile: "proptest".to_owned(),
            cluster,
            raft,
            driver,
            network: self.network,
            disk,
            workload: self.workload,
            streams: false,
            schedule: None,
            script: None,
            faults: Vec::new(),
            heal_us: self.storm_us,
            heal: Heal::Everyone,
            end_us: self.storm_us + PATIENCE_ELECTIONS * election_us + patience_us,
        };
        let mut faults = self.changes.faults(&plan, supports);
        let changes = !faults.is_empty();
        let others = self
            .faults
            .into_iter()
            .filter_map(|fault| fit(fault, &plan, supports));
        faults.extend(others);
        keep_disks(&mut faults, &plan, changes);
        for fault in &mut faults {
            if let When::AtUs(at_us) = &mut fault.when {
                *at_us =
                    (u128::from(*at_us) * u128::from(plan.heal_us) / u128::from(STORM_US)) as u64;
            }
        }
        plan.faults = faults;
        // Numbers that are each within their limits may together ask for more memory than a run
        // may.
        while plan.workload.padding_max_bytes > 0 && plan.validate().is_err() {
            plan.workload.padding_max_bytes /= 2;
        }
        plan
    }
}

/// Rot stays on a minority, and away from changes of the membership.
fn keep_disks(faults: &mut Vec<Fault>, plan: &Plan, changes: bool) {
    let spare = match changes {
        true => 0,
        false => usize::from(plan.cluster.voters) - plan.quorum(),
    };
    let mut rotten: Vec<NodeId> = Vec::new();
    faults.retain(|fault| match fault.what.takes_for_good() {
        Some(node) if !rotten.contains(&node) => {
            rotten.push(node);
            rotten.len() <= spare
        }
        Some(node) => rotten.iter().take(spare).any(|other| *other == node),
        None => true,
    });
}

/// The fault with nodes of the plan; none where the plan can have no such fault, or its subject
/// lacks what it is about.
fn fit(mut fault: Fault, plan: &Plan, supports: &[Feature]) -> Option<Fault> {
    let may_be = fault.what.kind().is_supported(supports) && fault.fit(plan);
    may_be.then_some(fault)
}

//! Which plans have a hazard, and how plans keep clear of it.

use super::leases;
use super::{Cluster, Plan, What};
use crate::configuration::{Member, Step};
use crate::faults;
use crate::ids::NodeSet;
use crate::operator::{Admin, Setting};
use crate::options::{DriverOptions, Persistence, RaftOptions};
use crate::own::Hazard;

impl Hazard {
    /// Whether a run of the plan may meet the condition. Never false where it can.
    pub fn is_in(self, plan: &Plan) -> bool {
        let (raft, driver) = (&plan.raft, &plan.driver);
        let ranked = || !raft.priorities.is_empty();
        match self {
            Self::BatchAppendWithBatchedInputs => {
                let on = |admin: &Admin| matches!(admin, Admin::Set(Setting::BatchAppend(true)));
                driver.inputs_per_ready > 1 && (raft.batch_append || plan.asks(on))
            }
            Self::PreVoteWithPrioritiesAtTermZero => {
                raft.pre_vote && ranked() && plan.cluster.first_term == 0
            }
            Self::PrioritiesWithBareQuorum => {
                plan.workload.priorities_stay && plan.ranks_few_voters()
            }
            Self::LoneVoterWithPeers => {
                !driver.send_after_sync && leaves_one_voter(plan, leavers(plan))
            }
            Self::SoleVoterWithUnsavedEntries => {
                let leavers = leavers(plan);
                let some_leave = leavers.iter().next().is_some();
                !saves_first(driver) && some_leave && leaves_one_voter(plan, leavers)
            }
            Self::MixedCheckQuorum => plan.workload.settings_stay && plan.sets_check_quorum(),
            Self::LeaseReadsOfACutOffLeader => {
                let promised = raft.lease_reads && plan.workload.fresh_lease_reads;
                promised && !leases::are_in_touch(plan)
            }
        }
    }
}

/// Whether a driver has nothing that waits to be saved when it takes its next input.
fn saves_first(driver: &DriverOptions) -> bool {
    driver.persistence == Persistence::Synchronous && driver.inputs_per_ready == 1
}

/// Nodes that changes remove or demote.
fn leavers(plan: &Plan) -> NodeSet {
    let mut leave = NodeSet::default();
    for fault in &plan.faults {
        match &fault.what {
            What::Change(faults::Change { change, .. }) => {
                let leaves = |step: &&Step| step.becomes != Member::Voter;
                for step in change.steps.iter().filter(leaves) {
                    leave.add(step.node);
                }
            }
            What::ReplaceDisk(replacement) => leave.add(replacement.node),
            _ => {}
        }
    }
    leave
}

/// Whether one voter, or none, of those that there are at the start is not among the leavers, and
/// there are other nodes.
fn leaves_one_voter(plan: &Plan, leavers: NodeSet) -> bool {
    let nodes = plan.nodes();
    let voters = nodes.iter().take(usize::from(plan.cluster.voters));
    voters.filter(|id| !leavers.has(**id)).count() <= 1 && nodes.len() > 1
}

/// The conditions that a plan which is being drawn keeps clear of.
#[derive(Clone, Debug, Default)]
pub struct KeptClearOf(Vec<Hazard>);

impl KeptClearOf {
    /// These.
    pub fn these(hazards: impl IntoIterator<Item = Hazard>) -> Self {
        Self(hazards.into_iter().collect())
    }

    /// Whether that is one of them.
    pub fn has(&self, hazard: Hazard) -> bool {
        self.0.contains(&hazard)
    }

    /// Takes them out of a plan's settings.
    pub fn settle(
        &self,
        cluster: &mut Cluster,
        raft: &mut RaftOptions,
        driver: &mut DriverOptions,
    ) {
        if raft.batch_append && self.has(Hazard::BatchAppendWithBatchedInputs) {
            driver.inputs_per_ready = 1;
        }
        let ranked = raft.pre_vote && !raft.priorities.is_empty();
        if ranked && self.has(Hazard::PreVoteWithPrioritiesAtTermZero) {
            cluster.first_term = cluster.first_term.max(1);
        }
        if cluster.voters == 1 && self.has(Hazard::LoneVoterWithPeers) {
            driver.send_after_sync = true;
        }
    }

    /// How many voters may be removed or demoted in a run.
    pub fn removals(&self, plan: &Plan) -> usize {
        let driver = &plan.driver;
        let may_stand = saves_first(driver) || !self.has(Hazard::SoleVoterWithUnsavedEntries);
        let may_tell = driver.send_after_sync || !self.has(Hazard::LoneVoterWithPeers);
        match may_stand && may_tell {
            true => usize::MAX,
            // Two voters are left.
            false => usize::from(plan.cluster.voters).saturating_sub(2),
        }
    }

    /// Whether `batch_append` may be switched on while nodes run.
    pub(in crate::plan) fn may_batch(&self, plan: &Plan) -> bool {
        plan.driver.inputs_per_ready == 1 || !self.has(Hazard::BatchAppendWithBatchedInputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own::{KnownIssue, Own};
    use crate::plan::{PlanSpace, Profile};

    /// Plans for a subject with these issues, of which none may be in them.
    fn plans(issues: &'static [KnownIssue]) -> impl Iterator<Item = Plan> {
        let profile = Profile {
            known_issues: [].into(),
            variants: Vec::new(),
            ..Profile::load("findings").unwrap()
        };
        (0..600).map(move |seed| {
            let space = PlanSpace {
                own: Own {
                    issues,
                    ..Own::default()
                },
                ..PlanSpace::new("any", &profile)
            };
            space.draw(seed)
        })
    }

    #[test]
    fn each_is_drawn_unless_a_known_issue_says_to_keep_clear_of_it() {
        for (place, hazard) in Hazard::ALL.iter().enumerate() {
            let count = |issues| plans(issues).filter(|plan| hazard.is_in(plan)).count();
            assert!(count(&[]) > 0, "{hazard:?} is never drawn");
            let issue = KnownIssue::new("it", "", &[]).clear_of(&Hazard::ALL[place..=place]);
            let kept = count(Box::leak(Box::new([issue])));
            // In some plans a link is cut that a lease may stand.
            let most = match hazard {
                Hazard::LeaseReadsOfACutOffLeader => count(&[]) / 2,
                _ => 0,
            };
            assert!(
                kept <= most,
                "{hazard:?} is in {kept} plans that keep clear of it"
            );
        }
    }
}

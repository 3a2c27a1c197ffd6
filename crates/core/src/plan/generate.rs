//! From a seed to a plan: first which kinds of fault and which options exist at
//! all in this run (swarm testing: Groce et al., ISSTA 2012), then how often,
//! then each fault (`generate_faults`), by time or by ordinal.

use super::hazard::KeptClearOf;
use super::{
    ClockOptions, Cluster, DiskOptions, Fault, Heal, Plan, PlanSpace, Profile, VERSION, Workload,
};
use super::{features, generate_own, leases};
use crate::ids::NodeId;
use crate::options::{DriverOptions, Feature, MissedTicks, Persistence, RaftOptions, ReadContext};
use crate::own::Hazard;
use crate::plan::profile::RateMix;
use squall_world::network::LinkOptions;
use squall_world::rng::Choices;

/// After the storm, a cluster gets this many election time-outs to converge. It
/// needs a handful; a run ends as soon as it has converged, so patience is free.
const PATIENCE_ELECTIONS: u64 = 400;

/// The plan of `seed` that `choices` draw.
pub(super) fn draw_plan(choices: Choices, seed: u64, space: PlanSpace<'_>) -> Plan {
    let supports = space.supports;
    let profile = space.profile_of(seed);
    let mut draw = Draw {
        profile,
        supports,
        clear_of: space.kept_clear_of(seed),
        choices,
        may_rot: Vec::new(),
    };
    let mut cluster = draw.cluster();
    let mut raft = draw.raft(&cluster);
    let mut driver = draw.driver(&cluster, space);
    features::leave_out(
        Feature::missing_from(supports),
        &mut cluster,
        &mut raft,
        &mut driver,
    );
    draw.clear_of.settle(&mut cluster, &mut raft, &mut driver);
    let network = draw.network(&cluster);
    let storm_us = draw.range(profile.storm_ticks) * cluster.tick_us;
    let election_us = u64::from(raft.election_ticks) * cluster.tick_us;
    let sync_max_us = draw.skewed(profile.sync_max_us);
    let mut plan = Plan {
        version: VERSION,
        seed,
        subject: space.subject.to_owned(),
        command: space.command.map(str::to_owned),
        profile: profile.name.clone(),
        workload: draw.workload(election_us),
        disk: DiskOptions {
            sync_min_us: sync_max_us / 8,
            sync_max_us,
        },
        cluster,
        raft,
        driver,
        network,
        streams: space.own.uses_streams,
        schedule: None,
        script: None,
        faults: Vec::new(),
        heal_us: storm_us,
        heal: Heal::Everyone,
        end_us: storm_us + PATIENCE_ELECTIONS * election_us,
    };
    plan.heal = draw.heal(&plan);
    plan.faults = draw.faults(&plan);
    if plan.changes_membership() {
        // What rots is gone for good, and which nodes can be spared is not known beforehand.
        let rots = |fault: &Fault| fault.what.takes_for_good().is_some();
        plan.faults.retain(|fault| !rots(fault));
    }
    if plan.raft.lease_reads && plan.workload.fresh_lease_reads {
        leases::keep_time(&mut plan);
        if draw.clear_of.has(Hazard::LeaseReadsOfACutOffLeader) {
            leases::keep_in_touch(&mut plan);
        }
    } else if plan.raft.lease_reads && leases::may_be_bounded(&plan) {
        leases::bound(&mut plan);
    }
    generate_own::draw_values(&mut plan, space);
    space.fit(plan)
}

pub(crate) struct Draw<'a> {
    pub(crate) profile: &'a Profile,
    pub(super) supports: &'a [Feature],
    /// Conditions that the subject is known not to stand.
    pub(super) clear_of: KeptClearOf,
    pub(crate) choices: Choices,
    /// Nodes that may be lost for good: a minority that the heal does not need.
    pub(crate) may_rot: Vec<NodeId>,
}

impl Draw<'_> {
    pub(super) fn percent(&mut self, percent: u8) -> bool {
        self.choices.chance_ppm(u32::from(percent) * 10_000)
    }

    /// As [`Draw::percent`], and draws nothing where the answer is always no, so that a profile
    /// without what is asked for has the same plans as before there was such a thing.
    pub(crate) fn seldom(&mut self, percent: u8) -> bool {
        percent > 0 && self.percent(percent)
    }

    pub(super) fn range(&mut self, [low, high]: [u64; 2]) -> u64 {
        self.choices.between(low, high)
    }

    pub(super) fn skewed(&mut self, [low, high]: [u64; 2]) -> u64 {
        self.choices.skewed(low, high)
    }

    fn rate(&mut self, mix: RateMix) -> u32 {
        if self.percent(mix.percent) {
            self.skewed(mix.ppm) as u32
        } else {
            0
        }
    }

    fn cluster(&mut self) -> Cluster {
        let voters = *self.choices.pick(&self.profile.voters);
        let skewed = self.percent(self.profile.skewed_clocks_percent);
        let changes = self.percent(self.profile.membership_percent);
        let (learners, spares) = match changes {
            true => (
                self.choices.below(3) as u8,
                self.choices.between(1, 4) as u8,
            ),
            false => (0, 0),
        };
        let clocks = (0..voters + learners + spares)
            .map(|_| match skewed {
                true => ClockOptions {
                    offset_us: self.choices.below(1_000_000),
                    drift_ppm: self.choices.between(0, 100_000) as i32 - 50_000,
                },
                false => ClockOptions::default(),
            })
            .collect();
        Cluster {
            voters,
            learners,
            spares,
            tick_us: self.range(self.profile.tick_us),
            first_term: match self.percent(self.profile.later_first_term_percent) {
                true => self.choices.between(1, 6),
                false => u64::from(changes),
            },
            first_index: match changes {
                // Who joins learns the configuration from the whole log, or from a snapshot.
                true => match self.choices.between(1, 10) {
                    index @ 1..=6 => index,
                    _ => 0,
                },
                false => 0,
            },
            clocks,
        }
    }

    fn raft(&mut self, cluster: &Cluster) -> RaftOptions {
        let mix = &self.profile.raft;
        let plain = RaftOptions::default();
        let election_ticks = self.range(mix.election_ticks) as u32;
        let mut small = |percent, low, high, plain| match self.percent(percent) {
            true => self.choices.skewed(low, high),
            false => plain,
        };
        let max_size_per_message = small(
            mix.small_messages_percent,
            0,
            200,
            plain.max_size_per_message,
        );
        RaftOptions {
            max_inflight_messages: small(
                mix.small_inflight_percent,
                1,
                8,
                plain.max_inflight_messages.into(),
            ) as u32,
            max_size_per_message,
            max_committed_size_per_ready: small(
                mix.small_ready_percent,
                0,
                200,
                plain.max_committed_size_per_ready,
            ),
            pre_vote: self.percent(mix.pre_vote_percent),
            check_quorum: self.percent(mix.check_quorum_percent),
            election_ticks,
            heartbeat_ticks: self
                .choices
                .between(1, u64::from(election_ticks / 4).max(1))
                as u32,
            batch_append: self.percent(mix.batch_append_percent),
            skip_broadcast_commit: self.percent(mix.skip_broadcast_commit_percent),
            priorities: match self.percent(mix.priorities_percent) {
                true => (0..cluster.nodes())
                    .map(|_| self.choices.below(4) as i64)
                    .collect(),
                false => Vec::new(),
            },
            lease_reads: self.percent(mix.lease_reads_percent),
            max_uncommitted_size: match self.percent(mix.uncommitted_limit_percent) {
                true => max_size_per_message + self.choices.skewed(1, 400),
                false => plain.max_uncommitted_size,
            },
            group_commit: self.percent(mix.group_commit_percent),
        }
    }

    fn driver(&mut self, cluster: &Cluster, space: PlanSpace<'_>) -> DriverOptions {
        let mix = &self.profile.driver;
        let tick_us = cluster.tick_us;
        DriverOptions {
            persistence: match self.percent(mix.asynchronous_percent) {
                true => Persistence::Asynchronous,
                false => Persistence::Synchronous,
            },
            inputs_per_ready: match self.percent(mix.batched_inputs_percent) {
                true if self.seldom(mix.large_batches_percent) => {
                    self.choices.between(17, 256) as u32
                }
                true => self.choices.between(2, 16) as u32,
                false => 1,
            },
            apply_lag_us: match self.percent(mix.apply_lag_percent) {
                true => self.choices.skewed(1, 10 * tick_us),
                false => 0,
            },
            snapshot_every_bytes: self.skewed(mix.snapshot_every_bytes),
            keep_entries: self.skewed(mix.keep_entries),
            snapshot_install_us: match self.percent(mix.background_install_percent) {
                true => self.choices.between(1, 40 * tick_us),
                false => 0,
            },
            snapshot_build_us: match self.percent(mix.background_build_percent) {
                true => self.choices.between(1, 20 * tick_us),
                false => 0,
            },
            fetch_us: match self.percent(mix.background_fetch_percent) {
                true => self.choices.between(1, 10 * tick_us),
                false => 0,
            },
            send_after_sync: self.percent(mix.other_orders_percent),
            acknowledge_newest: self.percent(mix.other_orders_percent),
            own: generate_own::orders(space, self.percent(mix.other_orders_percent)),
            read_context: match self.percent(mix.reused_read_context_percent) {
                true => ReadContext::Request,
                false => ReadContext::Fresh,
            },
            missed_ticks: match self.percent(mix.burst_ticks_percent) {
                true => MissedTicks::Burst,
                false => MissedTicks::Skip,
            },
        }
    }

    fn network(&mut self, cluster: &Cluster) -> LinkOptions {
        let mix = &self.profile.network;
        let delay_max_us = self.skewed(mix.delay_max_us);
        let small = self.percent(mix.small_capacity_percent);
        LinkOptions {
            delay_min_us: delay_max_us / self.choices.between(1, 8),
            delay_max_us,
            tail_ppm: self.rate(mix.tail),
            tail_max_us: self.choices.between(cluster.tick_us, 40 * cluster.tick_us),
            loss_ppm: self.rate(mix.loss),
            duplicate_ppm: self.rate(mix.duplicate),
            reorder_ppm: self.rate(mix.reorder),
            capacity: match small {
                true => self.choices.between(2, 8) as u32,
                false => 1_024,
            },
        }
    }

    fn workload(&mut self, election_us: u64) -> Workload {
        let mix = &self.profile.workload;
        let think_max_us = self.range(mix.think_max_us);
        Workload {
            clients: self.range(mix.clients) as u32,
            think_min_us: think_max_us / 10,
            think_max_us,
            timeout_us: self.choices.between(election_us / 4, 3 * election_us),
            padding_max_bytes: self.skewed(mix.padding_max_bytes) as u32,
            retries: self.range(mix.retries) as u32,
            crash_percent: match self.percent(mix.crash_percent) {
                true => self.choices.between(1, 30) as u8,
                false => 0,
            },
            reads_percent: self.range(mix.reads_percent) as u8,
            locks_percent: self.range(mix.locks_percent) as u8,
            lease_us: self.choices.between(election_us, 10 * election_us),
            fresh_lease_reads: self.percent(mix.fresh_lease_reads_percent),
            leases_by_leader: self.seldom(mix.leases_by_leader_percent),
            settings_stay: !self.clear_of.has(Hazard::MixedCheckQuorum),
            priorities_stay: !self.clear_of.has(Hazard::PrioritiesWithBareQuorum),
        }
    }

    fn heal(&mut self, plan: &Plan) -> Heal {
        let wanted = self.percent(self.profile.quorum_heal_percent);
        // Where membership changes, a majority that is left may be all of one group.
        let may_split = !plan.raft.group_commit || plan.cluster.nodes() == plan.cluster.voters;
        if !wanted || plan.cluster.voters < 3 || !may_split {
            return Heal::Everyone;
        }
        let mut nodes: Vec<NodeId> = (1..=plan.cluster.voters).map(NodeId).collect();
        self.choices.shuffle(&mut nodes);
        let others = nodes.split_off(plan.quorum());
        let group = |node: &NodeId| node.0 % 2;
        let first = group(&nodes[0]);
        if plan.raft.group_commit && nodes.iter().all(|node| group(node) == first) {
            // Nothing commits before it is in both groups.
            let other = others.into_iter().find(|node| group(node) != first);
            nodes[0] = other.expect("of several voters some are even and some odd");
        }
        nodes.sort();
        Heal::Quorum(nodes)
    }
}

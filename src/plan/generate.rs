//! From a seed to a plan: first which kinds of fault and which options exist at
//! all in this run (swarm testing: Groce et al., ISSTA 2012), then how often,
//! then each fault, by time or by ordinal.

use super::features;
use super::leases;
use super::{
    ClockOptions, Cluster, DiskOptions, Fault, FaultKind, Heal, JournalName, LossMode, Plan,
    Profile, VERSION, What, When, Workload,
};
use crate::admin::{Admin, Setting};
use crate::net::{Traffic, Trouble};
use crate::options::{DriverOptions, Feature, MissedTicks, Persistence, RaftOptions, ReadContext};
use crate::plan::profile::RateMix;
use crate::replica::MessageKind;
use crate::rng::Choices;
use crate::types::NodeId;

/// After the storm, a cluster gets this many election time-outs to converge. It
/// needs a handful; a run ends as soon as it has converged, so patience is free.
const PATIENCE_ELECTIONS: u64 = 400;

/// The plan of `seed` for `subject`, as `profile` draws it, without what the subject `lacks`.
///
/// The same arguments give the same plan in every process of one version of
/// this crate. A later version may draw differently: keep plans, not seeds.
pub fn generate(seed: u64, subject: &str, lacks: &[Feature], profile: &Profile) -> Plan {
    let choices = Choices::labelled(seed, "plan", 0);
    draw_plan(choices, seed, subject, lacks, profile)
}

/// The plan that `bytes` choose instead of a seed: see [`Choices::finite`]. The first eight are the
/// seed of what the run itself draws.
pub fn generate_from_bytes(
    bytes: &[u8],
    subject: &str,
    lacks: &[Feature],
    profile: &Profile,
) -> Plan {
    let mut choices = Choices::finite(bytes);
    let seed = choices.word();
    draw_plan(choices, seed, subject, lacks, profile)
}

fn draw_plan(
    choices: Choices,
    seed: u64,
    subject: &str,
    lacks: &[Feature],
    profile: &Profile,
) -> Plan {
    let profile = profile.of_seed(seed);
    let mut draw = Draw {
        profile,
        lacks,
        choices,
    };
    let mut cluster = draw.cluster();
    let mut raft = draw.raft(&cluster);
    let mut driver = draw.driver(&cluster);
    features::leave_out(lacks, &mut cluster, &mut raft, &mut driver);
    profile
        .findings
        .leave_out(&mut cluster, &mut raft, &mut driver);
    let network = draw.network(&cluster);
    let storm_us = draw.range(profile.storm_ticks) * cluster.tick_us;
    let election_us = u64::from(raft.election_ticks) * cluster.tick_us;
    let sync_max_us = draw.skewed(profile.sync_max_us);
    let mut plan = Plan {
        version: VERSION,
        seed,
        subject: subject.to_owned(),
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
        schedule: None,
        script: None,
        faults: Vec::new(),
        heal_us: storm_us,
        heal: Heal::Everyone,
        end_us: storm_us + PATIENCE_ELECTIONS * election_us,
    };
    plan.heal = draw.heal(&plan);
    plan.faults = draw.faults(&plan, election_us);
    if plan.changes_membership() {
        // What rots is gone for good, and which nodes can be spared is not known beforehand.
        let rots = |fault: &Fault| matches!(fault.what, What::Rot { .. });
        plan.faults.retain(|fault| !rots(fault));
    }
    if plan.raft.lease_reads && plan.workload.fresh_lease_reads {
        leases::keep_time(&mut plan);
        if !profile.findings.lease_reads_of_a_cut_off_leader {
            leases::keep_in_touch(&mut plan);
        }
    } else if plan.raft.lease_reads && leases::may_be_bounded(&plan) {
        leases::bound(&mut plan);
    }
    plan
}

pub(super) struct Draw<'a> {
    pub(super) profile: &'a Profile,
    pub(super) lacks: &'a [Feature],
    pub(super) choices: Choices,
}

impl Draw<'_> {
    pub(super) fn percent(&mut self, percent: u8) -> bool {
        self.choices.chance_ppm(u32::from(percent) * 10_000)
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
                true => self.choices.between(1, 10),
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

    fn driver(&mut self, cluster: &Cluster) -> DriverOptions {
        let mix = &self.profile.driver;
        let tick_us = cluster.tick_us;
        DriverOptions {
            persistence: match self.percent(mix.asynchronous_percent) {
                true => Persistence::Asynchronous,
                false => Persistence::Synchronous,
            },
            inputs_per_ready: match self.percent(mix.batched_inputs_percent) {
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
            // Left to the findings.
            applied_when_installed: false,
            send_after_sync: self.percent(mix.other_orders_percent),
            acknowledge_newest: self.percent(mix.other_orders_percent),
            advance_whole: self.percent(mix.other_orders_percent),
            step_down_when_removed: !self.profile.findings.removed_leader_runs_on,
            apply_changes_early: self.profile.findings.auto_leave_before_advance,
            snapshot_requests_ahead: self.profile.findings.requested_snapshot_drops_entries,
            snapshot_requests_block: self.profile.findings.snapshot_requests_block,
            deaf_in_later_term: self.profile.findings.learners_in_a_later_term,
            campaign_as_outsider: self.profile.findings.outsider_campaigns,
            forget_vote_when_removed: self.profile.findings.removed_leader_forgets_its_vote,
            merge_across_terms: self.profile.findings.append_merged_across_terms,
            remove_needed_voters: self.profile.findings.removed_voter_is_needed,
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

    fn network(&mut self, cluster: &Cluster) -> Traffic {
        let mix = &self.profile.network;
        let delay_max_us = self.skewed(mix.delay_max_us);
        let small = self.percent(mix.small_capacity_percent);
        Traffic {
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
            settings_stay: self.profile.findings.mixed_check_quorum,
            priorities_stay: self.profile.findings.priorities_with_bare_quorum,
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

    fn faults(&mut self, plan: &Plan, election_us: u64) -> Vec<Fault> {
        let mut faults = Vec::new();
        let voters = || (1..=plan.cluster.voters).map(NodeId);
        // Rot is for good, so it stays on a minority that the heal does not need.
        let mut may_rot: Vec<NodeId> = match &plan.heal {
            Heal::Everyone => voters().collect(),
            Heal::Quorum(kept) => voters().filter(|node| !kept.contains(node)).collect(),
        };
        self.choices.shuffle(&mut may_rot);
        // With group commit, those that are left must be of both groups: who is healed is.
        let spare = match plan.raft.group_commit && plan.heal == Heal::Everyone {
            true => 0,
            false => voters().count() - plan.quorum(),
        };
        may_rot.truncate(spare);
        let profile = self.profile;
        for (kind, mix) in &profile.faults {
            if !self.percent(mix.percent) {
                continue;
            }
            let count = self.range(mix.count);
            if features::is_lacking(self.lacks, *kind) {
                continue;
            }
            if *kind == FaultKind::Change {
                faults.extend(self.changes(plan, count));
                continue;
            }
            for _ in 0..count {
                let what = match kind {
                    FaultKind::Rot if may_rot.is_empty() => continue,
                    FaultKind::Rot => What::Rot {
                        node: *self.choices.pick(&may_rot),
                        journal: *self.choices.pick(&[
                            JournalName::HardState,
                            JournalName::Log,
                            JournalName::Snapshot,
                        ]),
                    },
                    _ if plan.nodes().len() == 1 && needs_peers(*kind) => continue,
                    _ => self.what(*kind, plan, election_us),
                };
                let when = self.when(&what, plan);
                faults.push(Fault { when, what });
            }
        }
        faults
    }

    /// How long a fault lasts: a blink, or long enough for an election or a few.
    fn span(&mut self, tick_us: u64, election_us: u64) -> u64 {
        match self.choices.below(3) {
            0 => self.choices.skewed(tick_us / 2, 8 * election_us),
            _ => self.choices.between(election_us / 2, 6 * election_us),
        }
    }

    /// How late a message is: by little, or so much that its sender may have stood for election again since.
    fn lateness(&mut self, election_us: u64) -> u64 {
        match self.choices.below(2) {
            0 => self.choices.skewed(1, 10 * election_us),
            _ => self.choices.between(election_us, 10 * election_us),
        }
    }

    pub(super) fn node(&mut self, plan: &Plan) -> NodeId {
        NodeId(self.choices.between(1, plan.cluster.nodes().into()) as u8)
    }

    /// Some nodes, but not all.
    fn some_nodes(&mut self, plan: &Plan) -> Vec<NodeId> {
        let mut nodes = plan.nodes();
        self.choices.shuffle(&mut nodes);
        let count = self.choices.between(1, nodes.len() as u64 - 1);
        nodes.truncate(count as usize);
        nodes.sort();
        nodes
    }

    /// Links from some nodes to some others.
    fn links(&mut self, plan: &Plan) -> (Vec<NodeId>, Vec<NodeId>) {
        let from = self.some_nodes(plan);
        let others: Vec<NodeId> = plan
            .nodes()
            .into_iter()
            .filter(|node| !from.contains(node))
            .collect();
        match self.choices.below(3) {
            0 => (from, vec![*self.choices.pick(&others)]),
            1 => (others, from),
            _ => (from, others),
        }
    }

    fn what(&mut self, kind: FaultKind, plan: &Plan, election_us: u64) -> What {
        let tick_us = plan.cluster.tick_us;
        let node = self.node(plan);
        let for_us = self.span(tick_us, election_us);
        match kind {
            FaultKind::Crash => What::Crash {
                node,
                loss: *self.choices.pick(&LossMode::ALL),
                down_us: self.span(tick_us, election_us),
            },
            FaultKind::Pause => What::Pause { node, for_us },
            FaultKind::Cut => {
                let (from, to) = self.links(plan);
                What::Cut { from, to, for_us }
            }
            FaultKind::Split => What::Split {
                side: self.some_nodes(plan),
                for_us,
            },
            FaultKind::IsolateLeader => What::IsolateLeader { for_us },
            FaultKind::Trouble => {
                let (from, to) = self.links(plan);
                let mut ppm = || match self.choices.below(3) {
                    0 => 0,
                    1 => self.choices.skewed(1_000, 600_000) as u32,
                    _ => self.choices.between(1_000, 600_000) as u32,
                };
                let trouble = Trouble {
                    loss_ppm: ppm(),
                    duplicate_ppm: ppm(),
                    reorder_ppm: ppm(),
                    tail_ppm: ppm(),
                    tail_max_us: 10 * election_us,
                };
                What::Trouble {
                    from,
                    to,
                    trouble,
                    for_us,
                }
            }
            FaultKind::Burst => {
                let (from, to) = self.links(plan);
                What::Burst { from, to, for_us }
            }
            FaultKind::SlowNode => What::SlowNode {
                node,
                extra_us: self.choices.skewed(tick_us / 2, election_us),
                for_us,
            },
            FaultKind::LoseMessage => What::LoseMessage,
            FaultKind::DuplicateMessage => What::DuplicateMessage {
                after_us: self.lateness(election_us),
            },
            FaultKind::DelayMessage => What::DelayMessage {
                by_us: self.lateness(election_us),
            },
            FaultKind::SlowDisk => What::SlowDisk {
                node,
                sync_us: self.choices.skewed(tick_us / 2, 4 * election_us),
                for_us,
            },
            FaultKind::FailSync => What::FailSync { node },
            FaultKind::FullDisk => What::FullDisk { node, for_us },
            FaultKind::Jump => {
                let by_us = self.choices.skewed(1, 4 * election_us) as i64;
                let back = self.choices.below(2) == 0;
                What::Jump {
                    node,
                    by_us: if back { -by_us } else { by_us },
                }
            }
            FaultKind::Drift => {
                let ppm = self.choices.skewed(1_000, 500_000) as i32;
                let slow = self.choices.below(2) == 0;
                What::Drift {
                    node,
                    ppm: if slow { -ppm } else { ppm },
                    for_us,
                }
            }
            FaultKind::Rot | FaultKind::Change => unreachable!("drawn with their budget"),
            FaultKind::Transfer => What::Ask {
                node: None,
                admin: Admin::TransferLeader { to: node },
            },
            FaultKind::Campaign => What::Ask {
                node: Some(node),
                admin: Admin::Campaign,
            },
            FaultKind::RequestSnapshot => What::Ask {
                node: Some(node),
                admin: Admin::RequestSnapshot,
            },
            FaultKind::Ping => What::Ask {
                node: None,
                admin: Admin::Ping,
            },
            FaultKind::Set => What::Ask {
                node: Some(node),
                admin: Admin::Set(self.setting(plan)),
            },
        }
    }

    fn setting(&mut self, plan: &Plan) -> Setting {
        let on = self.choices.below(2) == 0;
        match self.choices.below(7) {
            0 => Setting::BatchAppend(on && self.profile.findings.may_batch(plan)),
            1 => Setting::SkipBroadcastCommit(on),
            // Reads by lease are promised nothing without it.
            2 => Setting::CheckQuorum(on || plan.raft.lease_reads),
            3 if !plan.raft.priorities.is_empty() => {
                Setting::Priority(self.choices.below(4) as i64)
            }
            6 if plan.raft.group_commit => Setting::GroupCommit(on),
            3 | 4 => Setting::MaxInflight(self.choices.skewed(0, 16) as u32),
            _ => Setting::MaxCommittedSize(self.choices.skewed(0, 4096)),
        }
    }

    /// A kind of message that this run will send.
    fn message_kind(&mut self, plan: &Plan) -> MessageKind {
        let sent = |kind: &MessageKind| match kind {
            MessageKind::PreVote | MessageKind::PreVoteReply => plan.raft.pre_vote,
            MessageKind::TimeoutNow => self.profile.faults.contains_key(&FaultKind::Transfer),
            _ => true,
        };
        let kinds: Vec<MessageKind> = MessageKind::ALL.into_iter().filter(sent).collect();
        *self.choices.pick(&kinds)
    }

    fn when(&mut self, what: &What, plan: &Plan) -> When {
        let on_message = matches!(
            what,
            What::LoseMessage | What::DuplicateMessage { .. } | What::DelayMessage { .. }
        );
        if !on_message && !self.percent(self.profile.ordinal_percent) {
            return When::AtUs(self.choices.below(plan.heal_us.max(1)));
        }
        let node = match what {
            What::Crash { node, .. } | What::FailSync { node } | What::SlowDisk { node, .. } => {
                *node
            }
            _ => self.node(plan),
        };
        if matches!(what, What::Crash { .. }) && self.percent(self.profile.overwrite_percent) {
            return When::Overwrite {
                node,
                nth: self.choices.skewed(1, 4) as u32,
            };
        }
        if !on_message && (plan.nodes().len() == 1 || self.choices.below(2) == 0) {
            return When::Sync {
                node,
                nth: self.choices.skewed(1, 100) as u32,
            };
        }
        let mut others = plan.nodes();
        others.retain(|other| *other != node);
        When::Message {
            from: node,
            to: *self.choices.pick(&others),
            kind: self.message_kind(plan),
            nth: self.choices.skewed(1, 60) as u32,
        }
    }
}

fn needs_peers(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Cut
        | FaultKind::Split
        | FaultKind::IsolateLeader
        | FaultKind::Trouble
        | FaultKind::Burst
        | FaultKind::SlowNode
        | FaultKind::LoseMessage
        | FaultKind::DuplicateMessage
        | FaultKind::DelayMessage
        | FaultKind::Transfer
        | FaultKind::RequestSnapshot => true,
        FaultKind::Crash
        | FaultKind::Pause
        | FaultKind::SlowDisk
        | FaultKind::FailSync
        | FaultKind::FullDisk
        | FaultKind::Rot
        | FaultKind::Jump
        | FaultKind::Drift
        | FaultKind::Change
        | FaultKind::Campaign
        | FaultKind::Ping
        | FaultKind::Set => false,
    }
}

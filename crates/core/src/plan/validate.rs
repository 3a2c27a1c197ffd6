//! What a plan may ask for. Every number that a person or a fuzzer could get
//! wrong is checked here, once, so that engines need not.

use super::cost::MOST_FAULTS;
use super::{Cluster, Fault, Heal, MAX_NODES, MAX_VOTERS, Plan, What};
use crate::ids::NodeId;
use crate::operator::{Admin, Setting};
use squall_world::network::{LinkDegradation, LinkOptions};
use squall_world::rng::PPM;

/// Longest run a plan may ask for: a week of simulated time.
pub const MAX_TIME_US: u64 = 7 * 24 * 3600 * 1_000_000;

/// Election time-outs that a plan must leave for convergence after the storm.
const LEAST_PATIENCE_ELECTIONS: u64 = 50;

/// What those that are left must be with group commit.
const OF_BOTH_GROUPS: &str = "such that nodes of both groups are left, odd and even ones: with group_commit nothing is committed before it is in both";

/// Something a plan asks for that cannot be, and what could.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; it must be {legal}")]
pub struct Impossible {
    /// Which part of the plan.
    pub field: String,
    /// What it holds.
    pub value: String,
    /// What would be legal.
    pub legal: String,
}

pub(crate) fn check<T: std::fmt::Display>(
    holds: bool,
    field: impl Into<String>,
    value: T,
    legal: impl Into<String>,
) -> Result<(), Impossible> {
    if holds {
        return Ok(());
    }
    Err(Impossible {
        field: field.into(),
        value: value.to_string(),
        legal: legal.into(),
    })
}

fn ordered(field: &str, low: u64, high: u64) -> Result<(), Impossible> {
    check(
        low <= high,
        format!("{field}_min_us"),
        low,
        format!("no more than {field}_max_us, which is {high}"),
    )
}

pub(crate) fn at_most(field: impl Into<String>, value: u64, most: u64) -> Result<(), Impossible> {
    check(value <= most, field, value, format!("at most {most}"))
}

impl Plan {
    /// Makes sure that the plan can be run.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn validate(&self) -> Result<(), Impossible> {
        let voters = self.cluster.voters;
        check(
            (1..=MAX_VOTERS).contains(&voters),
            "cluster.voters",
            voters,
            format!("1 to {MAX_VOTERS}"),
        )?;
        let Cluster {
            learners, spares, ..
        } = self.cluster;
        let nodes = u16::from(voters) + u16::from(learners) + u16::from(spares);
        check(
            nodes <= MAX_NODES.into(),
            "cluster.voters, learners and spares together",
            nodes,
            format!("at most {MAX_NODES}"),
        )?;
        check(
            self.cluster.first_index == 0 || self.cluster.first_term > 0,
            "cluster.first_term",
            0,
            "at least 1 with a first_index: what a snapshot stands for has a term",
        )?;
        at_most("cluster.first_index", self.cluster.first_index, 1 << 32)?;
        check(
            (100..=10_000_000).contains(&self.cluster.tick_us),
            "cluster.tick_us",
            self.cluster.tick_us,
            "100 to 10000000",
        )?;
        check(
            self.cluster.clocks.len() == usize::from(nodes),
            "cluster.clocks",
            format!("a list of {}", self.cluster.clocks.len()),
            format!("one for each of the {nodes} nodes"),
        )?;
        for clock in &self.cluster.clocks {
            drift_is_legal("cluster.clocks.drift_ppm", clock.drift_ppm)?;
            at_most("cluster.clocks.offset_us", clock.offset_us, MAX_TIME_US)?;
        }
        at_most("cluster.first_term", self.cluster.first_term, 1 << 32)?;
        self.validate_options()?;
        traffic(&self.network)?;
        ordered("disk.sync", self.disk.sync_min_us, self.disk.sync_max_us)?;
        at_most("disk.sync_max_us", self.disk.sync_max_us, MAX_TIME_US)?;
        let workload = &self.workload;
        ordered(
            "workload.think",
            workload.think_min_us,
            workload.think_max_us,
        )?;
        at_most("workload.think_max_us", workload.think_max_us, MAX_TIME_US)?;
        check(
            (1..=MAX_TIME_US).contains(&workload.timeout_us),
            "workload.timeout_us",
            workload.timeout_us,
            format!("1 to {MAX_TIME_US}"),
        )?;
        check(
            workload.clients == 0 || workload.think_max_us > 0,
            "workload.think_max_us",
            0,
            "at least 1, or a refused client would ask again at the same instant for ever",
        )?;
        at_most("workload.clients", workload.clients.into(), 10_000)?;
        at_most(
            "workload.padding_max_bytes",
            workload.padding_max_bytes.into(),
            1 << 20,
        )?;
        at_most("workload.retries", workload.retries.into(), 1_000)?;
        for (name, percent) in [
            ("crash_percent", workload.crash_percent),
            ("reads_percent", workload.reads_percent),
            ("locks_percent", workload.locks_percent),
        ] {
            at_most(format!("workload.{name}"), percent.into(), 100)?;
        }
        at_most("workload.lease_us", workload.lease_us, MAX_TIME_US)?;
        let tick_us = self.cluster.tick_us;
        check(
            !workload.leases_by_leader || workload.lease_us >= tick_us,
            "workload.lease_us",
            workload.lease_us,
            format!("at least cluster.tick_us, which is {tick_us}, where leaders keep leases"),
        )?;
        check(
            !self.raft.lease_reads || self.raft.check_quorum,
            "raft.lease_reads",
            true,
            "false without check_quorum, which leases rest on",
        )?;
        at_most("end_us", self.end_us, MAX_TIME_US)?;
        check(
            self.heal_us < self.end_us,
            "end_us",
            self.end_us,
            format!("later than heal_us, which is {}", self.heal_us),
        )?;
        let driver = &self.driver;
        let needed_us = LEAST_PATIENCE_ELECTIONS * self.election_us()
            + 4 * (driver.apply_lag_us
                + driver.snapshot_install_us
                + driver.snapshot_build_us
                + driver.fetch_us);
        check(
            self.end_us - self.heal_us >= needed_us,
            "end_us",
            self.end_us,
            format!(
                "at least {needed_us} after heal_us, which is {}: {LEAST_PATIENCE_ELECTIONS} election time-outs and four times what applying may take",
                self.heal_us
            ),
        )?;
        self.validate_script()?;
        self.validate_schedule()?;
        self.validate_faults()?;
        self.validate_heal()?;
        self.validate_cost()
    }

    fn validate_options(&self) -> Result<(), Impossible> {
        let raft = &self.raft;
        check(
            raft.heartbeat_ticks >= 1,
            "raft.heartbeat_ticks",
            raft.heartbeat_ticks,
            "at least 1",
        )?;
        check(
            raft.election_ticks > raft.heartbeat_ticks && raft.election_ticks <= 10_000,
            "raft.election_ticks",
            raft.election_ticks,
            format!(
                "more than heartbeat_ticks, which is {}, and at most 10000",
                raft.heartbeat_ticks
            ),
        )?;
        check(
            (1..=65_536).contains(&raft.max_inflight_messages),
            "raft.max_inflight_messages",
            raft.max_inflight_messages,
            "1 to 65536",
        )?;
        check(
            raft.priorities.is_empty()
                || raft.priorities.len() == usize::from(self.cluster.nodes()),
            "raft.priorities",
            format!("a list of {}", raft.priorities.len()),
            format!(
                "empty, or one for each of the {} nodes",
                self.cluster.nodes()
            ),
        )?;
        check(
            raft.max_uncommitted_size == 0
                || raft.max_uncommitted_size >= raft.max_size_per_message,
            "raft.max_uncommitted_size",
            raft.max_uncommitted_size,
            format!(
                "0, or at least max_size_per_message, which is {}",
                raft.max_size_per_message
            ),
        )?;
        let driver = &self.driver;
        check(
            driver.inputs_per_ready == 1 || raft.election_ticks >= 4,
            "raft.election_ticks",
            raft.election_ticks,
            "at least 4 with driver.inputs_per_ready above 1: a driver that batches adds a tick to each hop",
        )?;
        check(
            (1..=10_000).contains(&driver.inputs_per_ready),
            "driver.inputs_per_ready",
            driver.inputs_per_ready,
            "1 to 10000",
        )?;
        check(
            driver.snapshot_every_bytes >= 1,
            "driver.snapshot_every_bytes",
            driver.snapshot_every_bytes,
            "at least 1",
        )?;
        at_most("driver.apply_lag_us", driver.apply_lag_us, MAX_TIME_US)?;
        at_most(
            "driver.snapshot_install_us",
            driver.snapshot_install_us,
            MAX_TIME_US,
        )?;
        at_most(
            "driver.snapshot_build_us",
            driver.snapshot_build_us,
            MAX_TIME_US,
        )?;
        at_most("driver.fetch_us", driver.fetch_us, MAX_TIME_US)?;
        at_most("driver.keep_entries", driver.keep_entries, 1 << 32)
    }

    fn validate_heal(&self) -> Result<(), Impossible> {
        let rotten: Vec<NodeId> = self
            .nodes()
            .into_iter()
            .filter(|id| {
                let goes = |fault: &Fault| fault.what.takes_for_good() == Some(*id);
                self.faults.iter().any(goes)
            })
            .collect();
        check(
            rotten.is_empty() || !self.changes_membership(),
            "faults.rot",
            "together with changes of the configuration",
            "without them: which disks can be spared would depend on the run",
        )?;
        let spare = usize::from(self.cluster.voters) - self.quorum();
        check(
            rotten.len() <= spare,
            "faults.rot",
            format!("on {} nodes", rotten.len()),
            format!(
                "on at most {spare} of {}: Raft promises nothing without a majority of disks",
                self.cluster.voters
            ),
        )?;
        let voters: Vec<NodeId> = (1..=self.cluster.voters).map(NodeId).collect();
        let spared: Vec<NodeId> = voters
            .iter()
            .copied()
            .filter(|id| !rotten.contains(id))
            .collect();
        check(
            rotten.is_empty() || self.may_commit(&spared),
            "faults.rot",
            "on all disks of a group",
            OF_BOTH_GROUPS,
        )?;
        let Heal::Quorum(members) = &self.heal else {
            return Ok(());
        };
        self.known_nodes("heal.quorum", members)?;
        let mut distinct = members.clone();
        distinct.sort();
        distinct.dedup();
        check(
            distinct.len() == members.len() && members.len() >= self.quorum(),
            "heal.quorum",
            format!("a list of {} different nodes", distinct.len()),
            format!("at least {} different nodes", self.quorum()),
        )?;
        check(
            self.may_commit(members),
            "heal.quorum",
            "a list of nodes of one group",
            OF_BOTH_GROUPS,
        )?;
        check(
            !members.iter().any(|member| rotten.contains(member)),
            "heal.quorum",
            "with a node whose disk rots",
            "of nodes whose disks do not rot",
        )
    }

    /// Whether those that are left are of both groups, where an entry must be in both to be
    /// committed.
    fn may_commit(&self, left: &[NodeId]) -> bool {
        let switches = |fault: &super::Fault| match &fault.what {
            What::Ask(ask) => matches!(ask.admin, Admin::Set(Setting::GroupCommit(true))),
            _ => false,
        };
        let is_grouped = self.raft.group_commit || self.faults.iter().any(switches);
        let of_group = |group: u8| left.iter().any(|node| node.0 % 2 == group);
        !is_grouped || self.cluster.voters == 1 || (of_group(0) && of_group(1))
    }

    pub(crate) fn known_nodes(&self, field: &str, nodes: &[NodeId]) -> Result<(), Impossible> {
        // One that names a node twice does no harm; one that names all of them a thousand times has
        // a million links.
        check(
            nodes.len() <= MAX_NODES.into(),
            field,
            format!("a list of {}", nodes.len()),
            format!("a list of at most {MAX_NODES}"),
        )?;
        for node in nodes {
            check(
                (1..=self.cluster.nodes()).contains(&node.0),
                field,
                format!("node {}", node.0),
                format!("a node of the cluster, 1 to {}", self.cluster.nodes()),
            )?;
        }
        check(
            !nodes.is_empty(),
            field,
            "an empty list",
            "at least one node",
        )
    }

    fn validate_faults(&self) -> Result<(), Impossible> {
        check(
            self.faults.len() <= MOST_FAULTS,
            "faults",
            format!("a list of {}", self.faults.len()),
            format!("a list of at most {MOST_FAULTS}"),
        )?;
        for (number, fault) in self.faults.iter().enumerate() {
            fault.validate(self, number)?;
        }
        Ok(())
    }
}

pub(crate) fn drift_is_legal(field: &str, ppm: i32) -> Result<(), Impossible> {
    check(
        (-900_000..=9_000_000).contains(&ppm),
        field,
        ppm,
        "-900000 to 9000000",
    )
}

fn traffic(traffic: &LinkOptions) -> Result<(), Impossible> {
    ordered("network.delay", traffic.delay_min_us, traffic.delay_max_us)?;
    at_most("network.delay_max_us", traffic.delay_max_us, MAX_TIME_US)?;
    check(
        traffic.capacity >= 1,
        "network.capacity",
        traffic.capacity,
        "at least 1",
    )?;
    let LinkOptions {
        tail_ppm,
        tail_max_us,
        loss_ppm,
        duplicate_ppm,
        reorder_ppm,
        ..
    } = *traffic;
    rates_are_legal(
        "network",
        &LinkDegradation {
            loss_ppm,
            duplicate_ppm,
            reorder_ppm,
            tail_ppm,
            tail_max_us,
        },
    )
}

pub(crate) fn rates_are_legal(field: &str, rates: &LinkDegradation) -> Result<(), Impossible> {
    for (name, ppm) in [
        ("loss_ppm", rates.loss_ppm),
        ("duplicate_ppm", rates.duplicate_ppm),
        ("reorder_ppm", rates.reorder_ppm),
        ("tail_ppm", rates.tail_ppm),
    ] {
        at_most(format!("{field}.{name}"), ppm.into(), PPM.into())?;
    }
    at_most(
        format!("{field}.tail_max_us"),
        rates.tail_max_us,
        MAX_TIME_US,
    )
}

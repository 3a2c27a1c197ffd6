//! Profiles: what a sweep's plans are drawn from. A profile is a TOML file; the
//! ones in `sims/profiles` are built into the binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Cluster, FaultKind, Plan};
use crate::options::{DriverOptions, RaftOptions};

/// How plans are drawn. Every `percent` is of runs, 0 to 100; every pair is a range, both ends included.
///
/// A file may begin with `extends = "storm"`, or the name of another built-in profile, and then says only what differs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name: that of its file.
    #[serde(skip)]
    pub name: String,
    /// One line for `squall list profiles`.
    pub about: String,
    /// Cluster sizes; one is drawn, so a size named twice is twice as likely.
    pub voters: Vec<u8>,
    /// Microseconds between ticks.
    pub tick_us: [u64; 2],
    /// Length of the storm, in ticks.
    pub storm_ticks: [u64; 2],
    /// Runs in which only a bare majority is healed at the end.
    pub quorum_heal_percent: u8,
    /// Runs in which clocks start apart and drift a little all the time.
    pub skewed_clocks_percent: u8,
    /// Runs that start in a later term than 0.
    pub later_first_term_percent: u8,
    /// Runs in which membership may change: with learners at the start, nodes that may join, and a snapshot to learn from.
    #[serde(default)]
    pub membership_percent: u8,
    /// The network in ordinary times.
    pub network: NetworkMix,
    /// The disk in ordinary times: the longest sync, in microseconds.
    pub sync_max_us: [u64; 2],
    /// What clients do.
    pub workload: WorkloadMix,
    /// Which Raft options vary.
    pub raft: RaftMix,
    /// Which driver options vary.
    pub driver: DriverMix,
    /// Which kinds of fault exist, and how many of each. A kind left out never happens.
    #[serde(default)]
    pub faults: BTreeMap<FaultKind, FaultMix>,
    /// Faults, of those that can be, that strike at an ordinal event and not at a time.
    pub ordinal_percent: u8,
    /// Conditions that are known to make the library under test fail: see `FINDINGS.md`.
    #[serde(default)]
    pub findings: Findings,
    /// Events that must happen at least once in a sweep of 1,000 runs or more for it to be clean: names of `sometimes` events.
    #[serde(default)]
    pub require: Vec<String>,
}

/// The network in ordinary times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkMix {
    /// Longest ordinary delay, in microseconds.
    pub delay_max_us: [u64; 2],
    /// Loss at all times.
    pub loss: RateMix,
    /// Duplication at all times.
    pub duplicate: RateMix,
    /// Reordering at all times.
    pub reorder: RateMix,
    /// Long delays at all times.
    pub tail: RateMix,
    /// Runs in which links hold only a few messages.
    pub small_capacity_percent: u8,
}

/// Something that exists in some runs, at some rate.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateMix {
    /// Runs in which it exists.
    pub percent: u8,
    /// Its rate there, in messages a million.
    pub ppm: [u64; 2],
}

/// What clients do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadMix {
    /// How many there are.
    pub clients: [u64; 2],
    /// Longest pause between two commands, in microseconds.
    pub think_max_us: [u64; 2],
    /// Longest ballast of a command, in bytes.
    pub padding_max_bytes: [u64; 2],
    /// How often a client tries again.
    pub retries: [u64; 2],
    /// Runs in which clients crash.
    pub crash_percent: u8,
    /// Reads that go around the log, in percent.
    pub reads_percent: [u64; 2],
    /// Operations on locks, in percent.
    pub locks_percent: [u64; 2],
    /// Runs, of those with reads by lease, in which these are promised to be fresh.
    #[serde(default)]
    pub fresh_lease_reads_percent: u8,
}

/// Which Raft options vary: runs in which each differs from a plain setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaftMix {
    /// Runs with pre-vote.
    pub pre_vote_percent: u8,
    /// Runs with check-quorum.
    pub check_quorum_percent: u8,
    /// Election time-out, in ticks.
    pub election_ticks: [u64; 2],
    /// Runs with a small window of append messages, down to one.
    pub small_inflight_percent: u8,
    /// Runs with small append messages, down to one entry.
    pub small_messages_percent: u8,
    /// Runs in which committed entries come in small portions, down to one.
    pub small_ready_percent: u8,
    /// Runs with batch-append.
    pub batch_append_percent: u8,
    /// Runs with skip-broadcast-commit.
    pub skip_broadcast_commit_percent: u8,
    /// Runs with election priorities.
    pub priorities_percent: u8,
    /// Runs, of those with check-quorum, in which reads go by lease.
    #[serde(default)]
    pub lease_reads_percent: u8,
    /// Runs with a limit on uncommitted proposals.
    #[serde(default)]
    pub uncommitted_limit_percent: u8,
    /// Runs with group commit.
    #[serde(default)]
    pub group_commit_percent: u8,
}

/// Which driver options vary.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverMix {
    /// Runs with asynchronous persistence.
    pub asynchronous_percent: u8,
    /// Runs in which several inputs are stepped before the output is handled.
    pub batched_inputs_percent: u8,
    /// Runs in which entries are applied late.
    pub apply_lag_percent: u8,
    /// Runs in which a received snapshot is installed in the background.
    pub background_install_percent: u8,
    /// Runs in which the state machine builds snapshots in the background.
    #[serde(default)]
    pub background_build_percent: u8,
    /// Runs in which entries are fetched in the background.
    #[serde(default)]
    pub background_fetch_percent: u8,
    /// Runs, for each, with another order of persisting, sending, applying and acknowledging.
    #[serde(default)]
    pub other_orders_percent: u8,
    /// Runs in which a retried read has the name of the one before.
    #[serde(default)]
    pub reused_read_context_percent: u8,
    /// Bytes of log growth between snapshots.
    pub snapshot_every_bytes: [u64; 2],
    /// Entries kept before a snapshot.
    pub keep_entries: [u64; 2],
    /// Runs in which missed ticks are made up for in a burst.
    pub burst_ticks_percent: u8,
}

/// One kind of fault.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultMix {
    /// Runs in which it exists.
    pub percent: u8,
    /// How many there are then.
    pub count: [u64; 2],
}

/// Knobs for the triggers of known defects of the library under test. Off, the
/// generator leaves the trigger out, so that a sweep shows what is new; on, it
/// may draw it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Findings {
    /// `batch_append` in a driver that steps several inputs before it handles the output.
    pub batch_append_with_batched_inputs: bool,
    /// `pre_vote` with unequal priorities in a cluster that starts at term 0.
    pub pre_vote_with_priorities_at_term_zero: bool,
    /// Unequal priorities where only a bare majority is left.
    pub priorities_with_bare_quorum: bool,
    /// A received snapshot is installed in the background while the library ticks on.
    pub background_snapshot_install: bool,
    /// A single voter beside nodes that learn or have yet to join.
    pub lone_voter_with_peers: bool,
    /// A leader that is removed, or made a learner, goes on as one.
    pub removed_leader_runs_on: bool,
    /// A change with auto-leave is applied between `ready` and `advance`.
    pub auto_leave_before_advance: bool,
    /// A node that is no voter is made to stand for election.
    pub outsider_campaigns: bool,
    /// A follower that waits for a snapshot may hold up the commits that the snapshot needs.
    pub snapshot_requests_block: bool,
    /// Check-quorum is on at some nodes and off at others for good.
    pub mixed_check_quorum: bool,
    /// Reads by lease where a leader may lose touch with its followers.
    pub lease_reads_of_a_cut_off_leader: bool,
    /// noraft: a leader that a change removes writes that it has not voted.
    pub removed_leader_forgets_its_vote: bool,
    /// noraft: entries to be saved are merged with those of another leader.
    pub append_merged_across_terms: bool,
    /// noraft: so many voters are removed at once that an election may need one of them.
    pub removed_voter_is_needed: bool,
}

impl Findings {
    /// Takes the triggers that are off out of a plan's settings.
    pub(super) fn leave_out(
        &self,
        cluster: &mut Cluster,
        raft: &mut RaftOptions,
        driver: &mut DriverOptions,
    ) {
        if raft.batch_append && !self.batch_append_with_batched_inputs {
            driver.inputs_per_ready = 1;
        }
        // Removals leave few voters, as a heal of a bare majority does.
        if cluster.nodes() > cluster.voters && !self.priorities_with_bare_quorum {
            raft.priorities.clear();
        }
        let ranked = raft.pre_vote && !raft.priorities.is_empty();
        if ranked && !self.pre_vote_with_priorities_at_term_zero {
            cluster.first_term = cluster.first_term.max(1);
        }
        if cluster.voters == 1 && !self.lone_voter_with_peers {
            cluster.learners = 0;
            cluster.spares = 0;
            cluster.clocks.truncate(1);
            raft.priorities.truncate(1);
        }
        if !self.background_snapshot_install {
            driver.snapshot_install_us = 0;
        }
    }

    /// How many voters may be removed or demoted in a run, so that never fewer than two are left.
    pub(super) fn removals(&self, voters: u8) -> usize {
        match self.lone_voter_with_peers {
            true => usize::MAX,
            false => usize::from(voters).saturating_sub(2),
        }
    }

    /// Whether `batch_append` may be switched on while nodes run.
    pub(super) fn may_batch(&self, plan: &Plan) -> bool {
        plan.driver.inputs_per_ready == 1 || self.batch_append_with_batched_inputs
    }

    /// Whether a trigger that is off forbids to leave some nodes unhealed.
    pub(super) fn heals_everyone(&self, plan: &Plan) -> bool {
        let ranked = !plan.raft.priorities.is_empty() && !self.priorities_with_bare_quorum;
        // Group commit waits for nodes of another group: not a finding, but what it is for.
        ranked || plan.raft.group_commit
    }
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No built-in profile and no file has the name.
    #[error("unknown profile \"{name}\"{nearest}; legal: {legal}, or the path of a .toml file")]
    Unknown {
        /// The name.
        name: String,
        /// ` (did you mean "x"?)`, or nothing.
        nearest: String,
        /// The names there are.
        legal: String,
    },
    /// The file cannot be read.
    #[error("cannot read profile {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no profile.
    #[error("profile {path} is not a profile: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where, in one line.
        message: String,
    },
    /// A number in it cannot be.
    #[error("profile {path}: {field} is {value}; it must be {legal}")]
    Impossible {
        /// The file.
        path: PathBuf,
        /// Which number.
        field: String,
        /// Its value.
        value: String,
        /// What would be legal.
        legal: &'static str,
    },
}

/// The built-in profiles: name and text.
pub fn builtin_profiles() -> [(&'static str, &'static str); 14] {
    [
        ("storm", include_str!("../../sims/profiles/storm.toml")),
        ("smoke", include_str!("../../sims/profiles/smoke.toml")),
        ("calm", include_str!("../../sims/profiles/calm.toml")),
        ("disk", include_str!("../../sims/profiles/disk.toml")),
        ("network", include_str!("../../sims/profiles/network.toml")),
        (
            "membership",
            include_str!("../../sims/profiles/membership.toml"),
        ),
        ("reads", include_str!("../../sims/profiles/reads.toml")),
        (
            "snapshots",
            include_str!("../../sims/profiles/snapshots.toml"),
        ),
        (
            "transfer",
            include_str!("../../sims/profiles/transfer.toml"),
        ),
        (
            "async-disk",
            include_str!("../../sims/profiles/async-disk.toml"),
        ),
        ("amnesia", include_str!("../../sims/profiles/amnesia.toml")),
        ("long", include_str!("../../sims/profiles/long.toml")),
        ("fuzz", include_str!("../../sims/profiles/fuzz.toml")),
        (
            "findings",
            include_str!("../../sims/profiles/findings.toml"),
        ),
    ]
}

/// Puts what `over` says in place of what `under` says, table by table.
fn lay_over(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => lay_over(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

impl Profile {
    /// The built-in profile of that name, or the one in the file of that name.
    ///
    /// # Errors
    /// [`ProfileError`] when there is neither, or what it says cannot be.
    pub fn load(name: &str) -> Result<Self, ProfileError> {
        let builtin = builtin_profiles();
        if let Some((name, text)) = builtin.iter().find(|(known, _)| *known == name) {
            return Self::parse(name, Path::new(&format!("sims/profiles/{name}.toml")), text);
        }
        let path = Path::new(name);
        if path.extension().is_none() && !path.exists() {
            let names: Vec<&str> = builtin.iter().map(|(known, _)| *known).collect();
            return Err(ProfileError::Unknown {
                name: name.to_owned(),
                nearest: crate::nearest::suggestion(name, names.iter().copied()),
                legal: names.join(", "),
            });
        }
        let text = std::fs::read_to_string(path).map_err(|source| ProfileError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Self::parse(name, path, &text)
    }

    fn parse(name: &str, path: &Path, text: &str) -> Result<Self, ProfileError> {
        let syntax = |error: toml::de::Error| {
            let line = |span: std::ops::Range<usize>| text[..span.start].lines().count().max(1);
            let line = error.span().map(|span| format!("line {}: ", line(span)));
            ProfileError::Syntax {
                path: path.to_path_buf(),
                message: line.unwrap_or_default() + &error.message().replace('\n', " "),
            }
        };
        let mut table: toml::Table = toml::from_str(text).map_err(syntax)?;
        let mut profile: Self = match table.remove("extends") {
            None => toml::from_str(text).map_err(syntax)?,
            Some(base) => {
                let mut whole = Self::base(&base, path)?;
                lay_over(&mut whole, table);
                whole.try_into().map_err(syntax)?
            }
        };
        profile.name = name.to_owned();
        profile.validate(path)?;
        Ok(profile)
    }

    /// What a profile that extends another starts from.
    fn base(name: &toml::Value, path: &Path) -> Result<toml::Table, ProfileError> {
        let builtin = builtin_profiles();
        let text = builtin
            .iter()
            .find(|(known, _)| Some(*known) == name.as_str());
        let Some((_, text)) = text else {
            return Err(ProfileError::Impossible {
                path: path.to_path_buf(),
                field: "extends".into(),
                value: name.to_string(),
                legal: "the name of a built-in profile, such as \"storm\"",
            });
        };
        let mut table: toml::Table = toml::from_str(text).expect("a built-in profile is a profile");
        match table.remove("extends") {
            None => Ok(table),
            Some(name) => {
                let mut whole = Self::base(&name, path)?;
                lay_over(&mut whole, table);
                Ok(whole)
            }
        }
    }

    fn validate(&self, path: &Path) -> Result<(), ProfileError> {
        let impossible = |field: String, value: String, legal| ProfileError::Impossible {
            path: path.to_path_buf(),
            field,
            value,
            legal,
        };
        if self.voters.is_empty()
            || self
                .voters
                .iter()
                .any(|n| !(1..=super::MAX_VOTERS).contains(n))
        {
            let value = format!("{:?}", self.voters);
            return Err(impossible(
                "voters".into(),
                value,
                "a list of sizes from 1 to 9",
            ));
        }
        let mut percents = vec![
            ("quorum_heal_percent".to_owned(), self.quorum_heal_percent),
            ("skewed_clocks_percent".into(), self.skewed_clocks_percent),
            (
                "later_first_term_percent".into(),
                self.later_first_term_percent,
            ),
            ("ordinal_percent".into(), self.ordinal_percent),
            ("membership_percent".into(), self.membership_percent),
            ("workload.crash_percent".into(), self.workload.crash_percent),
            (
                "workload.fresh_lease_reads_percent".into(),
                self.workload.fresh_lease_reads_percent,
            ),
            (
                "raft.lease_reads_percent".into(),
                self.raft.lease_reads_percent,
            ),
            (
                "raft.uncommitted_limit_percent".into(),
                self.raft.uncommitted_limit_percent,
            ),
            (
                "raft.group_commit_percent".into(),
                self.raft.group_commit_percent,
            ),
            (
                "driver.background_build_percent".into(),
                self.driver.background_build_percent,
            ),
            (
                "driver.background_fetch_percent".into(),
                self.driver.background_fetch_percent,
            ),
            (
                "driver.other_orders_percent".into(),
                self.driver.other_orders_percent,
            ),
            (
                "driver.reused_read_context_percent".into(),
                self.driver.reused_read_context_percent,
            ),
            (
                "network.small_capacity_percent".into(),
                self.network.small_capacity_percent,
            ),
            ("raft.pre_vote_percent".into(), self.raft.pre_vote_percent),
            (
                "raft.check_quorum_percent".into(),
                self.raft.check_quorum_percent,
            ),
            (
                "raft.small_inflight_percent".into(),
                self.raft.small_inflight_percent,
            ),
            (
                "raft.small_messages_percent".into(),
                self.raft.small_messages_percent,
            ),
            (
                "raft.small_ready_percent".into(),
                self.raft.small_ready_percent,
            ),
            (
                "raft.batch_append_percent".into(),
                self.raft.batch_append_percent,
            ),
            (
                "raft.skip_broadcast_commit_percent".into(),
                self.raft.skip_broadcast_commit_percent,
            ),
            (
                "raft.priorities_percent".into(),
                self.raft.priorities_percent,
            ),
            (
                "driver.asynchronous_percent".into(),
                self.driver.asynchronous_percent,
            ),
            (
                "driver.batched_inputs_percent".into(),
                self.driver.batched_inputs_percent,
            ),
            (
                "driver.apply_lag_percent".into(),
                self.driver.apply_lag_percent,
            ),
            (
                "driver.background_install_percent".into(),
                self.driver.background_install_percent,
            ),
            (
                "driver.burst_ticks_percent".into(),
                self.driver.burst_ticks_percent,
            ),
        ];
        let hour_us = 3_600_000_000;
        let mut ranges = vec![
            ("tick_us".to_owned(), self.tick_us, 100, 10_000_000),
            ("storm_ticks".into(), self.storm_ticks, 1, 10_000_000),
            (
                "network.delay_max_us".into(),
                self.network.delay_max_us,
                1,
                hour_us,
            ),
            ("sync_max_us".into(), self.sync_max_us, 0, hour_us),
            ("workload.clients".into(), self.workload.clients, 0, 10_000),
            (
                "workload.think_max_us".into(),
                self.workload.think_max_us,
                1,
                hour_us,
            ),
            (
                "workload.padding_max_bytes".into(),
                self.workload.padding_max_bytes,
                0,
                1 << 20,
            ),
            ("workload.retries".into(), self.workload.retries, 0, 1_000),
            (
                "workload.reads_percent".into(),
                self.workload.reads_percent,
                0,
                100,
            ),
            (
                "workload.locks_percent".into(),
                self.workload.locks_percent,
                0,
                100,
            ),
            (
                "raft.election_ticks".into(),
                self.raft.election_ticks,
                4,
                10_000,
            ),
            (
                "driver.snapshot_every_bytes".into(),
                self.driver.snapshot_every_bytes,
                1,
                1 << 40,
            ),
            (
                "driver.keep_entries".into(),
                self.driver.keep_entries,
                0,
                1 << 32,
            ),
        ];
        for (name, rate) in [
            ("loss", self.network.loss),
            ("duplicate", self.network.duplicate),
            ("reorder", self.network.reorder),
            ("tail", self.network.tail),
        ] {
            percents.push((format!("network.{name}.percent"), rate.percent));
            ranges.push((format!("network.{name}.ppm"), rate.ppm, 0, 1_000_000));
        }
        for (kind, mix) in &self.faults {
            let name = FaultKind::ALL
                .iter()
                .find(|(known, ..)| known == kind)
                .map_or("", |k| k.1);
            percents.push((format!("faults.{name}.percent"), mix.percent));
            ranges.push((format!("faults.{name}.count"), mix.count, 0, 10_000));
        }
        for (field, percent) in percents {
            if percent > 100 {
                return Err(impossible(field, percent.to_string(), "0 to 100"));
            }
        }
        for (field, [low, high], least, most) in ranges {
            if low > high || low < least || high > most {
                let value = format!("[{low}, {high}]");
                return Err(impossible(
                    format!("{field} (legal: {least} to {most})"),
                    value,
                    "a low and a high end, in that order, both legal",
                ));
            }
        }
        let storm_us = self.storm_ticks[1].saturating_mul(self.tick_us[1]);
        if storm_us > 24 * hour_us {
            return Err(impossible(
                "storm_ticks times tick_us".into(),
                format!("up to {storm_us} us"),
                "at most a day",
            ));
        }
        for name in &self.require {
            if crate::sometimes::Event::named(name).is_none() {
                return Err(impossible(
                    "require".into(),
                    format!("\"{name}\""),
                    "names of `sometimes` events, as a sweep's summary prints them",
                ));
            }
        }
        Ok(())
    }
}

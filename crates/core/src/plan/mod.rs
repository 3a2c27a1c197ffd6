//! A plan: one whole run as plain data. Cluster, Raft options, workload, every
//! fault, and when it ends. The plan determines the run: nothing else decides what happens. Knows
//! no engine and no Raft library.

mod cost;
mod features;
mod generate;
mod generate_faults;
mod generate_own;
mod hazard;
mod json;
mod leases;
mod membership;
mod milestone;
mod old_names;
mod profile;
mod prompt;
mod schedule;
mod script;
mod space;
mod validate;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use generate::Draw;
pub(crate) use validate::{at_most, check, drift_is_legal, rates_are_legal};

pub use features::leave_out;
pub use generate_faults::draw_fault;
pub use hazard::KeptClearOf;
pub use membership::Script;
pub use milestone::Milestone;
pub use profile::{DEFAULT_PROFILE, Profile, ProfileError, Share, Variant, builtin_profiles};
pub use schedule::{Demotion, Link, Schedule};
pub use script::{Asked, Try};
pub use space::PlanSpace;
pub use validate::Impossible;
pub use validate::MAX_TIME_US;

use crate::configuration::Configuration;
use crate::faults::Ask;
pub use crate::faults::{Fault, FaultKind, JournalName, LossMode, What, When};
use crate::fsutil;
use crate::ids::{Index, NodeId, NodeSet, Term};
use crate::operator::{Admin, Setting};
use crate::options::{DriverOptions, RaftOptions};
use squall_world::network::LinkOptions;

/// The version of the plan format that this build reads and writes.
pub const VERSION: u32 = 2;

/// The most voters that a cluster may start with.
pub const MAX_VOTERS: u8 = 9;

/// The most nodes that a plan may have, including those that join later.
pub const MAX_NODES: u8 = 16;

/// One whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`] of the format.
    pub version: u32,
    /// What every random draw of the run is derived from.
    pub seed: u64,
    /// The subject's name: see `squall list subjects`.
    pub subject: String,
    /// The command that starts the subject, where it is a process of its own: for people. No run
    /// reads it, and nothing is started because a plan names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The profile that it was made by; for people, not read by a run.
    pub profile: String,
    /// How many nodes, and their clocks.
    pub cluster: Cluster,
    /// Settings of the Raft library.
    pub raft: RaftOptions,
    /// Settings of the code around it.
    pub driver: DriverOptions,
    /// How the network treats messages in ordinary times.
    pub network: LinkOptions,
    /// Nodes talk over connections, as TCP's, on that network: messages arrive in order and once.
    /// What the network loses is sent again and late, and holds up what is behind it; a link that
    /// is cut, a node that goes down and a fault that takes a message end a connection, and
    /// with it all that is on its way. Another one is made when both nodes are up and can
    /// reach each other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub streams: bool,
    /// Whose messages go first, where that is not left to chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// How long a sync takes in ordinary times.
    pub disk: DiskOptions,
    /// What clients do.
    pub workload: Workload,
    /// What clients ask for, where it is not drawn: in a plan that is written by hand or shrunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Vec<Asked>>,
    /// What goes wrong, in no particular order.
    pub faults: Vec<Fault>,
    /// When the storm ends: everything heals, clients stop, and the cluster must converge.
    pub heal_us: u64,
    /// Which nodes take part from then on.
    pub heal: Heal,
    /// When a cluster that has not converged is reported; later than `heal_us`.
    pub end_us: u64,
}

/// The nodes of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// How many voters at the start, 1 to 9; their ids are 1, 2, 3, ...
    pub voters: u8,
    /// How many learners at the start; their ids follow.
    pub learners: u8,
    /// How many nodes may join later, each with an empty disk; their ids follow.
    pub spares: u8,
    /// Microseconds between two ticks, by each node's own clock.
    pub tick_us: u64,
    /// The term in every node's hard state at the very start: 0 for a fresh cluster, more for one
    /// that was set up with a log and a term of its own, as TiKV's regions are.
    pub first_term: Term,
    /// The index of a snapshot that every node has at the very start, as in a cluster that was
    /// set up with one; 0 for none. Nodes that join later learn the configuration from one; where
    /// there is none they are told the first configuration, and follow the log from there.
    pub first_index: Index,
    /// Each node's clock, in order of id.
    pub clocks: Vec<ClockOptions>,
}

impl Cluster {
    /// How many nodes there are in all.
    pub fn nodes(&self) -> u8 {
        self.voters + self.learners + self.spares
    }
}

/// One node's clock at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockOptions {
    /// What it shows at the start, in microseconds.
    pub offset_us: u64,
    /// Microseconds that it gains per second; if negative, it loses them.
    pub drift_ppm: i32,
}

/// How long a sync takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskOptions {
    /// At least this many microseconds.
    pub sync_min_us: u64,
    /// At most this many; no less than `sync_min_us`.
    pub sync_max_us: u64,
}

/// What clients do until the storm ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// How many clients, each with one command under way at a time.
    pub clients: u32,
    /// Shortest pause between two commands of a client, in microseconds.
    pub think_min_us: u64,
    /// Longest such pause; no less than `think_min_us`.
    pub think_max_us: u64,
    /// How long a client waits for an answer. After that the command's fate is unknown to it.
    pub timeout_us: u64,
    /// How often a client tries again, with the same session and sequence number, before it moves
    /// on.
    pub retries: u32,
    /// Percentage of time-outs at which a client crashes and another takes its place. The
    /// 131,072nd client in one place no longer crashes.
    pub crash_percent: u8,
    /// Percentage of reads that go around the log.
    pub reads_percent: u8,
    /// Percentage of operations that are on locks and not keys.
    pub locks_percent: u8,
    /// How long a lock may be held without renewal, in microseconds.
    pub lease_us: u64,
    /// Reads by lease are promised to be fresh; otherwise stale ones are counted only.
    pub fresh_lease_reads: bool,
    /// Leases of locks have no end in replicated time: whoever leads counts `lease_us` by its own
    /// clock, from when it has applied the grant or the last renewal, or has come into office, and
    /// revokes what has run out. Absent in plans from before there was such a thing, where it is
    /// off.
    #[serde(default)]
    pub leases_by_leader: bool,
    /// After the storm, settings that operators have changed stay as they are; otherwise
    /// check-quorum is put back on every node.
    #[serde(default)]
    pub settings_stay: bool,
    /// After the storm, election priorities stay as they are where a bare majority is left;
    /// otherwise they are made equal then.
    #[serde(default)]
    pub priorities_stay: bool,
    /// Longest ballast that a command carries, in bytes; most carry little.
    pub padding_max_bytes: u32,
}

/// Which nodes take part after the storm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heal {
    /// Every node whose disk can still be read.
    Everyone,
    /// A bare majority: these nodes and, where membership has changed, as many others as it takes
    /// for a majority of every configuration. All others are down for good.
    Quorum(Vec<NodeId>),
}

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// It cannot be read.
    #[error("cannot read plan {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is empty.
    #[error("plan {path} is empty; a plan is a JSON object as `squall sweep --out DIR` writes it")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is not a plan.
    #[error("plan {path} is not a plan: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// It is of another version.
    #[error("plan {path} is of version {found}; this build reads version {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: serde_json::Number,
    },
    /// It asks for something impossible.
    #[error("plan {path}: {source}")]
    Impossible {
        /// The file.
        path: PathBuf,
        /// The limit that it exceeds.
        source: Impossible,
    },
}

impl Plan {
    /// Reads a plan file, and makes sure that the plan can be run.
    ///
    /// # Errors
    /// [`PlanError`] says what is wrong with the file.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = fsutil::read_text(path).map_err(|source| PlanError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads a plan from `text`, which comes from the file `path`, and makes sure that the plan can
    /// be run.
    ///
    /// # Errors
    /// [`PlanError`] says what is wrong with it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PlanError> {
        let owned = || path.to_path_buf();
        if text.trim().is_empty() {
            return Err(PlanError::Empty { path: owned() });
        }
        let syntax = |source| PlanError::Syntax {
            path: owned(),
            source,
        };
        let read = serde_json::from_str::<Self>(text);
        let plan = match read.or_else(|error| old_names::read(text).unwrap_or(Err(error))) {
            Ok(plan) if plan.version == VERSION => plan,
            other => {
                // A plan of another version need not have our fields, and is told by its version.
                #[derive(Deserialize)]
                struct Versioned {
                    version: serde_json::Number,
                }
                let Versioned { version: found } = serde_json::from_str(text).map_err(syntax)?;
                match other {
                    Err(error) if found.as_u64() == Some(VERSION.into()) => {
                        return Err(syntax(error));
                    }
                    _ => {
                        return Err(PlanError::Version {
                            path: owned(),
                            found,
                        });
                    }
                }
            }
        };
        plan.validate().map_err(|source| PlanError::Impossible {
            path: owned(),
            source,
        })?;
        Ok(plan)
    }

    /// The ids of all nodes, including those that may join later.
    pub fn nodes(&self) -> Vec<NodeId> {
        (1..=self.cluster.nodes()).map(NodeId).collect()
    }

    /// The configuration at the start.
    pub fn first_configuration(&self) -> Configuration {
        let Cluster {
            voters, learners, ..
        } = self.cluster;
        Configuration {
            voters: NodeSet::first(voters),
            learners: (voters + 1..=voters + learners).map(NodeId).collect(),
            ..Configuration::default()
        }
    }

    /// Whether some fault changes the configuration.
    pub fn changes_membership(&self) -> bool {
        let changes = |fault: &Fault| matches!(fault.what, What::Change(_) | What::ReplaceDisk(_));
        self.faults.iter().any(changes)
    }

    /// Whether operators switch check-quorum at run time.
    pub fn sets_check_quorum(&self) -> bool {
        self.asks(|admin| matches!(admin, Admin::Set(Setting::CheckQuorum(_))))
    }

    /// Whether operators stop replication at run time.
    pub fn stops_replication(&self) -> bool {
        self.asks(|admin| matches!(admin, Admin::Set(Setting::MaxInflight(0))))
    }

    /// Whether priorities may differ and some voter be gone for good after the storm: where a bare
    /// majority is healed, where a disk rots, so that its node does not start again, or where
    /// changes leave other voters than there were.
    pub fn ranks_few_voters(&self) -> bool {
        let rots = |fault: &Fault| fault.what.takes_for_good().is_some();
        let few = matches!(self.heal, Heal::Quorum(_))
            || self.changes_membership()
            || self.faults.iter().any(rots);
        let ranks = |admin: &Admin| matches!(admin, Admin::Set(Setting::Priority(_)));
        few && (!self.raft.priorities.is_empty() || self.asks(ranks))
    }

    /// Whether an operator asks for such a thing at run time.
    pub(in crate::plan) fn asks(&self, such: impl Fn(&Admin) -> bool) -> bool {
        let asks = |fault: &Fault| match &fault.what {
            What::Ask(Ask { admin, .. }) => such(admin),
            _ => false,
        };
        self.faults.iter().any(asks)
    }

    /// How stale the result of a read may be, in microseconds: 0 where reads are promised to be
    /// fresh. None where nothing is promised of reads by lease. A leader that is cut off steps down
    /// after two election time-outs, so where clocks run true and messages are prompt or lost a
    /// lease is no older than that.
    pub fn lease_lag_us(&self) -> Option<u64> {
        match !self.raft.lease_reads || self.workload.fresh_lease_reads {
            true => Some(0),
            false => leases::are_bounded(self).then(|| leases::LAG_ELECTIONS * self.election_us()),
        }
    }

    /// The shortest election time-out, in microseconds.
    pub fn election_us(&self) -> u64 {
        u64::from(self.raft.election_ticks) * self.cluster.tick_us
    }

    /// The longest that a message or a sync may take, in microseconds, for Raft
    /// to be able to elect a leader: "the broadcast time should be an order of
    /// magnitude less than the election timeout" (paper, section 5.6).
    pub fn prompt_us(&self) -> u64 {
        self.election_us() / 16
    }

    /// The size of a majority of the voters.
    pub fn quorum(&self) -> usize {
        usize::from(self.cluster.voters) / 2 + 1
    }
}

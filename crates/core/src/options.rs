//! How the replicas of a run are set up: the part of a plan that a Raft
//! implementation reads. Plain data; knows no implementation.

use serde::{Deserialize, Serialize};

use crate::own::OwnOptions;

/// Settings of the Raft library, in its own terms where it has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaftOptions {
    /// Ask before raising the term (dissertation, section 9.6).
    pub pre_vote: bool,
    /// A leader that hears from no quorum for an election time-out steps down (dissertation,
    /// section 6.2).
    pub check_quorum: bool,
    /// Ticks without word from a leader before an election; the actual wait is drawn from once to
    /// twice this. At least 2.
    pub election_ticks: u32,
    /// Ticks between a leader's heartbeats; fewer than `election_ticks`, at least 1.
    pub heartbeat_ticks: u32,
    /// Append messages on their way to one follower at a time; at least 1.
    pub max_inflight_messages: u32,
    /// Bytes of entries in one append message; 0 means one entry, 2^64 - 1 no limit.
    pub max_size_per_message: u64,
    /// Bytes of committed entries handed over at once; 0 means one entry, 2^64 - 1 no limit.
    pub max_committed_size_per_ready: u64,
    /// Append entries to a message that is waiting to be sent.
    pub batch_append: bool,
    /// Do not tell followers at once that an entry is committed.
    pub skip_broadcast_commit: bool,
    /// Election priority of each node, in order; empty when all are equal.
    /// A node votes for no candidate of a lower priority unless that candidate's log is longer.
    pub priorities: Vec<i64>,
    /// Reads go by the leader's lease and ask no quorum (dissertation, section 6.4.1); needs
    /// `check_quorum`.
    pub lease_reads: bool,
    /// Bytes of proposed and uncommitted entries above which a leader takes no more; 0 and 2^64 -
    /// 1 mean no limit. Any other is at least `max_size_per_message`.
    pub max_uncommitted_size: u64,
    /// Odd and even nodes form two groups, and an entry commits when it is in both, where both
    /// have voters.
    pub group_commit: bool,
}

/// How a replica's driver calls its library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverOptions {
    /// When the driver waits for its disk.
    pub persistence: Persistence,
    /// Messages and requests stepped into the library before its output is handled; at least 1.
    pub inputs_per_ready: u32,
    /// Simulated microseconds between an entry's commit and its application to the state machine.
    pub apply_lag_us: u64,
    /// Take a snapshot, and compact the log, when it has grown by this many bytes; at least 1.
    pub snapshot_every_bytes: u64,
    /// Entries before the snapshot's index that stay in the log for followers that lag a little.
    pub keep_entries: u64,
    /// Install a received snapshot into the state machine in the background, while the library
    /// keeps ticking, for this many simulated microseconds; 0 installs it at once.
    pub snapshot_install_us: u64,
    /// How long the state machine takes to build a snapshot, in simulated microseconds; 0 builds
    /// it at once.
    pub snapshot_build_us: u64,
    /// How long entries that are not in the driver's cache take to be fetched, in simulated
    /// microseconds, while the library goes on; 0 keeps all at hand.
    pub fetch_us: u64,
    /// Messages that may leave before their ready, and those before it, are durable wait for it
    /// all the same.
    pub send_after_sync: bool,
    /// Tell the library of the newest durable ready only, which stands for those before it
    /// (asynchronous persistence).
    pub acknowledge_newest: bool,
    /// What names a read while it waits to be confirmed.
    pub read_context: ReadContext,
    /// What happens to ticks that came due while the node could not run.
    pub missed_ticks: MissedTicks,
    /// Options that the subject has of its own, where they are out of the ordinary: see
    /// [`DriverOption`](crate::own::DriverOption).
    #[serde(default, skip_serializing_if = "OwnOptions::is_empty")]
    pub own: OwnOptions,
}

/// When a driver waits for its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persistence {
    /// One sync at a time; nothing else happens on the node until it is done.
    Synchronous,
    /// The node goes on while syncs are in flight; what must wait for one waits.
    Asynchronous,
}

/// What names a read while it waits to be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadContext {
    /// A name that is never used again.
    Fresh,
    /// Client and sequence number: a retry has the same name.
    Request,
}

macro_rules! features {
    ($($(#[$about:meta])* $variant:ident = $name:literal,)*) => {
        /// Something that a Raft implementation, or the driver around it, may have or not.
        ///
        /// In files a feature is its name in words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        #[non_exhaustive]
        pub enum Feature { $($(#[$about])* $variant,)* }

        impl Feature {
            /// All of them.
            pub const ALL: &'static [Feature] = &[$(Feature::$variant,)*];

            /// Its name, in words.
            pub fn name(self) -> &'static str {
                match self { $(Feature::$variant => $name,)* }
            }

            /// Those that are none of `supports`.
            pub fn missing_from(supports: &[Feature]) -> impl Iterator<Item = Feature> {
                let all = Feature::ALL.iter().copied();
                all.filter(|feature| !supports.contains(feature))
            }
        }
    };
}

features! {
    /// Syncs in flight while the node goes on.
    AsynchronousPersistence = "asynchronous persistence",
    /// An entry may be committed before it is durable on its leader, by the disks of others
    /// (dissertation, section 10.2.1).
    CommitBeforeLeaderDisk = "commit before the leader's disk",
    /// Pre-vote (dissertation, section 9.6).
    PreVote = "pre-vote",
    /// Check-quorum (dissertation, section 6.2).
    CheckQuorum = "check-quorum",
    /// Election priorities.
    Priorities = "priorities",
    /// A limit on append messages in flight, and on committed entries handed over.
    FlowControl = "flow control",
    /// A limit on the size of append messages.
    MessageSize = "message size",
    /// Appending to a message that waits to be sent; skipping the broadcast of a commit.
    Batching = "batching",
    /// A limit on uncommitted proposals.
    UncommittedLimit = "limit of uncommitted entries",
    /// Group commit.
    GroupCommit = "group commit",
    /// Entries fetched in the background.
    AsynchronousFetch = "asynchronous fetch",
    /// Snapshots of the state machine, in place of the log before them.
    Snapshots = "snapshots",
    /// Changes of the configuration by one voter at a time.
    SimpleChange = "simple membership changes",
    /// Changes through a joint configuration.
    JointChange = "joint consensus",
    /// A joint configuration that lasts until an operator ends it.
    ExplicitLeave = "explicit leave",
    /// Nodes that get the log and do not vote.
    Learners = "learners",
    /// A voter becomes a learner in one change.
    Demotion = "demotion",
    /// Leadership transfer.
    Transfer = "leadership transfer",
    /// Standing for election on request.
    Campaign = "campaign on request",
    /// Linearizable reads around the log.
    ReadIndex = "ReadIndex",
    /// Followers pass requests on to the leader.
    Forwarding = "forwarding",
    /// Reads by lease.
    LeaseReads = "lease reads",
    /// A follower asks for a snapshot.
    RequestSnapshot = "requests for snapshots",
    /// Settings changed at run time.
    Settings = "settings at run time",
    /// A term in the hard state before the first election.
    LaterFirstTerm = "first term above 0",
}

impl From<Feature> for &'static str {
    fn from(feature: Feature) -> Self {
        feature.name()
    }
}

impl TryFrom<String> for Feature {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let all = Feature::ALL.iter().copied();
        let found = all.clone().find(|feature| feature.name() == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = all.map(Feature::name).collect();
            let nearest = crate::suggest::suggestion(&name, names.iter().copied());
            format!(
                "unknown feature \"{name}\"{nearest}; legal: {}",
                names.join(", ")
            )
        })
    }
}

/// What happens to ticks that came due while a node could not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissedTicks {
    /// They are made up for at once (tokio's `MissedTickBehavior::Burst`), up to ten election
    /// time-outs' worth.
    Burst,
    /// They are gone (tokio's `MissedTickBehavior::Skip`).
    Skip,
}

impl Default for RaftOptions {
    fn default() -> Self {
        Self {
            pre_vote: false,
            check_quorum: false,
            election_ticks: 10,
            heartbeat_ticks: 2,
            max_inflight_messages: 256,
            max_size_per_message: 4096,
            max_committed_size_per_ready: 65_536,
            batch_append: false,
            skip_broadcast_commit: false,
            priorities: Vec::new(),
            lease_reads: false,
            max_uncommitted_size: 0,
            group_commit: false,
        }
    }
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            persistence: Persistence::Synchronous,
            inputs_per_ready: 1,
            apply_lag_us: 0,
            snapshot_every_bytes: 16_384,
            keep_entries: 16,
            snapshot_install_us: 0,
            snapshot_build_us: 0,
            fetch_us: 0,
            send_after_sync: false,
            acknowledge_newest: false,
            read_context: ReadContext::Fresh,
            missed_ticks: MissedTicks::Skip,
            own: OwnOptions::new(),
        }
    }
}

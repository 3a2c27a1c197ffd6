//! Strategies for proptest: plans, faults, options, workloads and scripts of membership changes,
//! which compose:
//!
//! ```
//! use squall_proptest::{crashes, cuts, plan};
//!
//! let plans = plan().with_faults(crashes(1..4).and(cuts(0..2))).with_nodes(3..=5);
//! ```
//!
//! In a test, `squall::check(MyRaft).seeds(20).run_plans(plans)` runs them.
//!
//! A value is made of parts (a list of faults, some nodes, options), and shrinks by its parts: an
//! element less, a number that is smaller, an option that is plain again. The seed stays as it is.
//! Every value, and every value that it shrinks to, is a plan that can be run
//! ([`Plan::validate`]), within what the profiles allow: what libraries are known not to stand
//! ([`Hazard`](squall_core::own::Hazard)), group commit and reads by lease are left out.
//!
//! With the feature `proptest`.
//! `squall::testing::machine` is the bridge to `proptest-state-machine`. Knows plans and no engine.

mod changes;
mod draft;
mod drawn;
mod faults;
mod faults_of;
mod limits;
mod options;

use std::ops::{Range, RangeInclusive};

use proptest::prelude::*;
use proptest::strategy::{NewTree, SBoxedStrategy};
use proptest::test_runner::TestRunner;

pub use changes::{Changes, changes};
pub use drawn::Drawn;
pub use faults::{
    Faults, bursts, campaigns, crashes, cuts, drifts, duplicated_messages, failed_syncs, faults,
    full_disks, isolated_leaders, jumps, late_messages, lost_messages, pauses, pings, rots,
    settings, slow_disks, slow_nodes, snapshot_requests, splits, transfers, troubles,
};
pub use faults_of::faults_of;
pub use limits::{network_at_limits, options_at_limits, settings_at_limits, workload_at_limits};
pub use options::{Settings, network, options, workload};

use draft::Draft;
use squall_core::options::Feature;
use squall_core::plan::{Plan, Workload};
use squall_world::network::LinkOptions;

/// The subject of a plan of which none is said: whoever runs it says for whom it is.
pub const DEFAULT_SUBJECT: &str = "any";

/// Plans of three to five quiet nodes with a few clients, to put faults into.
pub fn plan() -> Plans {
    Plans {
        subject: DEFAULT_SUBJECT.to_owned(),
        supports: Feature::ALL,
        nodes: 3..=5,
        storm_us: 500_000..=2_000_000,
        faults: Vec::new(),
        changes: None,
        options: Just(Settings::default()).sboxed(),
        network: Just(LinkOptions::default()).sboxed(),
        workload: workload().sboxed(),
    }
}

/// A strategy for plans. Made by [`plan`].
#[derive(Clone, Debug)]
pub struct Plans {
    subject: String,
    supports: &'static [Feature],
    nodes: RangeInclusive<u8>,
    storm_us: RangeInclusive<u64>,
    faults: Vec<SBoxedStrategy<Vec<squall_core::plan::Fault>>>,
    changes: Option<Changes>,
    options: SBoxedStrategy<Settings>,
    network: SBoxedStrategy<LinkOptions>,
    workload: SBoxedStrategy<Workload>,
}

impl Plans {
    /// For the subject of that name, of what it supports. `squall::check` sees to it
    /// itself.
    pub fn for_subject(self, name: impl Into<String>, supports: &'static [Feature]) -> Self {
        Self {
            subject: name.into(),
            supports,
            ..self
        }
    }

    /// How many voters there are at the start, 1 to 9; they become fewer as a plan shrinks.
    pub fn with_nodes(self, voters: RangeInclusive<u8>) -> Self {
        Self {
            nodes: voters,
            ..self
        }
    }

    /// How long the storm is, in microseconds of simulated time.
    pub fn with_storm_us(self, storm_us: RangeInclusive<u64>) -> Self {
        Self { storm_us, ..self }
    }

    /// These faults too, fitted to the plan's nodes and its storm.
    pub fn with_faults(
        mut self,
        faults: impl Strategy<Value = Vec<squall_core::plan::Fault>> + Send + Sync + 'static,
    ) -> Self {
        self.faults.push(faults.sboxed());
        self
    }

    /// Changes of the membership, among nodes that join and leave.
    pub fn with_membership(self, changes: Changes) -> Self {
        Self {
            changes: Some(changes),
            ..self
        }
    }

    /// The library's options and its driver's.
    pub fn with_options(
        self,
        options: impl Strategy<Value = Settings> + Send + Sync + 'static,
    ) -> Self {
        Self {
            options: options.sboxed(),
            ..self
        }
    }

    /// The network in ordinary times.
    pub fn with_network(
        self,
        network: impl Strategy<Value = LinkOptions> + Send + Sync + 'static,
    ) -> Self {
        Self {
            network: network.sboxed(),
            ..self
        }
    }

    /// What clients do.
    pub fn with_workload(
        self,
        workload: impl Strategy<Value = Workload> + Send + Sync + 'static,
    ) -> Self {
        Self {
            workload: workload.sboxed(),
            ..self
        }
    }

    fn whole(&self) -> SBoxedStrategy<Plan> {
        let (subject, supports) = (self.subject.clone(), self.supports);
        let changes = self.changes.clone();
        let changes = changes.map_or(Just(Default::default()).sboxed(), Changes::sboxed);
        let parts = (
            self.nodes.clone(),
            self.storm_us.clone(),
            self.faults.clone(),
            changes,
            self.options.clone(),
            self.network.clone(),
            self.workload.clone(),
            // Another seed is another run, and no simpler one.
            any::<u64>().no_shrink(),
        );
        let plan = move |(voters, storm_us, faults, changes, options, network, workload, seed)| {
            let faults: Vec<Vec<squall_core::plan::Fault>> = faults;
            let draft = Draft {
                seed,
                voters,
                storm_us,
                faults: faults.concat(),
                changes,
                options,
                network,
                workload,
            };
            draft.into_plan(&subject, supports)
        };
        parts.prop_map(plan).sboxed()
    }
}

impl Strategy for Plans {
    type Tree = <SBoxedStrategy<Plan> as Strategy>::Tree;
    type Value = Plan;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        self.whole().new_tree(runner)
    }
}

/// `count` values, as the constructors of faults take it: `3`, `1..4`, `1..=4`.
pub type Count = proptest::collection::SizeRange;

/// Numbers of which small ones are likelier.
fn skewed(range: Range<u64>) -> SBoxedStrategy<u64> {
    let Range { start, end } = range;
    let near = start + (end - start).min(((end - start) / 20).max(1));
    prop_oneof![start..near, start..end].sboxed()
}

//! Profiles: what a sweep's plans are drawn from. A profile is a TOML file; the
//! ones in `crates/core/profiles` are built into the binary.

mod limits;
mod mix;
mod read;
mod share;
mod variant;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FaultKind;
use crate::options::Feature;
use crate::own::{KnownIssue, NotDeclared, check_issues};

pub use mix::{DriverMix, FaultMix, NetworkMix, RaftMix, RateMix, WorkloadMix};
pub use read::{ProfileError, builtin_profiles};
pub use share::Share;
pub use variant::Variant;

/// The profile of sweeps and tests that name none.
pub const DEFAULT_PROFILE: &str = "portfolio";

/// The knob of all known issues of a subject.
const ALL_ISSUES: &str = "all";

/// How plans are drawn. Every `percent` is of runs, 0 to 100; every pair is a range, both ends
/// included.
///
/// A file may begin with `extends = "storm"`, or the name of another built-in profile, and then
/// says only what differs. It may have tables `[[variants]]`, each of which is a profile of its own
/// that seeds draw from ([`Variant`]). Who extends it has none of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name: that of its file.
    #[serde(skip)]
    pub name: String,
    /// One line for `squall list profiles`.
    pub about: String,
    /// Features, by their names in words, one of which a subject must support for the profile to
    /// be of use; none: any subject. Where a profile with variants is swept, one that is of no
    /// use leaves its share to the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Feature>,
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
    /// Runs in which membership may change: with learners at the start, nodes that may join, and a
    /// snapshot to learn from.
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
    /// Crashes, of those that strike at an ordinal event, that do so at a sync that overwrites
    /// entries.
    #[serde(default)]
    pub overwrite_percent: u8,
    /// Faults, of those that strike at an ordinal event other than a message of their own, that do
    /// so at a milestone of a node: when it stands for election, is elected, has installed a
    /// snapshot, goes by another configuration.
    #[serde(default)]
    pub milestone_percent: u8,
    /// Faults, of those that strike at a time, that do so close to another one.
    #[serde(default)]
    pub cluster_percent: u8,
    /// Leaders, of those that are cut off, that one or two nodes still hear which hear all others
    /// as well.
    #[serde(default)]
    pub bridge_percent: u8,
    /// Knobs of known issues that subjects declare, by name: true leaves an issue's trigger in
    /// plans. `all = true` does so for all that have no knob of their own here. Older files have
    /// them in `[findings]`.
    #[serde(
        default,
        rename = "known-issues",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub known_issues: BTreeMap<String, bool>,
    /// Events that must happen at least once in a sweep of 1,000 runs or more for it to be clean:
    /// names of `sometimes` events.
    #[serde(default)]
    pub require: Vec<String>,
    /// How often some of them must happen, in such a sweep of plans that are drawn as this says
    /// (`swarm`).
    #[serde(default)]
    pub shares: Vec<Share>,
    /// What seeds draw from in place of this profile, where there are any.
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

impl Profile {
    /// Whether the trigger of that issue stays in plans.
    pub fn has_known_issue(&self, name: &str) -> bool {
        let knob = |name: &str| self.known_issues.get(name).copied();
        knob(name).or(knob(ALL_ISSUES)).unwrap_or(false)
    }

    /// Makes sure that the issues which the profile names are there. The built-in profiles name
    /// some of subjects that a program need not have.
    ///
    /// # Errors
    /// The first that is not, with those that are.
    pub fn check_issues(&self, issues: &[KnownIssue]) -> Result<(), NotDeclared> {
        if builtin_profiles()
            .iter()
            .any(|(name, _)| *name == self.name)
        {
            return Ok(());
        }
        let profiles = self.with_variants().into_iter();
        let names = profiles.flat_map(|profile| profile.known_issues.keys());
        let names = names.map(String::as_str).filter(|name| *name != ALL_ISSUES);
        check_issues(issues, names)
    }
}

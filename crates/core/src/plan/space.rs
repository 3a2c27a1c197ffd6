//! What plans are drawn for, and from.

use super::hazard::KeptClearOf;
use super::{Plan, Profile, Variant, generate, generate_own};
use crate::options::Feature;
use crate::own::Own;
use squall_world::rng::Choices;

/// What plans are drawn for, and from: a subject by its name, what it supports and what it declares
/// of its own, and a profile. A registered subject makes one (`RegisteredSubject::plans`).
#[derive(Clone, Copy, Debug)]
pub struct PlanSpace<'a> {
    /// The subject's name.
    pub subject: &'a str,
    /// The command that starts it, where it is a process of its own.
    pub command: Option<&'a str>,
    /// What plans may ask for.
    pub supports: &'a [Feature],
    /// What the subject declares of its own.
    pub own: Own,
    /// What they are drawn from.
    pub profile: &'a Profile,
}

impl<'a> PlanSpace<'a> {
    /// For a subject that supports all and declares nothing of its own.
    pub fn new(subject: &'a str, profile: &'a Profile) -> Self {
        Self {
            subject,
            command: None,
            supports: Feature::ALL,
            own: Own::default(),
            profile,
        }
    }

    /// The plan that the profile draws from `seed`, of what the subject supports and clear of its
    /// known issues.
    ///
    /// The same arguments give the same plan in every process of one version of this crate. A later
    /// version may draw differently: keep plans, not seeds.
    pub fn draw(&self, seed: u64) -> Plan {
        let choices = Choices::labelled(seed, "plan", 0);
        generate::draw_plan(choices, seed, *self)
    }

    /// The plan that `bytes` choose instead of a seed: see [`Choices::finite`]. The first eight are
    /// the seed of what the run itself draws.
    pub fn draw_from_bytes(&self, bytes: &[u8]) -> Plan {
        let mut choices = Choices::finite(bytes);
        let seed = choices.word();
        generate::draw_plan(choices, seed, *self)
    }

    /// The plan with the subject's own options drawn anew from its seed: of one that was not drawn
    /// here.
    pub fn with_own_options(&self, mut plan: Plan) -> Plan {
        generate_own::draw(&mut plan, *self);
        self.fit(plan)
    }

    /// The plan without options that bring about known issues whose knobs are off: of one that was
    /// made out of others.
    pub fn fit(&self, mut plan: Plan) -> Plan {
        let profile = self.profile_of(plan.seed);
        let is_on = |name: &str| profile.has_known_issue(name);
        self.own.leave_out(is_on, &mut plan.raft, &mut plan.driver);
        plan
    }

    /// The variant of the profile that the plan of a seed is drawn from, where it has any.
    pub fn variant_of(&self, seed: u64) -> Option<&'a Variant> {
        let place = self.profile.variant_of(seed, self.supports)?;
        Some(&self.profile.variants[place])
    }

    /// What the plan of a seed is drawn from.
    pub(super) fn profile_of(&self, seed: u64) -> &'a Profile {
        self.profile.of_seed(seed, self.supports)
    }

    /// What the plan of a seed keeps clear of.
    pub(super) fn kept_clear_of(&self, seed: u64) -> KeptClearOf {
        let profile = self.profile_of(seed);
        let issues = self.own.issues.iter();
        let off = issues.filter(|issue| !profile.has_known_issue(issue.name));
        KeptClearOf::these(off.flat_map(|issue| issue.hazards).copied())
    }
}

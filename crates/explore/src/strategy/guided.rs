//! Guided search: plans that reached something new are kept, and changed a little to reach
//! more, those first whose novelty is still rare. Every so often it draws a fresh plan, as of
//! swarm or as of uniform.
//!
//! Coverage is that of abstract Raft states (see `coverage`), and the energy of a kept plan is in
//! the manner of Entropic (Boehme et al., FSE 2020) in integers: the rarer what it was the first
//! to do, and the shorter its run, the more often it is picked.

use super::mutate::mutate;
use super::{Feedback, Strategy, Swarm, Uniform};
use squall_core::coverage::Map;
use squall_core::plan::{Plan, PlanSpace};
use squall_world::rng::Choices;

/// Runs between two feedback: the fewer, the sooner what is new is made use of.
const PORTION: u64 = 32;

/// Runs in so many that draw a fresh plan, and do not change a kept one.
const FRESH_PERCENT: u32 = 40;

/// Plans kept at a time: beyond this, those of the least energy are dropped.
const MOST_KEPT: usize = 1_024;

/// Of the transitions that a plan was the first to make, so many speak for it.
const MOST_NOVEL: usize = 32;

/// What a transition that one run alone has made counts for.
const RAREST: u64 = 1 << 20;

/// A plan that is kept.
#[derive(Clone, Debug)]
struct Kept {
    plan: Plan,
    /// Transitions that it was the first to make.
    novel: Vec<u64>,
    steps: u64,
    /// How often it was picked.
    picked: u64,
}

impl Kept {
    fn energy(&self, map: &Map) -> u64 {
        let rarity = |transition: &u64| RAREST / u64::from(map.runs(*transition).max(1));
        let sum: u64 = self.novel.iter().map(rarity).sum();
        // As if each run cost a thousand steps beside its own.
        (sum * 1_024 / (1_024 + self.steps) / (1 + self.picked)).max(1)
    }
}

/// Coverage-guided search.
pub struct Guided<'a> {
    space: PlanSpace<'a>,
    /// Where fresh plans come from.
    swarm: Swarm<'a>,
    uniform: Uniform<'a>,
    first_seed: u64,
    /// Plans to begin with.
    given: Vec<Plan>,
    kept: Vec<Kept>,
    /// Running sums of the energies of the kept plans.
    sums: Vec<u64>,
}

impl<'a> Guided<'a> {
    /// Over these plans, in a sweep that begins with `first_seed`. Its first runs are those of
    /// `given`.
    pub fn over(space: PlanSpace<'a>, first_seed: u64, given: Vec<Plan>) -> Self {
        Self {
            space,
            swarm: Swarm::over(space),
            uniform: Uniform::over(space),
            first_seed,
            given,
            kept: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// The plan of `seed` that is given, if one is.
    fn given(&self, seed: u64) -> Option<&Plan> {
        let place = usize::try_from(seed.wrapping_sub(self.first_seed)).ok()?;
        self.given.get(place)
    }

    /// Which kept plan the run of `seed` is made from; none for a fresh one.
    fn parent(&self, choices: &mut Choices) -> Option<usize> {
        let is_fresh = choices.chance_ppm(FRESH_PERCENT * 10_000);
        let draw = choices.below(self.sums.last().copied().unwrap_or(0));
        let place = self.sums.partition_point(|sum| *sum <= draw);
        (!is_fresh && place < self.kept.len()).then_some(place)
    }

    /// A plan that is made from no other.
    fn fresh(&self, seed: u64, choices: &mut Choices) -> Plan {
        match choices.below(2) {
            0 => self.swarm.plan(seed),
            _ => self.uniform.plan(seed),
        }
    }

    fn choices(seed: u64) -> Choices {
        Choices::labelled(seed, "guided", 0)
    }
}

impl Strategy for Guided<'_> {
    fn plan(&self, seed: u64) -> Plan {
        if let Some(plan) = self.given(seed) {
            return plan.clone();
        }
        let mut choices = Self::choices(seed);
        let Some(place) = self.parent(&mut choices) else {
            return self.fresh(seed, &mut choices);
        };
        let other = choices.below(self.kept.len() as u64) as usize;
        let (parent, other) = (&self.kept[place].plan, &self.kept[other].plan);
        let donor = self.fresh(choices.word(), &mut choices);
        self.space
            .fit(mutate(parent, [&donor, other], &mut choices))
    }

    fn portion(&self) -> u64 {
        PORTION
    }

    fn learns(&self) -> bool {
        true
    }

    fn learn(&mut self, feedback: &[Feedback], map: &Map) -> Vec<usize> {
        for run_feedback in feedback {
            if self.given(run_feedback.seed).is_none()
                && let Some(place) = self.parent(&mut Self::choices(run_feedback.seed))
            {
                self.kept[place].picked += 1;
            }
        }
        let mut places = Vec::new();
        for (place, run_feedback) in feedback.iter().enumerate() {
            // What fails is found; what is made from it would most often be the same finding.
            if run_feedback.failed || run_feedback.news.is_empty() {
                continue;
            }
            places.push(place);
            let novel = run_feedback.news.transitions.iter();
            self.kept.push(Kept {
                plan: run_feedback.plan.clone(),
                novel: novel.copied().take(MOST_NOVEL).collect(),
                steps: run_feedback.steps,
                picked: 0,
            });
        }
        let mut energies: Vec<u64> = self.kept.iter().map(|kept| kept.energy(map)).collect();
        if self.kept.len() > MOST_KEPT {
            let mut ranked = energies.clone();
            ranked.sort_unstable();
            let least = ranked[ranked.len() - MOST_KEPT];
            let mut kept = std::mem::take(&mut self.kept);
            let mut stays = energies.iter().map(|energy| *energy >= least);
            kept.retain(|_| stays.next().unwrap_or(false));
            energies.retain(|energy| *energy >= least);
            self.kept = kept;
        }
        self.sums.clear();
        let mut sum = 0_u64;
        for energy in energies {
            sum += energy;
            self.sums.push(sum);
        }
        places
    }
}

//! The strategies that a profile's variants name, each for the seeds that draw from it.

use super::{Kind, Strategy, Swarm};
use squall_core::plan::{Plan, PlanSpace, Profile, Variant};

/// For each variant of a profile the strategy that it names, and swarm where it names none. A
/// profile without variants is swarm's as a whole.
pub struct Mixed<'a> {
    space: PlanSpace<'a>,
    whole: Swarm<'a>,
    /// One for each variant.
    parts: Vec<Box<dyn Strategy + 'a>>,
}

impl<'a> Mixed<'a> {
    /// Over these plans.
    ///
    /// # Panics
    /// When a variant names a strategy that [`check`] would not let it.
    pub fn over(space: PlanSpace<'a>) -> Self {
        let part = |variant: &'a Variant| {
            let profile = &variant.profile;
            let named = variant.strategy.as_deref();
            let kind = named.map(|name| kind_of(name).expect("profiles are checked"));
            let kind = kind.unwrap_or_else(|| Kind::usual_for(profile));
            kind.over(PlanSpace { profile, ..space }, 0, Vec::new())
        };
        Self {
            space,
            whole: Swarm::over(space),
            parts: space.profile.variants.iter().map(part).collect(),
        }
    }
}

impl Strategy for Mixed<'_> {
    fn plan(&self, seed: u64) -> Plan {
        let supports = self.space.supports;
        match self.space.profile.variant_of(seed, supports) {
            Some(place) => self.parts[place].plan(seed),
            None => self.whole.plan(seed),
        }
    }
}

/// Makes sure that the strategies which the profile's variants name are there, and draw plans from
/// seeds alone.
///
/// # Errors
/// What is wrong with the first that cannot be, and what is legal.
pub fn check(profile: &Profile) -> Result<(), String> {
    let named = profile.variants.iter().filter_map(|variant| {
        let name = variant.strategy.as_deref()?;
        Some((&variant.label, name))
    });
    for (label, name) in named {
        kind_of(name).map_err(|legal| {
            let profile = &profile.name;
            format!("profile {profile}: variant \"{label}\" names the strategy \"{name}\"; {legal}")
        })?;
    }
    Ok(())
}

fn kind_of(name: &str) -> Result<Kind, String> {
    let may = |kind: &Kind| !kind.learns() && *kind != Kind::Mixed;
    Kind::named(name).filter(may).ok_or_else(|| {
        let legal = Kind::ALL.iter().copied().filter(may);
        let legal: Vec<&str> = legal.map(Kind::name).collect();
        format!("legal: {}", legal.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a seed of the portfolio draws is what it draws from the profile that it falls to.
    #[test]
    fn a_variant_that_is_another_profile_draws_that_profiles_plans() {
        let portfolio = Profile::load("portfolio").unwrap();
        check(&portfolio).unwrap();
        let space = PlanSpace::new("raft-rs", &portfolio);
        let mixed = Mixed::over(space);
        let mut seen = 0;
        for seed in 0..300 {
            let variant = space.variant_of(seed).unwrap();
            let plan = mixed.plan(seed);
            assert_eq!(plan.validate(), Ok(()), "seed {seed}");
            if variant.strategy.is_none() {
                let alone = Profile::load(&variant.profile.name).unwrap();
                let alone = PlanSpace::new("raft-rs", &alone);
                assert_eq!(plan, alone.draw(seed), "seed {seed}");
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
    }

    /// A profile that has the portfolio as one of its variants has that one's strategies too.
    #[test]
    fn variants_of_a_variant_have_their_strategies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        let text = "extends = \"storm\"\nabout = \"x\"\n[[variants]]\nextends = \"portfolio\"\n";
        std::fs::write(&path, text).unwrap();
        let mine = Profile::load(path.to_str().unwrap()).unwrap();
        let portfolio = Profile::load("portfolio").unwrap();
        let [mine, portfolio] =
            [&mine, &portfolio].map(|profile| Mixed::over(PlanSpace::new("raft-rs", profile)));
        for seed in 0..100 {
            assert_eq!(mine.plan(seed), portfolio.plan(seed), "seed {seed}");
        }
    }
}

//! Variants: what the seeds of a profile draw from in its place.

use serde::Serialize;

use super::Profile;
use crate::options::Feature;
use squall_world::rng::Choices;

/// One of those that a profile's seeds draw from.
///
/// In a profile's file, a table `[[variants]]` says what differs in it from the profile around it;
/// or, where it begins with `extends`, from the built-in profile of that name. One that says
/// nothing more is that profile, with its own variants: its plans bear its name, and are those of
/// its seeds.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// How it is called in summaries: `name` in the file, otherwise the profile that it extends,
    /// with the strategy.
    pub label: String,
    /// How many of the seeds draw from it, beside the weights of the others; 1 where nothing is
    /// said.
    pub weight: u32,
    /// The name of the strategy that draws its plans in a sweep for which none is named; none:
    /// swarm.
    pub strategy: Option<String>,
    /// What its plans are drawn from.
    pub profile: Profile,
}

impl Profile {
    /// Whether the profile is of use for a subject that supports these features.
    pub fn is_for(&self, supports: &[Feature]) -> bool {
        self.needs.is_empty() || self.needs.iter().any(|feature| supports.contains(feature))
    }

    /// The place among the variants of the one that the seed draws from, for a subject that
    /// supports these features; none where the profile has no variants. One that the subject lacks
    /// the features for leaves its share to the others.
    pub fn variant_of(&self, seed: u64, supports: &[Feature]) -> Option<usize> {
        let useful = |variant: &&Variant| variant.profile.is_for(supports);
        let whole: u64 = self.variants.iter().filter(useful).map(weight).sum();
        // Where nothing is of use, anything is.
        let (whole, is_of_use): (u64, &dyn Fn(&&Variant) -> bool) = match whole {
            0 => (self.variants.iter().map(weight).sum(), &|_| true),
            whole => (whole, &useful),
        };
        if whole == 0 {
            return None;
        }
        // Variants of variants are drawn for themselves.
        let mut left = Choices::labelled(seed, "variant", self.height()).below(whole);
        let variants = self.variants.iter().enumerate();
        let mut variants = variants.filter(|(_, variant)| is_of_use(variant));
        let drawn = variants.find(|(_, variant)| {
            let is_it = left < weight(variant);
            left = left.saturating_sub(weight(variant));
            is_it
        });
        drawn.map(|(place, _)| place)
    }

    /// What a plan is drawn from: this, or the variant that the seed draws.
    pub(in crate::plan) fn of_seed(&self, seed: u64, supports: &[Feature]) -> &Profile {
        match self.variant_of(seed, supports) {
            Some(place) => self.variants[place].profile.of_seed(seed, supports),
            None => self,
        }
    }

    /// How deep variants lie in its variants: 0 where these have none.
    fn height(&self) -> u64 {
        let variants = self.variants.iter();
        let with_own = variants.filter(|variant| !variant.profile.variants.is_empty());
        let heights = with_own.map(|variant| variant.profile.height() + 1);
        heights.max().unwrap_or(0)
    }

    /// This, its variants, and theirs.
    pub(super) fn with_variants(&self) -> Vec<&Profile> {
        let variants = self.variants.iter();
        let mut all = vec![self];
        all.extend(variants.flat_map(|variant| variant.profile.with_variants()));
        all
    }
}

fn weight(variant: &Variant) -> u64 {
    variant.weight.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(profile: &Profile, supports: &[Feature]) -> Vec<u32> {
        let mut times = vec![0; profile.variants.len()];
        for seed in 0..4_000 {
            times[profile.variant_of(seed, supports).unwrap()] += 1;
        }
        times
    }

    #[test]
    fn variants_are_drawn_by_their_weights_and_leave_their_share_where_they_are_of_no_use() {
        let profile = Profile::load("portfolio").unwrap();
        let whole: u32 = profile.variants.iter().map(|variant| variant.weight).sum();
        let all = drawn(&profile, Feature::ALL);
        for (variant, times) in profile.variants.iter().zip(&all) {
            let expected = 4_000 * variant.weight / whole;
            let (least, most) = ((expected * 4 / 5).saturating_sub(15), expected * 6 / 5 + 15);
            assert!((least..=most).contains(times), "{}: {times}", variant.label);
        }
        let none = drawn(&profile, &[]);
        assert_eq!(none.iter().sum::<u32>(), 4_000);
        for (variant, times) in profile.variants.iter().zip(&none) {
            let is_for_all = variant.profile.needs.is_empty();
            assert_eq!(*times > 0, is_for_all, "{}: {times}", variant.label);
        }
    }
}

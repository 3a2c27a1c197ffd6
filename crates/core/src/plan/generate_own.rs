//! From a seed to the options that a subject has of its own. They have a stream of chance for
//! themselves, so that a plan is otherwise the same whatever its subject declares.

use super::{Plan, Profile};
use crate::own::{OptionValue, Own, Values};
use squall_world::rng::Choices;

/// Draws the subject's own options of a plan that is drawn otherwise, and takes the triggers of its
/// known issues out where `profile` has not their knobs on.
pub fn draw_own(plan: &mut Plan, own: Own, profile: &Profile) {
    let mut choices = Choices::labelled(plan.seed, "own options", 0);
    for option in own.options {
        let value = match option.values {
            Values::Flag { percent } => {
                let on = choices.chance_ppm(u32::from(percent) * 10_000);
                on.then_some(OptionValue::Flag(true))
            }
            Values::Number {
                usual,
                least,
                most,
                percent,
            } => {
                let drawn = choices.chance_ppm(u32::from(percent) * 10_000);
                let number = choices.skewed(least, most);
                (drawn && number != usual).then_some(OptionValue::Number(number))
            }
        };
        if let Some(value) = value {
            plan.driver.own.insert(option.name.to_owned(), value);
        }
    }
    leave_out_own(plan, own, profile);
}

/// Takes the triggers of known issues out of a plan where `profile` has not their knobs on.
pub fn leave_out_own(plan: &mut Plan, own: Own, profile: &Profile) {
    let profile = profile.of_seed(plan.seed);
    let is_on = |name: &str| profile.has_known_issue(name);
    own.leave_out(is_on, &mut plan.raft, &mut plan.driver);
}

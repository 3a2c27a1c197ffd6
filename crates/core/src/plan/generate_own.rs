//! How options are drawn that a subject has of its own. They have a stream of chance for
//! themselves, so that a plan is otherwise the same whatever its subject declares.

use super::{Plan, PlanSpace};
use crate::own::{OptionValue, OwnOptions, Values};
use squall_world::rng::Choices;

/// Draws all of the subject's own options of a plan.
pub(super) fn draw(plan: &mut Plan, space: PlanSpace<'_>) {
    let profile = space.profile_of(plan.seed);
    let percent = profile.driver.other_orders_percent;
    let mut choices = Choices::labelled(plan.seed, "own orders", 0);
    let other_order = choices.chance_ppm(u32::from(percent) * 10_000);
    plan.driver.own = orders(space, other_order);
    draw_values(plan, space);
}

/// The options that are another order, which is drawn with the plan.
pub(super) fn orders(space: PlanSpace<'_>, other_order: bool) -> OwnOptions {
    let options = space.own.options.iter();
    let orders = options.filter(|option| matches!(option.values, Values::OtherOrder));
    orders
        .filter(|_| other_order)
        .map(|option| (option.name.to_owned(), OptionValue::Flag(true)))
        .collect()
}

/// Draws the options that are something else.
pub(super) fn draw_values(plan: &mut Plan, space: PlanSpace<'_>) {
    let mut choices = Choices::labelled(plan.seed, "own options", 0);
    for option in space.own.options {
        let value = match option.values {
            Values::OtherOrder => continue,
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
}

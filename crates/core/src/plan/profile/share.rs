//! How often something must come off: not each time, as a storm may always be in the way, but on a
//! good day nearly.

use serde::{Deserialize, Serialize};

use crate::counters::{Counter, Counters};

/// How often an event must happen, for each time that another does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The name of a `sometimes` event.
    pub event: String,
    /// The name of the one that it is held against.
    pub of: String,
    /// Between how many percent of that, both ends included, 0 to [`Share::MOST_PERCENT`].
    pub percent: [u64; 2],
}

impl Share {
    /// The highest end there is, which stands for any number.
    pub const MOST_PERCENT: u64 = 10_000;

    /// The two events.
    ///
    /// # Panics
    /// When one of them has no such name, which [`crate::plan::Profile::load`] rules out.
    pub fn events(&self) -> [Counter; 2] {
        [&self.event, &self.of]
            .map(|name| Counter::named(name).expect("a profile names events that there are"))
    }

    /// What is wrong with what was counted, in words; nothing where it is as it must be.
    pub fn unmet(&self, counters: &Counters) -> Option<String> {
        let [event, of] = self.events().map(|event| counters.get(event));
        let [least, most] = self.percent;
        // Of nothing there is no share.
        let is_met = of == 0 || (least * of <= 100 * event && 100 * event <= most * of);
        let Self {
            event: what,
            of: whole,
            ..
        } = self;
        let expected = match most {
            Self::MOST_PERCENT.. => format!("at least {least} %"),
            _ => format!("{least} to {most} %"),
        };
        (!is_met)
            .then(|| format!("{what} ({event} for {of} of {whole}, where {expected} are expected)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_met_between_its_ends_and_of_nothing() {
        let share = Share {
            event: "read-served".into(),
            of: "read-sent".into(),
            percent: [50, 75],
        };
        let counted = |served: u64, sent: u64| {
            let mut counters = Counters::default();
            (0..served).for_each(|_| counters.hit(Counter::ReadServed));
            (0..sent).for_each(|_| counters.hit(Counter::ReadSent));
            share.unmet(&counters)
        };
        for (served, sent) in [(0, 0), (1, 2), (3, 4), (2, 3)] {
            assert_eq!(counted(served, sent), None, "{served} of {sent}");
        }
        assert!(counted(4, 5).is_some());
        assert_eq!(
            counted(1, 3).unwrap(),
            "read-served (1 for 3 of read-sent, where 50 to 75 % are expected)"
        );
    }
}

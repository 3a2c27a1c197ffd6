//! What came of it: the shares, the times that are to be expected, and the profile's file.

use std::fmt::Write as _;

use super::Arm;
use super::shares::rate_of;
use crate::table::{made_by, median};

/// All that was measured and worked out, in the order of bugs and of arms.
pub struct Rows<'a> {
    pub arms: &'a [Arm],
    pub names: Vec<&'a str>,
    pub rates: &'a [Vec<Option<f64>>],
    pub shares: &'a [f64],
    pub weights: &'a [u32],
}

impl Rows<'_> {
    /// Seconds that a bug takes in a portfolio of these shares, on average; none for ever.
    fn seconds(&self, bug: usize, shares: &[f64]) -> Option<f64> {
        let rate = rate_of(&self.rates[bug], shares);
        (rate > 0.0).then(|| 1.0 / rate)
    }

    /// Median, mean and longest of what is found, and what is not.
    fn times(&self, shares: &[f64]) -> String {
        let all: Vec<Option<f64>> = (0..self.names.len())
            .map(|bug| self.seconds(bug, shares))
            .collect();
        let found: Vec<f64> = all.iter().copied().flatten().collect();
        let mean = found.iter().sum::<f64>() / found.len().max(1) as f64;
        let longest = found.iter().copied().fold(0.0, f64::max);
        let missed = all.iter().filter(|time| time.is_none()).count();
        let mut text = format!(
            "median {:.2} s, mean {mean:.2} s, longest {longest:.1} s",
            median(found)
        );
        if missed > 0 {
            let _ = write!(text, ", {missed} of {} not found", all.len());
        }
        text
    }

    /// A few lines.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for ((arm, share), weight) in self.arms.iter().zip(self.shares).zip(self.weights) {
            let _ = writeln!(
                text,
                "{:<12} {:<8} {:>5.1} % of time {weight:>5} of 1,000 seeds",
                arm.profile,
                arm.strategy,
                100.0 * share
            );
        }
        let storm: Vec<f64> = (0..self.arms.len())
            .map(|arm| f64::from(u8::from(arm == 0)))
            .collect();
        let _ = writeln!(text, "expected, storm alone: {}", self.times(&storm));
        let _ = writeln!(text, "expected, these shares: {}", self.times(self.shares));
        text
    }

    /// The tables, with the command that made them: shares, then the bugs that take the longest.
    pub fn markdown(&self, command: &str) -> String {
        let mut text = made_by(command);
        for line in self
            .summary()
            .lines()
            .filter(|line| line.starts_with("expected"))
        {
            let _ = writeln!(text, "- {line}");
        }
        text.push_str("\n| profile | strategy | share of time | of 1,000 seeds |\n| --- | --- | ---: | ---: |\n");
        for ((arm, share), weight) in self.arms.iter().zip(self.shares).zip(self.weights) {
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} % | {weight} |",
                arm.profile,
                arm.strategy,
                100.0 * share
            );
        }
        text.push_str("\nThe bugs that take longest, in seconds of processor time until they are found:\n\n| bug | these shares | storm alone | best alone |\n| --- | ---: | ---: | --- |\n");
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        let time = |bug: &usize| self.seconds(*bug, self.shares).unwrap_or(f64::INFINITY);
        order.sort_by(|a, b| time(b).total_cmp(&time(a)));
        for bug in order.into_iter().take(30) {
            let rates = self.rates[bug].iter().copied().enumerate();
            let best = rates.max_by(|a, b| a.1.unwrap_or(0.0).total_cmp(&b.1.unwrap_or(0.0)));
            let alone = |rate: Option<f64>| match rate {
                Some(rate) if rate > 0.0 => format!("{:.2}", 1.0 / rate),
                _ => "not found".to_owned(),
            };
            let best = best.map_or_else(String::new, |(arm, rate)| {
                let Arm { profile, strategy } = self.arms[arm];
                format!("{} by {profile}, {strategy}", alone(rate))
            });
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {best} |",
                self.names[bug],
                alone(self.seconds(bug, self.shares).map(f64::recip)),
                alone(self.rates[bug][0]),
            );
        }
        text
    }

    /// The profile's file `before`, with these variants in place of its own.
    pub fn profile(&self, before: &str) -> String {
        let head = before.split("[[variants]]").next().unwrap_or_default();
        let mut text = head.trim_end().to_owned() + "\n";
        for (arm, weight) in self.arms.iter().zip(self.weights) {
            let Arm { profile, strategy } = arm;
            if *weight == 0 {
                continue;
            }
            let _ = write!(text, "\n[[variants]]\nextends = \"{profile}\"\n");
            if *strategy != "swarm" {
                let _ = writeln!(text, "strategy = \"{strategy}\"");
            }
            let _ = writeln!(text, "weight = {weight}");
        }
        text
    }
}

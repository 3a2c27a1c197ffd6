//! The tables of `docs/strategies.md`.

use std::fmt::Write as _;

use super::{HONEST, Options, Sweep, is_injected};
use crate::catalogue::Mutant;

/// What the sweeps say: of `bugs`, of which those in `repeated` were swept again and again.
pub fn tables(options: &Options, sweeps: &[Sweep], bugs: &[Mutant], repeated: &[Mutant]) -> String {
    let tables = Tables { options, sweeps };
    let mut text = tables.covered();
    for (what, injected) in [("injected bug", true), ("mutant", false)] {
        let is_here = |bug: &&Mutant| is_injected(bug) == injected;
        let here: Vec<&Mutant> = repeated.iter().filter(is_here).collect();
        if !here.is_empty() {
            let all = bugs.iter().filter(is_here).count();
            text += &tables.found(what, &here, all);
        }
    }
    text
}

/// One number of a sweep.
type Figure = fn(&Sweep) -> u64;

struct Tables<'a> {
    options: &'a Options,
    sweeps: &'a [Sweep],
}

impl Tables<'_> {
    /// How much was covered.
    fn covered(&self) -> String {
        let mut text = format!(
            "Covered in {} of processor time: median of {} repetitions (quartiles).\n\n",
            humantime::format_duration(self.options.coverage),
            self.options.repeat
        );
        self.head(&mut text, "storm over raft-rs");
        let figures: [(&str, Figure); 4] = [
            ("states", |sweep| {
                sweep.trial.covered.map_or(0, |covered| covered.states)
            }),
            ("transitions", |sweep| {
                sweep.trial.covered.map_or(0, |covered| covered.transitions)
            }),
            ("runs", |sweep| sweep.trial.runs),
            ("steps", |sweep| sweep.trial.steps),
        ];
        for (name, get) in figures {
            self.row(&mut text, name, |strategy| {
                let all = rising(
                    self.of(HONEST, strategy)
                        .into_iter()
                        .map(|sweep| get(sweep) as f64),
                );
                let [low, middle, high] = quartiles(&all);
                format!("{middle:.0} ({low:.0} to {high:.0})")
            });
        }
        text
    }

    /// How soon bugs were found: `here`, of `all` of their kind.
    fn found(&self, what: &str, here: &[&Mutant], all: usize) -> String {
        let mut text = format!(
            "\nProcessor seconds to the first violation: median of {} repetitions (quartiles) of {} of {all}, each sweep with {}.\n\n",
            self.options.repeat,
            here.len(),
            humantime::format_duration(self.options.budget)
        );
        self.head(&mut text, what);
        for bug in here {
            self.row(&mut text, &format!("`{}`", bug.id), |strategy| {
                spread(&self.times(&bug.id, strategy))
            });
        }
        let median = |strategy: &str, bug: &Mutant| quartiles(&self.times(&bug.id, strategy))[1];
        self.row(&mut text, "soonest by its median", |strategy| {
            let wins = here.iter().filter(|bug| {
                let own = median(strategy, bug);
                let others = self.options.strategies.iter();
                own.is_finite() && others.into_iter().all(|other| own <= median(other, bug))
            });
            wins.count().to_string()
        });
        self.row(&mut text, "sweeps that found it", |strategy| {
            let all = self.of_all(here, strategy);
            let found = all.iter().filter(|sweep| sweep.trial.found).count();
            format!("{found} of {}", all.len())
        });
        self.row(&mut text, "processor seconds in all", |strategy| {
            let spent = self
                .of_all(here, strategy)
                .iter()
                .map(|sweep| sweep.trial.cpu_seconds)
                .sum::<f64>();
            format!("{spent:.1}")
        });
        text
    }

    fn of(&self, bug: &str, strategy: &str) -> Vec<&Sweep> {
        let here = |sweep: &&Sweep| sweep.bug == bug && sweep.strategy == strategy;
        self.sweeps.iter().filter(here).collect()
    }

    fn of_all(&self, bugs: &[&Mutant], strategy: &str) -> Vec<&Sweep> {
        let of = |bug: &&Mutant| self.of(&bug.id, strategy);
        bugs.iter().flat_map(of).collect()
    }

    /// Processor seconds to the violation, rising; infinite where there was none.
    fn times(&self, bug: &str, strategy: &str) -> Vec<f64> {
        rising(
            self.of(bug, strategy)
                .into_iter()
                .map(|sweep| match sweep.trial.found {
                    true => sweep.trial.cpu_seconds,
                    false => f64::INFINITY,
                }),
        )
    }

    fn head(&self, text: &mut String, first: &str) {
        let strategies = &self.options.strategies;
        let _ = writeln!(text, "| {first} | {} |", strategies.join(" | "));
        let _ = writeln!(text, "| --- |{}", " --- |".repeat(strategies.len()));
    }

    fn row(&self, text: &mut String, first: &str, cell: impl Fn(&str) -> String) {
        let cells = self
            .options
            .strategies
            .iter()
            .map(|strategy| cell(strategy));
        let _ = writeln!(
            text,
            "| {first} | {} |",
            cells.collect::<Vec<_>>().join(" | ")
        );
    }
}

fn rising(all: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The lower quartile, the median and the upper quartile of numbers that rise.
fn quartiles(all: &[f64]) -> [f64; 3] {
    let at = |part: usize| {
        let Some(last) = all.len().checked_sub(1) else {
            return f64::INFINITY;
        };
        let (low, rest) = (last * part / 4, last * part % 4);
        match rest {
            0 => all[low],
            _ if all[low + 1].is_infinite() => f64::INFINITY,
            _ => all[low] + (all[low + 1] - all[low]) * rest as f64 / 4.0,
        }
    };
    [at(1), at(2), at(3)]
}

fn spread(all: &[f64]) -> String {
    let words = |one: f64| match one.is_finite() {
        true => format!("{one:.2}"),
        false => "-".to_owned(),
    };
    let [low, middle, high] = quartiles(all).map(words);
    format!("{middle} ({low} to {high})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_sweeps_that_did_not_find_it_are_told_as_such() {
        assert_eq!(quartiles(&[1.0, 2.0, 3.0, 4.0, 5.0]), [2.0, 3.0, 4.0]);
        assert_eq!(quartiles(&[1.0, 2.0])[1], 1.5);
        let some = [1.0, 2.0, 3.0, f64::INFINITY, f64::INFINITY];
        assert_eq!(spread(&some), "3.00 (2.00 to -)");
        assert_eq!(spread(&[]), "- (- to -)");
    }
}

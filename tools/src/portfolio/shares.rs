//! The shares of a portfolio, from how often each of its arms finds each bug.
//!
//! An arm that finds a bug so many times a second of its own processor time, and has a share of the
//! whole, adds its share of that rate; so a bug takes one over the sum of them, in seconds, on
//! average. What is made small is the mean of the squares of these times over all bugs: between
//! their mean, which forgets the hardest bug, and their maximum, which knows nothing else.

/// A bug that no arm finds is left out: no share would find it.
const ROUNDS: usize = 20_000;

/// How far a share moves in a round.
const STEP: f64 = 0.02;

/// The shares of processor time, which add up to 1: each is its least, and what it has earned.
///
/// A bug that was not swept with an arm is taken for one that this arm does not find.
pub fn work_out(rates: &[Vec<Option<f64>>], least: Vec<f64>) -> Vec<f64> {
    let free = 1.0 - least.iter().sum::<f64>();
    assert!(free > 0.0, "least shares leave something");
    let arms = least.len();
    let mut earned = vec![1.0 / arms as f64; arms];
    let shares = |earned: &[f64]| -> Vec<f64> {
        let both = least.iter().zip(earned);
        both.map(|(least, earned)| least + free * earned).collect()
    };
    for _ in 0..ROUNDS {
        let now = shares(&earned);
        let mut pull = vec![0.0; arms];
        for bug in rates {
            let rate = rate_of(bug, &now);
            if rate > 0.0 {
                for (pull, rate_of_arm) in pull.iter_mut().zip(bug) {
                    *pull += rate_of_arm.unwrap_or(0.0) / rate.powi(3);
                }
            }
        }
        let most = pull.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        for (earned, pull) in earned.iter_mut().zip(&pull) {
            *earned *= (STEP * pull / most).exp();
        }
        let sum: f64 = earned.iter().sum();
        earned.iter_mut().for_each(|earned| *earned /= sum);
    }
    shares(&earned)
}

/// Findings of a bug a second, in a portfolio of these shares.
pub fn rate_of(bug: &[Option<f64>], shares: &[f64]) -> f64 {
    let both = bug.iter().zip(shares);
    both.map(|(rate, share)| rate.unwrap_or(0.0) * share).sum()
}

/// Weights of seeds, in thousandths of all: a share of time, by arms whose runs take so long. What
/// has a share has a weight.
pub fn weights(shares: &[f64], seconds_a_run: &[f64]) -> Vec<u32> {
    let runs = shares.iter().zip(seconds_a_run);
    let runs: Vec<f64> = runs.map(|(share, seconds)| share / seconds).collect();
    let whole: f64 = runs.iter().sum();
    let weight = |(runs, share): (&f64, &f64)| match *share < 0.004 {
        true => 0,
        false => ((1_000.0 * runs / whole).round() as u32).max(1),
    };
    runs.iter().zip(shares).map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_alone_finds_a_hard_bug_gets_most_of_what_is_free() {
        let rates = vec![
            vec![Some(100.0), Some(50.0), Some(0.0)],
            vec![Some(0.0), Some(0.5), Some(0.0)],
            vec![Some(0.0), Some(0.0), Some(0.0)],
        ];
        let shares = work_out(&rates, vec![0.1, 0.1, 0.1]);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        assert!(shares[1] > 0.75, "{shares:?}");
        assert!(shares[0] >= 0.1 && shares[2] < 0.11, "{shares:?}");
    }

    #[test]
    fn long_runs_get_fewer_seeds_for_their_share() {
        assert_eq!(weights(&[0.5, 0.5], &[0.001, 0.003]), [750, 250]);
        assert_eq!(
            weights(&[0.99, 0.01, 0.0], &[0.001, 10.0, 0.001]),
            [1_000, 1, 0]
        );
    }
}

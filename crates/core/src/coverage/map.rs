//! What many runs covered, and how often.

use rustc_hash::{FxHashMap, FxHashSet};

use super::RunCoverage;

/// What a set of runs covered.
#[derive(Clone, Debug, Default)]
pub struct Map {
    states: FxHashSet<u64>,
    /// Of each transition: the runs that made it.
    transitions: FxHashMap<u64, u32>,
}

/// What a run added to a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewCoverage {
    /// States that no run before had been in.
    pub states: u64,
    /// Transitions that no run before had made, rising.
    pub transitions: Vec<u64>,
}

impl NewCoverage {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.states == 0 && self.transitions.is_empty()
    }
}

impl Map {
    /// Takes in what a run covered, and says what of it is new.
    pub fn add(&mut self, trail: &RunCoverage) -> NewCoverage {
        let mut news = NewCoverage::default();
        for state in &trail.states {
            news.states += u64::from(self.states.insert(*state));
        }
        for transition in &trail.transitions {
            let runs = self.transitions.entry(*transition).or_default();
            if *runs == 0 {
                news.transitions.push(*transition);
            }
            *runs = runs.saturating_add(1);
        }
        news
    }

    /// Whether some run has covered all of it.
    pub fn covers(&self, trail: &RunCoverage) -> bool {
        let state = |state| self.states.contains(state);
        let transition = |transition| self.transitions.contains_key(transition);
        trail.states.iter().all(state) && trail.transitions.iter().all(transition)
    }

    /// The states and the transitions, each rising.
    pub fn listed(&self) -> RunCoverage {
        let mut states: Vec<u64> = self.states.iter().copied().collect();
        let mut transitions: Vec<u64> = self.transitions.keys().copied().collect();
        states.sort_unstable();
        transitions.sort_unstable();
        RunCoverage {
            states,
            transitions,
        }
    }

    /// How many states there are.
    pub fn states(&self) -> u64 {
        self.states.len() as u64
    }

    /// How many transitions there are.
    pub fn transitions(&self) -> u64 {
        self.transitions.len() as u64
    }

    /// How many runs made this transition.
    pub fn runs(&self, transition: u64) -> u32 {
        self.transitions.get(&transition).copied().unwrap_or(0)
    }
}

/// Of runs that make so many steps and cover so much, some that cover what all do, in rising
/// order. Short runs are preferred, and none of those chosen can be left out.
pub fn cover(runs: &[(u64, RunCoverage)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_by_key(|place| (runs[*place].0, *place));
    let mut map = Map::default();
    let mut chosen: Vec<usize> = order
        .into_iter()
        .filter(|place| !map.add(&runs[*place].1).is_empty())
        .collect();
    // Some of the short ones may be covered by longer ones that were needed all the same.
    let mut times = FxHashMap::<(bool, u64), u32>::default();
    let features = |place: usize| {
        let trail: &RunCoverage = &runs[place].1;
        let states = trail.states.iter().map(|state| (false, *state));
        states.chain(
            trail
                .transitions
                .iter()
                .map(|transition| (true, *transition)),
        )
    };
    for place in &chosen {
        features(*place).for_each(|feature| *times.entry(feature).or_default() += 1);
    }
    chosen.retain(|place| {
        let needed = features(*place).any(|feature| times[&feature] == 1);
        if !needed {
            features(*place).for_each(|feature| *times.entry(feature).or_default() -= 1);
        }
        needed
    });
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(transitions: &[u64]) -> RunCoverage {
        RunCoverage {
            states: transitions.iter().map(|one| one / 10).collect(),
            transitions: transitions.to_vec(),
        }
    }

    #[test]
    fn a_map_counts_runs_and_says_what_is_new() {
        let mut map = Map::default();
        let news = map.add(&trail(&[10, 20]));
        assert_eq!((news.states, news.transitions), (2, vec![10, 20]));
        let news = map.add(&trail(&[20, 21]));
        assert_eq!((news.states, news.transitions), (0, vec![21]));
        assert_eq!((map.runs(20), map.runs(10), map.runs(99)), (2, 1, 0));
        assert_eq!((map.states(), map.transitions()), (2, 3));
        assert!(map.covers(&trail(&[10, 21])) && !map.covers(&trail(&[30])));
    }

    #[test]
    fn a_cover_covers_all_prefers_short_runs_and_has_none_to_spare() {
        let runs = [
            (50, trail(&[10, 20, 30])),
            (10, trail(&[10])),
            (20, trail(&[20])),
            (90, trail(&[10, 20, 30])),
            (30, trail(&[40])),
            (5, trail(&[])),
        ];
        assert_eq!(cover(&runs), [0, 4]);
        assert_eq!(cover(&runs[1..3]), [0, 1]);
    }
}

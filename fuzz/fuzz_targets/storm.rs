//! Plans over a Raft implementation: see `squall_fuzzing::storm`.
//!
//! An input is what the generator makes its choices with, or a plan that is written down. The
//! mutator makes
//! other plans of plans.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_crossover, fuzz_mutator, fuzz_target, fuzzer_mutate};
use squall_fuzz::{Input, OfStorm, STORM, counters, fresh, pace};
use squall_fuzzing::{is_json, storm};

fuzz_target!(|input: Input<OfStorm>| -> Corpus {
    let Ok(plan) = STORM.plan(&input.0) else {
        return Corpus::Reject;
    };
    let (outcome, trail) = STORM.run_covered(&plan);
    counters::count(&trail.states);
    pace::ran(outcome.steps);
    input.judge(storm::judge(&plan, &outcome));
    Corpus::Keep
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let input = &data[..size];
    let other = match seed % 4 {
        // A mutant keeps who is in the cluster and much else of its parent: others come from fresh
        // plans.
        0 => Some(fresh(seed)),
        // Choices can be changed as bytes. A plan that is written down would mostly be none any
        // more.
        1 if !is_json(input) => None,
        _ => STORM.mutated(input, None, seed.into()),
    };
    match other {
        Some(other) if other.len() <= max_size => {
            data[..other.len()].copy_from_slice(&other);
            other.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
    match STORM.mutated(one, Some(other), seed.into()) {
        Some(mutant) if mutant.len() <= out.len() => {
            out[..mutant.len()].copy_from_slice(&mutant);
            mutant.len()
        }
        _ => 0,
    }
});

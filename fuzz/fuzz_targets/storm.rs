//! Plans over a Raft implementation: see `squall::fuzzing::storm`.
//!
//! An input is what the generator makes its choices with, or a plan that is written down. The mutator makes
//! other plans of plans.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_crossover, fuzz_mutator, fuzz_target, fuzzer_mutate};
use squall::fuzzing::{is_json, storm};
use squall_fuzz::{PlanInput, STORM, counters, judge};

fuzz_target!(|input: PlanInput| -> Corpus {
    let Ok(plan) = STORM.plan(&input.0) else {
        return Corpus::Reject;
    };
    let (outcome, trail) = STORM.run_covered(&plan);
    counters::count(&trail.states);
    judge("storm", &input.0, storm::judge(&plan, &outcome));
    Corpus::Keep
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // Choices can be changed as bytes. A plan that is written down would mostly be none any more.
    let bytewise = !is_json(&data[..size]) && seed % 2 == 0;
    if !bytewise
        && let Some(mutant) = STORM.mutated(&data[..size], None, seed.into())
        && mutant.len() <= max_size
    {
        data[..mutant.len()].copy_from_slice(&mutant);
        return mutant.len();
    }
    fuzzer_mutate(data, size, max_size)
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

//! The parser of plans: see `squall_fuzzing::plan_json`. Half of the mutants of a plan are plans
//! again, so that
//! what the parser takes is tried as well as what it refuses.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use squall_fuzz::{Input, OfPlanJson, STORM};
use squall_fuzzing::{is_json, plan_json};

fuzz_target!(|input: Input<OfPlanJson>| {
    input.judge(plan_json::check(&input.0));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let is_text = is_json(&data[..size]) || size < 2;
    if is_text
        && seed.is_multiple_of(2)
        && let Some(mutant) = STORM.mutated(&data[..size], None, seed.into())
        && mutant.len() <= max_size
    {
        data[..mutant.len()].copy_from_slice(&mutant);
        return mutant.len();
    }
    fuzzer_mutate(data, size, max_size)
});

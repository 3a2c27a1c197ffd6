//! Late, damaged and forged messages: see `squall_fuzzing::messages`.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use squall_fuzz::{Input, MESSAGES, OfMessages, fresh};

fuzz_target!(|input: Input<OfMessages>| {
    input.judge(MESSAGES.check(&input.0));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // By changes of bytes alone, from nothing, it takes long to come to more than a few choices.
    let other = fresh(seed);
    if seed.is_multiple_of(4) && other.len() <= max_size {
        data[..other.len()].copy_from_slice(&other);
        return other.len();
    }
    fuzzer_mutate(data, size, max_size)
});

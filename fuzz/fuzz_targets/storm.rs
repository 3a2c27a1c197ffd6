//! Plans over a Raft implementation: see `squall::fuzzing::storm`.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use squall_fuzz::{PlanInput, STORM, judge};

fuzz_target!(|input: PlanInput| -> Corpus {
    match STORM.plan(&input.0) {
        Err(_) => Corpus::Reject,
        Ok(_) => {
            judge("storm", &input.0, STORM.check(&input.0));
            Corpus::Keep
        }
    }
});

//! What fuzz targets do: each is a function over bytes. The targets in `fuzz/` are a few
//! lines over these, and `cargo test` runs the same functions on the committed corpus.
//!
//! Nothing here knows a fuzzer: bytes come in, and a finding goes out.

mod artifact;
pub mod disk;
pub mod linearizability;
pub mod messages;
pub mod plan_json;
pub mod storm;

pub use artifact::{is_json, plan_of};
pub use storm::Storm;

/// The command that runs a target, which follows, and then a file with an input if there is one. Flags are the same
/// wherever it is told: others build everything anew.
///
/// No sanitizer, for nothing here is unsafe; no look into comparisons, which costs half of the time and helps only to
/// guess bytes, where plans are mutated as plans.
pub const RUN: &str = "cargo +nightly fuzz run --sanitizer none --no-trace-compares";

/// Something that must not be, in words: the first line says what, and the rest what a person needs to go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Finding(pub String);

/// Holds that something must be.
fn demand(holds: bool, what: impl FnOnce() -> String) -> Result<(), Finding> {
    match holds {
        true => Ok(()),
        false => Err(Finding(what())),
    }
}

//! What fuzz targets do: each is a function over bytes. The targets in `fuzz/` are a few
//! lines over these, and `cargo test` runs the same functions on the committed corpus.
//!
//! Nothing here knows a fuzzer: bytes come in, and a finding goes out.

pub mod disk;
pub mod linearizability;
pub mod messages;
pub mod plan_json;
pub mod storm;

pub use squall_explore::fuzz_input::{RUN, is_json, plan_of};
pub use storm::Storm;

/// The subject of a target for which none is said.
pub const DEFAULT_SUBJECT: &str = "raft-rs";

/// Something that must not be, in words: the first line says what, and the rest what a person needs
/// to go on.
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

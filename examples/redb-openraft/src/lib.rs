//! A storage for openraft over redb: [`Log`] with the vote, and [`Machine`] with its snapshot, each
//! in a database of its own; and, in [`storm`], the same under Squall.

mod base;
pub mod bug;
mod log;
mod machine;
pub mod storm;
pub mod types;

pub use bug::Bug;
pub use log::Log;
pub use machine::{Builder, Machine};

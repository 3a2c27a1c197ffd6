//! What adapters of different libraries have in common.

pub mod blocking_driver;
pub mod state_machine;

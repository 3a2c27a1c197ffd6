//! What adapters of different libraries have in common. Knows no library.

pub mod blocking_driver;
pub mod election_timer;
pub mod envelope;
pub mod reports;
pub mod state_machine;
pub mod with_machine;

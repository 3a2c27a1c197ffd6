//! What a subject of one's own needs, in one line: `use squall::prelude::*;`.

pub use crate::options::Feature;
pub use crate::replica::{
    Birth, BootError, Input, Label, Output, Recovered, Replica, Request, Subject, SyncResult,
    Ticket,
};
pub use crate::subject::Named;
pub use crate::subject::one_at_a_time::{OneAtATime, Sequential};
pub use crate::subject::state_machine::StateMachine;

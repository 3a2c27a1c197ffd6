//! What a subject of one's own needs, in one line: `use crate::prelude::*;`.

pub use squall_core::adapter::blocking_driver::{OneAtATime, Sequential};
pub use squall_core::adapter::state_machine::StateMachine;
pub use squall_core::options::Feature;
pub use squall_core::registry::RegisteredSubject;
pub use squall_core::replica::{
    BootContext, BootError, Input, Label, Output, Recovered, Replica, Request, Subject, SyncId,
    SyncResult,
};

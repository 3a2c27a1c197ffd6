//! A cluster to play with: a person lets time pass, crashes nodes, drops messages, and sees at once
//! what comes of it. `squall explore` shows it in the browser.
//!
//! What is played is a story's commands, line by line, and nothing else. After each the plan that
//! they make up is carried out anew from its start to the story's present time, so that what is
//! shown is a real run of the library, the same every time, and to undo is to have one command
//! less. A [`Session`] is that, without a browser; a [`Server`] shows it on the loopback address.
//!
//! Knows no terminal and no Raft library, and nothing of HTML but whom to ask for it.

mod act;
mod guard;
mod saved;
mod server;
mod session;
mod state;

pub use server::{Server, Stopper};
pub use session::{MOST_STEPS, PlayError, Session};
pub use state::{Act, State};

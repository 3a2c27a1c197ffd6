//! Replicas in any language: a subject whose nodes live in a process of its own, which speaks the
//! frames of `docs/protocol`.
//!
//! The process has what is Raft. All else stays on this side: disks, network and checks in the
//! engine, and in this crate what every adapter would have to write again: the service with its
//! clients, what waits for a sync, snapshots, reads that wait to be applied.
//!
//! - `frame`: a length and so many bytes, over a pipe.
//! - `request` and `answer`: what is in a frame, as CBOR.
//! - `child`: the process, its deadline, what it prints.
//! - `machine`: the state machine of a node, here or in the process.
//! - `link`: the process of a run; `declared`: what it says of its subject.
//! - `node`: one node, as the engine sees it.
//! - `program`: the subject: a process for each run that goes on, kept from run to run.
//!
//! Nothing that comes from a process is trusted. This crate knows no Raft library and no language.

mod answer;
mod child;
mod declared;
mod frame;
mod link;
mod machine;
mod node;
mod processor;
mod program;
mod request;
#[cfg(test)]
mod vectors;

pub use child::{ChildError, DEFAULT_DEADLINE, kill_all};
pub use program::{Program, StartError, end_idle, subjects, why_gone};

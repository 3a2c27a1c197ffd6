//! The subjects: Raft implementations behind the seam. Only this folder names one.

pub mod raft_rs;

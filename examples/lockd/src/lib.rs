//! A small replicated lock and key-value server on raft-rs: what a reader copies to begin.
//!
//! It is ordinary tokio code. In production it runs on tokio; where the flag `--cfg madsim` is set,
//! the same source runs in the simulated runtime madsim, on disks that forget. It knows nothing of
//! whoever looks on but a [`probe`] that it reports to.
//!
//! From below: [`files`] the file system, [`net`] the sockets, [`time`] the clock, [`wal`] and
//! [`snapshot`] what is kept on it, [`store`] what raft-rs reads of that, and [`timeouts`] how long
//! it waits; [`state`] what is replicated; [`wire`] frames on TCP, [`peers`] the way to other
//! servers; [`server`] puts them together, and [`client`] talks to it.

pub mod bug;
pub mod client;
pub mod files;
pub mod net;
pub mod peers;
pub mod probe;
pub mod server;
pub mod snapshot;
pub mod state;
pub mod store;
#[cfg(madsim)]
pub mod storm;
pub mod time;
pub mod timeouts;
pub mod wal;
pub mod wire;

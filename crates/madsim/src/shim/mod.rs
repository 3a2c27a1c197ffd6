//! For code that runs on madsim itself: what the runtime lacks.
//!
//! madsim's own file system keeps all that is written, at once, whatever happens to the node: its
//! `FsSim::power_fail` does nothing, and its `sync_all` neither. So code that forgets a sync is
//! never found out there. [`DiskSim`] is a disk that forgets, and [`fs`] the files on it.
//!
//! Its network has one rate of loss and one range of delays for all links, and no duplication.
//! [`NetworkSim`] is one whose links are told apart, over the model that replicas have, and [`net`]
//! the sockets on it.
//!
//! Its clock is one for all nodes. [`ClockSim`] has one for each, and [`time`] goes by it.
//!
//! ```
//! use madsim::runtime::Runtime;
//! use squall_madsim::shim::{DiskSim, fs};
//!
//! let runtime = Runtime::with_seed_and_config(7, madsim::Config::default());
//! runtime.add_simulator::<DiskSim>();
//! let node = runtime.create_node().build();
//! let wrote = node.spawn(async {
//!     let log = fs::File::create("log").await?;
//!     log.append(b"entry").await?;
//!     log.sync_data().await?;
//!     fs::sync_dir("").await
//! });
//! runtime.block_on(async move {
//!     wrote.await.unwrap().unwrap();
//!     // The node loses power: its tasks are gone, and what it has not synced.
//!     madsim::runtime::Handle::current().kill(node.id());
//!     assert_eq!(DiskSim::current().seen(node.id(), "log").unwrap(), b"entry");
//! });
//! ```

mod clocks;
mod disk;
pub mod fs;
pub mod net;
mod network;
pub mod time;

pub use clocks::ClockSim;
pub use disk::{DiskSim, SyncTimes};
pub use network::{NetworkSim, Noted};

//! All that knows the runtime madsim: an engine on it, what async code finds in the place of
//! sockets, files and clocks (`shim`), and async servers under the storm (`servers`).
//!
//! Without the flag `--cfg madsim` for the whole build there is nothing here.

#[cfg(madsim)]
pub mod engine;
#[cfg(madsim)]
pub mod servers;
#[cfg(madsim)]
pub mod shim;

#[cfg(madsim)]
pub use engine::ENGINE;

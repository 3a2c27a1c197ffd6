//! What comes with this crate: the subjects of the adapters that are features of the build, on its
//! engines.

use squall_core::registry::{RegisteredSubject, Registry, UnknownSubject};

/// The subjects of this build: each honest adapter, then it with each injected bug.
///
/// # Panics
/// In a build without an adapter: there is none.
pub fn subjects() -> Registry {
    let all: &[Vec<RegisteredSubject>] = &[
        #[cfg(feature = "raft-rs")]
        squall_raft_rs::subjects(),
        #[cfg(feature = "noraft")]
        squall_noraft::subjects(),
        #[cfg(feature = "raftbare")]
        squall_raftbare::subjects(),
        #[cfg(feature = "openraft")]
        squall_openraft::subjects(),
    ];
    let subjects = Registry::new(all.concat());
    #[cfg(all(feature = "madsim", madsim))]
    let subjects = subjects.with_engine(squall_madsim::ENGINE);
    subjects
}

/// The one of [`subjects`] that has this name.
///
/// # Errors
/// [`UnknownSubject`] names the nearest and all legal names.
pub fn subject(name: &str) -> Result<RegisteredSubject, UnknownSubject> {
    subjects().find(name).cloned()
}

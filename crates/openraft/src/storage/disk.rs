//! A node's disk, as a storage of one's own is given it.

use std::io;
use std::ops::Deref;
use std::time::Duration;

use openraft_rt::AsyncRuntime;
use rand_core::Rng;
use squall_world::node_files::{File, OpenFiles, Syncing};

use crate::runtime::NodeRuntime;

/// The disk of one node: files that forget what was not synced. Its calls come back at once
/// ([`OpenFiles`]), but for the two here, which let simulated time go by: other tasks of the node
/// go on, and it may crash meanwhile.
#[derive(Clone, Debug)]
pub struct Disk(OpenFiles);

/// The longest that a sync takes, in microseconds.
const SYNC_US_MAX: u64 = 4_000;

impl Disk {
    pub(super) fn new(files: OpenFiles) -> Self {
        Self(files)
    }

    /// What was written to `file` before the call is durable when this is over, as with
    /// [`File::sync`].
    ///
    /// # Errors
    /// When the sync fails: what it was to make durable may never be.
    pub async fn sync(&self, file: &File) -> io::Result<()> {
        after_a_while(file.begin_sync()?).await
    }

    /// The names in this directory are durable when this is over, as with
    /// [`OpenFiles::sync_directory`].
    ///
    /// # Errors
    /// When the sync fails.
    pub async fn sync_names(&self, directory: &str) -> io::Result<()> {
        after_a_while(self.0.begin_sync_of_directory(directory)?).await
    }
}

async fn after_a_while(syncing: Syncing) -> io::Result<()> {
    let time_us = 20 + NodeRuntime::thread_rng().next_u64() % SYNC_US_MAX;
    NodeRuntime::sleep(Duration::from_micros(time_us)).await;
    syncing.end()
}

impl Deref for Disk {
    type Target = OpenFiles;

    fn deref(&self) -> &OpenFiles {
        &self.0
    }
}

//! Files on a [`DiskSim`], as async code on a node uses them. Paths are plain strings, `/` between
//! their parts; directories need not be made.
//!
//! Reads and writes take no time; syncs do. What is written is read back at once, and is durable when
//! a sync of the file has returned without an error, if the file's name is: see [`sync_dir`].

use std::io;
use std::sync::Arc;

use ::madsim::plugin::node;
use ::madsim::task::NodeId;

use super::disk::{DiskSim, stale};
use crate::filesystem::{Files, Inode, Target};

/// An open file of the node whose task opened it.
pub struct File {
    disk: Arc<DiskSim>,
    node: NodeId,
    inode: Inode,
    crashes: u64,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({:?} of node {})", self.inode, self.node)
    }
}

fn here<T>(act: impl FnOnce(&mut Files) -> io::Result<T>) -> io::Result<T> {
    DiskSim::current().with(node(), |machine| act(&mut machine.files))
}

impl File {
    fn with(open: impl FnOnce(&mut Files) -> io::Result<Inode>) -> io::Result<Self> {
        let (disk, node) = (DiskSim::current(), node());
        let (inode, crashes) = disk.with(node, |machine| {
            open(&mut machine.files).map(|inode| (inode, machine.crashes))
        })?;
        Ok(Self {
            disk,
            node,
            inode,
            crashes,
        })
    }

    /// Opens the file of that name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn open(path: &str) -> io::Result<Self> {
        Self::with(|files| files.open(path))
    }

    /// Opens the file of that name, or makes one.
    ///
    /// # Errors
    /// `StorageFull`.
    pub async fn open_or_create(path: &str) -> io::Result<Self> {
        Self::with(|files| files.open_or_create(path))
    }

    /// Makes a file of that name, or empties the one that there is.
    ///
    /// # Errors
    /// `StorageFull`.
    pub async fn create(path: &str) -> io::Result<Self> {
        Self::with(|files| {
            let inode = files.open_or_create(path)?;
            files.set_length(inode, 0)?;
            Ok(inode)
        })
    }

    fn act<T>(&self, act: impl FnOnce(&mut Files, Inode) -> io::Result<T>) -> io::Result<T> {
        self.disk.with(self.node, |machine| {
            if machine.crashes != self.crashes {
                return Err(stale());
            }
            act(&mut machine.files, self.inode)
        })
    }

    /// Reads from `offset` on until `buffer` is full or the file ends. Returns how many bytes it read.
    ///
    /// # Errors
    /// When the node has lost power since the file was opened, as for all that follow.
    pub async fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.act(|files, inode| {
            let seen = files.seen(inode);
            let from = seen
                .len()
                .min(usize::try_from(offset).unwrap_or(usize::MAX));
            let count = buffer.len().min(seen.len() - from);
            buffer[..count].copy_from_slice(&seen[from..from + count]);
            Ok(count)
        })
    }

    /// The whole file.
    ///
    /// # Errors
    /// As [`File::read_at`].
    pub async fn read_all(&self) -> io::Result<Vec<u8>> {
        self.act(|files, inode| Ok(files.seen(inode).to_vec()))
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// `StorageFull`, with nothing written.
    pub async fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.act(|files, inode| files.write(inode, offset, bytes))
    }

    /// Writes all of `bytes` at the end. Returns where that was.
    ///
    /// # Errors
    /// `StorageFull`, with nothing written.
    pub async fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        self.act(|files, inode| {
            let end = files.length(inode);
            files.write(inode, end, bytes).map(|()| end)
        })
    }

    /// Cuts the file off at `length` bytes, or fills it up with zeros.
    ///
    /// # Errors
    /// `StorageFull`.
    pub async fn set_len(&self, length: u64) -> io::Result<()> {
        self.act(|files, inode| files.set_length(inode, length))
    }

    /// The file's length in bytes.
    ///
    /// # Errors
    /// As [`File::read_at`].
    pub async fn len(&self) -> io::Result<u64> {
        self.act(|files, inode| Ok(files.length(inode)))
    }

    /// Whether it holds nothing.
    ///
    /// # Errors
    /// As [`File::read_at`].
    pub async fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len().await? == 0)
    }

    /// Makes durable what has been written, and with it the file's length, as `fdatasync` does.
    ///
    /// # Errors
    /// When the disk fails: what this was to make durable never will be, whatever syncs come after.
    pub async fn sync_data(&self) -> io::Result<()> {
        self.act(|_, _| Ok(()))?;
        self.disk.sync(self.node, Target::File(self.inode)).await
    }

    /// The same. What `fsync` makes durable beyond `fdatasync`, times and rights, files here do not have.
    ///
    /// # Errors
    /// As [`File::sync_data`].
    pub async fn sync_all(&self) -> io::Result<()> {
        self.sync_data().await
    }
}

/// Gives a file another name, in place of a file that may have it. Durable when the directory that it
/// moves to is synced.
///
/// # Errors
/// `NotFound`.
pub async fn rename(from: &str, to: &str) -> io::Result<()> {
    here(|files| files.rename(from, to))
}

/// Removes a file's name. Durable when its directory is synced.
///
/// # Errors
/// `NotFound`.
pub async fn remove_file(path: &str) -> io::Result<()> {
    here(|files| files.remove(path))
}

/// The paths of the files in a directory, in order; `""` is the topmost.
///
/// # Errors
/// None so far.
pub async fn read_dir(directory: &str) -> io::Result<Vec<String>> {
    here(|files| Ok(files.list(directory)))
}

/// Makes durable which names there are in a directory.
///
/// # Errors
/// As [`File::sync_data`].
pub async fn sync_dir(directory: &str) -> io::Result<()> {
    let target = Target::Directory(directory.to_owned());
    DiskSim::current().sync(node(), target).await
}

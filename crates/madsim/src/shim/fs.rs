//! Files on a [`DiskSim`], as async code on a node uses them. Paths are plain strings, `/` between
//! their parts; directories need not be made.
//!
//! Reads and writes take no time; syncs do. What is written is read back at once, and is durable
//! when a sync of the file has returned without an error, if the file's name is: see [`sync_dir`].

mod options;

use std::io::{self, ErrorKind, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::madsim::plugin::node;
use ::madsim::task::NodeId;

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

use super::disk::{DiskSim, stale};
use squall_world::file_disk::{Files, Inode, Target};

pub use options::OpenOptions;

/// An open file of the node whose task opened it, or a directory, which can be synced and nothing
/// else.
///
/// It is read and written at places, or one after another as a file of tokio's is: from its begin
/// on, or, where it was opened to append, written at its end.
pub struct File {
    disk: Arc<DiskSim>,
    node: NodeId,
    target: Target,
    crashes: u64,
    /// Where it is read and written next.
    cursor: u64,
    appends: bool,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({:?} of node {})", self.target, self.node)
    }
}

fn text(path: &impl AsRef<Path>) -> io::Result<String> {
    let text = path.as_ref().to_str().map(str::to_owned);
    text.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "paths are UTF-8 here"))
}

fn here<T>(act: impl FnOnce(&mut Files) -> io::Result<T>) -> io::Result<T> {
    DiskSim::current().with(node(), |machine| act(&mut machine.files))
}

impl File {
    fn with(open: impl FnOnce(&mut Files) -> io::Result<Target>) -> io::Result<Self> {
        let (disk, node) = (DiskSim::current(), node());
        let (target, crashes) = disk.with(node, |machine| {
            open(&mut machine.files).map(|target| (target, machine.crashes))
        })?;
        Ok(Self {
            disk,
            node,
            target,
            crashes,
            cursor: 0,
            appends: false,
        })
    }

    /// Opens the file of that name, or the directory.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = text(&path)?;
        Self::with(|files| match files.open(&path) {
            Err(_) if !files.list(&path).is_empty() => Ok(Target::Directory(path)),
            opened => opened.map(Target::File),
        })
    }

    /// Opens the file of that name, or makes one.
    ///
    /// # Errors
    /// `StorageFull`.
    pub async fn open_or_create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = text(&path)?;
        Self::with(|files| files.open_or_create(&path).map(Target::File))
    }

    /// Makes a file of that name, or empties the one that there is.
    ///
    /// # Errors
    /// `StorageFull`.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = text(&path)?;
        Self::with(|files| {
            let inode = files.open_or_create(&path)?;
            files.set_length(inode, 0)?;
            Ok(Target::File(inode))
        })
    }

    fn act<T>(&self, act: impl FnOnce(&mut Files, Inode) -> io::Result<T>) -> io::Result<T> {
        self.disk.with(self.node, |machine| {
            if machine.crashes != self.crashes {
                return Err(stale());
            }
            match self.target {
                Target::File(inode) => act(&mut machine.files, inode),
                Target::Directory(_) => Err(ErrorKind::IsADirectory.into()),
            }
        })
    }

    /// Reads from `offset` on until `buffer` is full or the file ends. Returns how many bytes it
    /// read.
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
        let is_stale = |machine: &mut super::disk::Machine| machine.crashes != self.crashes;
        if self.disk.with(self.node, is_stale) {
            return Err(stale());
        }
        self.disk.sync(self.node, self.target.clone()).await
    }

    /// The same. What `fsync` makes durable beyond `fdatasync`, times and rights, files here do not
    /// have.
    ///
    /// # Errors
    /// As [`File::sync_data`].
    pub async fn sync_all(&self) -> io::Result<()> {
        self.sync_data().await
    }
}

impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let cursor = self.cursor;
        let read = self.act(|files, inode| {
            let seen = files.seen(inode);
            let from = seen
                .len()
                .min(usize::try_from(cursor).unwrap_or(usize::MAX));
            let count = buffer.remaining().min(seen.len() - from);
            buffer.put_slice(&seen[from..from + count]);
            Ok(count)
        });
        Poll::Ready(read.map(|count| self.cursor += count as u64))
    }
}

impl AsyncSeek for File {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.cursor.checked_add_signed(by),
            SeekFrom::End(by) => {
                let length = self.act(|files, inode| Ok(files.length(inode)))?;
                length.checked_add_signed(by)
            }
        };
        self.cursor = place.ok_or(ErrorKind::InvalidInput)?;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.cursor))
    }
}

impl AsyncWrite for File {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (cursor, appends) = (self.cursor, self.appends);
        let written = self.act(|files, inode| {
            let at = match appends {
                true => files.length(inode),
                false => cursor,
            };
            files.write(inode, at, bytes)?;
            Ok(at + bytes.len() as u64)
        });
        Poll::Ready(written.map(|cursor| {
            self.cursor = cursor;
            bytes.len()
        }))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The whole file of that name.
///
/// # Errors
/// `NotFound`.
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    File::open(path).await?.read_all().await
}

/// The whole file of that name, which is text.
///
/// # Errors
/// `NotFound`, and `InvalidData` where it is no UTF-8.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = read(path).await?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// Makes the file of that name, or empties the one that there is, and writes all of `contents`. It
/// is not synced by that.
///
/// # Errors
/// `StorageFull`.
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let file = File::create(path).await?;
    file.write_all_at(contents.as_ref(), 0).await
}

/// Whether there is a file of that name, or a directory with files in it.
///
/// # Errors
/// `InvalidInput` where the path is no UTF-8.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    match File::open(path).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Does nothing: directories need not be made.
///
/// # Errors
/// None.
pub async fn create_dir(_: impl AsRef<Path>) -> io::Result<()> {
    Ok(())
}

/// Does nothing: directories need not be made.
///
/// # Errors
/// None.
pub async fn create_dir_all(_: impl AsRef<Path>) -> io::Result<()> {
    Ok(())
}

/// Gives a file another name, in place of a file that may have it. Durable when the directory that
/// it moves to is synced.
///
/// # Errors
/// `NotFound`.
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let (from, to) = (text(&from)?, text(&to)?);
    here(|files| files.rename(&from, &to))
}

/// Removes a file's name. Durable when its directory is synced.
///
/// # Errors
/// `NotFound`.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    let path = text(&path)?;
    here(|files| files.remove(&path))
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

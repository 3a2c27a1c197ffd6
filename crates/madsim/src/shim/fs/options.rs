//! How a file is opened.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::{File, text};
use squall_world::file_disk::Target;

/// How a file is opened, in the shape of `tokio::fs::OpenOptions`. That it can be read or written
/// at all need not be asked for.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    appends: bool,
    creates: bool,
    is_new: bool,
    empties: bool,
}

impl OpenOptions {
    /// An existing file, from its begin on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing changes: every file can be read.
    pub fn read(&mut self, _: bool) -> &mut Self {
        self
    }

    /// Nothing changes: every file can be written.
    pub fn write(&mut self, _: bool) -> &mut Self {
        self
    }

    /// Whether what is written goes to its end.
    pub fn append(&mut self, appends: bool) -> &mut Self {
        self.appends = appends;
        self
    }

    /// Whether it is emptied.
    pub fn truncate(&mut self, empties: bool) -> &mut Self {
        self.empties = empties;
        self
    }

    /// Whether it is made if it is not there.
    pub fn create(&mut self, creates: bool) -> &mut Self {
        self.creates = creates;
        self
    }

    /// Whether it is made, and must not be there.
    pub fn create_new(&mut self, is_new: bool) -> &mut Self {
        self.is_new = is_new;
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `StorageFull`.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = text(&path)?;
        let mut file = File::with(|files| {
            let inode = match files.open(&path) {
                Ok(_) if self.is_new => return Err(ErrorKind::AlreadyExists.into()),
                Err(_) if self.creates || self.is_new => files.open_or_create(&path)?,
                opened => opened?,
            };
            if self.empties {
                files.set_length(inode, 0)?;
            }
            Ok(Target::File(inode))
        })?;
        file.appends = self.appends;
        Ok(file)
    }
}

//! Files as the server uses them: on the machine's file system in production, on a disk that
//! forgets in simulation. The one seam that tokio and madsim do not close by themselves, for madsim
//! has no file system with power failures.

#[cfg(madsim)]
pub use squall::madsim::shim::fs::{File, rename, sync_dir};

#[cfg(not(madsim))]
pub use machine::{File, rename, sync_dir};

/// The path of the file `name` in the folder `dir`.
pub fn in_dir(dir: &str, name: &str) -> String {
    format!("{dir}/{name}")
}

/// Puts a file of these bytes under this name, atomically, and returns it when it is
/// durable.
///
/// # Errors
/// When the disk fails.
pub async fn replace(dir: &str, name: &str, bytes: &[u8]) -> std::io::Result<File> {
    let (path, new) = (in_dir(dir, name), in_dir(dir, &format!("{name}.new")));
    let file = File::create(&new).await?;
    file.append(bytes).await?;
    file.sync_all().await?;
    rename(&new, &path).await?;
    sync_dir(dir).await?;
    Ok(file)
}

#[cfg(not(madsim))]
mod machine {
    use std::fs;
    use std::io::{self, Read as _, Seek as _, Write as _};
    use std::sync::Arc;

    /// Runs what may block off the threads of the runtime.
    async fn aside<T: Send + 'static>(
        act: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let done = tokio::task::spawn_blocking(act).await;
        done.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    /// An open file. What is written goes to its end.
    #[derive(Clone, Debug)]
    pub struct File(Arc<fs::File>);

    impl File {
        async fn with(path: &str, options: fs::OpenOptions) -> io::Result<Self> {
            let path = path.to_owned();
            aside(move || options.open(path))
                .await
                .map(|file| Self(Arc::new(file)))
        }

        /// Opens the file of that name.
        ///
        /// # Errors
        /// `NotFound`, and whatever the file system says.
        pub async fn open(path: &str) -> io::Result<Self> {
            let mut options = fs::OpenOptions::new();
            options.read(true).append(true);
            Self::with(path, options).await
        }

        /// Makes a file of that name, or empties the one that there is.
        ///
        /// # Errors
        /// Whatever the file system says.
        pub async fn create(path: &str) -> io::Result<Self> {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = fs::OpenOptions::new();
            options.read(true).append(true).create_new(true);
            Self::with(path, options).await
        }

        async fn act<T: Send + 'static>(
            &self,
            act: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
        ) -> io::Result<T> {
            let file = Arc::clone(&self.0);
            aside(move || act(&file)).await
        }

        /// Writes all of `bytes` at the end.
        ///
        /// # Errors
        /// Whatever the file system says; some of it may be written then.
        pub async fn append(&self, bytes: &[u8]) -> io::Result<u64> {
            let bytes = bytes.to_vec();
            self.act(move |mut file| {
                let end = file.metadata()?.len();
                file.write_all(&bytes).map(|()| end)
            })
            .await
        }

        /// The whole file.
        ///
        /// # Errors
        /// Whatever the file system says.
        pub async fn read_all(&self) -> io::Result<Vec<u8>> {
            self.act(|mut file| {
                let mut bytes = Vec::new();
                file.rewind()?;
                file.read_to_end(&mut bytes).map(|_| bytes)
            })
            .await
        }

        /// Cuts the file off at `length` bytes.
        ///
        /// # Errors
        /// Whatever the file system says.
        pub async fn set_len(&self, length: u64) -> io::Result<()> {
            self.act(move |file| file.set_len(length)).await
        }

        /// Makes durable what has been written.
        ///
        /// # Errors
        /// When the disk fails: what was written may be lost, whatever later syncs say.
        pub async fn sync_data(&self) -> io::Result<()> {
            self.act(fs::File::sync_data).await
        }

        /// The same, and all that the file system knows of the file.
        ///
        /// # Errors
        /// As [`File::sync_data`].
        pub async fn sync_all(&self) -> io::Result<()> {
            self.act(fs::File::sync_all).await
        }
    }

    /// Gives a file another name. Durable when its directory is synced.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub async fn rename(from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        aside(move || fs::rename(from, to)).await
    }

    /// Makes durable which names there are in a directory.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub async fn sync_dir(dir: &str) -> io::Result<()> {
        let dir = dir.to_owned();
        aside(move || fs::File::open(dir)?.sync_all()).await
    }
}

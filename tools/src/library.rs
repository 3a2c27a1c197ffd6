//! The library's source, where cargo keeps it, and copies of it that are changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::Error;

/// The source of the library as the project's lock file has it.
#[derive(Debug)]
pub struct Library {
    /// The package's folder at cargo's.
    pub folder: PathBuf,
    /// Its name there.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Library {
    /// Asks cargo where the library of that name is.
    ///
    /// # Errors
    /// When cargo cannot say, or the project does not depend on it.
    pub fn named(project: &Path, name: &str) -> Result<Self, Error> {
        // Without this, cargo would fetch what the dependencies need on other platforms.
        let mut options = vec!["--locked".to_owned()];
        if let Some(host) = host() {
            options.extend(["--filter-platform".to_owned(), host]);
        }
        let metadata = cargo_metadata::MetadataCommand::new()
            .current_dir(project)
            .other_options(options)
            .exec()
            .map_err(|error| Error::Cargo(error.to_string().trim().to_owned()))?;
        let found = metadata
            .packages
            .iter()
            .find(|package| package.name.as_str() == name && package.source.is_some());
        let package = found.ok_or_else(|| {
            Error::Cargo(format!(
                "the project does not depend on {name} from a registry"
            ))
        })?;
        let manifest = package.manifest_path.as_std_path();
        Ok(Self {
            folder: manifest.parent().unwrap_or(manifest).to_path_buf(),
            name: name.to_owned(),
            version: package.version.to_string(),
        })
    }

    /// The text of `file`, which is relative to `src`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, file: &str) -> Result<String, Error> {
        let path = self.folder.join("src").join(file);
        std::fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))
    }

    /// Copies the package to `to`, as far as a dependent needs it: the manifest without its tests,
    /// benchmarks and examples and what they depend on, and `src`. A file that is there and the
    /// same stays untouched, so that cargo builds only what has changed.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn copy(&self, to: &Path) -> Result<(), Error> {
        self.copy_except(to, &BTreeSet::new())
    }

    /// As [`Library::copy`], without the files of `src` that `but` names.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn copy_except(&self, to: &Path, but: &BTreeSet<String>) -> Result<(), Error> {
        let manifest = self.folder.join("Cargo.toml");
        let text =
            std::fs::read_to_string(&manifest).map_err(|error| Error::file(&manifest, &error))?;
        let mut table: toml::Table = toml::from_str(&text)
            .map_err(|error| Error::Cargo(format!("{}: {error}", manifest.display())))?;
        for key in ["dev-dependencies", "bench", "example", "test", "badges"] {
            table.remove(key);
        }
        put(&to.join("Cargo.toml"), &table.to_string())?;
        // The compiler reads texts of the documentation, too.
        for file in self.files()? {
            if !but.contains(&file) {
                put(&to.join("src").join(&file), &self.read(&file)?)?;
            }
        }
        Ok(())
    }

    /// The Rust files and the Markdown files in `src`, relative to it, in order of name.
    ///
    /// # Errors
    /// When a folder cannot be read.
    fn files(&self) -> Result<Vec<String>, Error> {
        let root = self.folder.join("src");
        let (mut folders, mut files) = (vec![root.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            let cannot = |error| Error::file(&folder, &error);
            for entry in std::fs::read_dir(&folder).map_err(cannot)? {
                let path = entry.map_err(cannot)?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path
                    .extension()
                    .is_some_and(|ending| ending == "rs" || ending == "md")
                {
                    let inner = path.strip_prefix(&root).unwrap_or(&path);
                    files.push(inner.to_string_lossy().replace('\\', "/"));
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

/// The platform that the compiler builds for.
fn host() -> Option<String> {
    let output = std::process::Command::new("rustc")
        .arg("-vV")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(line.to_owned())
}

/// Writes `text` to `path`, making its folder where it is missing, unless that is what it holds.
///
/// # Errors
/// When it cannot be written.
pub fn put(path: &Path, text: &str) -> Result<(), Error> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, &error))?;
    }
    std::fs::write(path, text).map_err(|error| Error::file(path, &error))
}
